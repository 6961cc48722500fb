"""Users of the account tests, and a look at what left for the gateways.

Models are imported inside the fixtures: pytest loads this file before Django is set up.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

if TYPE_CHECKING:
    from apps.accounts.models import User

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(db: None) -> "User":
    """Return a user with a password."""
    from apps.accounts.models import User

    return User.objects.create_user("Ada", PASSWORD)


@pytest.fixture
def bob(db: None) -> "User":
    """Return another user."""
    from apps.accounts.models import User

    return User.objects.create_user("bob", PASSWORD)


@pytest.fixture
def browser_request(rf: RequestFactory) -> Callable[[], HttpRequest]:
    """Return a maker of requests that have a new, empty session."""
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore

    def make() -> HttpRequest:
        request = rf.get("/", headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
        request.session = SessionStore()
        request.user = AnonymousUser()
        return request

    return make


@pytest.fixture
def control_events(cache_valkey: str) -> Callable[[], list[tuple[str, str, str, str]]]:
    """Return a reader of the control stream: (kind, user, devices, reason) of each event so far."""
    from apps.connections.control import CONTROL_KEY
    from apps.valkey.pools import sync_client

    def read() -> list[tuple[str, str, str, str]]:
        entries = sync_client(cache_valkey).xrange(CONTROL_KEY)
        return [(entry["kind"], entry["user"], entry["devices"], entry["reason"]) for _, entry in entries]

    return read
