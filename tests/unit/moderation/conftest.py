"""People who moderate, people who are moderated, and a look at what left for the gateways.

Models are imported inside the fixtures: pytest loads this file before Django is set up.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

if TYPE_CHECKING:
    from django.test import Client

    from apps.accounts.models import User

PASSWORD = "correct horse battery"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def ada(db: None) -> "User":
    """Return somebody who moderates nothing."""
    from apps.accounts.models import User

    return User.objects.create_user("ada", PASSWORD)


@pytest.fixture
def bob(db: None) -> "User":
    """Return somebody else."""
    from apps.accounts.models import User

    return User.objects.create_user("bob", PASSWORD)


@pytest.fixture
def make_staff(db: None) -> "Callable[[str], User]":
    """Return a maker of staff with a role, named after it; "superuser" is one too."""
    from django.contrib.auth.models import Group

    from apps.accounts.models import User

    def make(role: str) -> User:
        if role == "superuser":
            return User.objects.create_superuser("superuser", PASSWORD)
        user = User.objects.create_user(role, PASSWORD, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def moderator(make_staff: "Callable[[str], User]") -> "User":
    """Return one with the role "moderator"."""
    return make_staff("moderator")


@pytest.fixture
def browser_of() -> "Callable[[User], Client]":
    """Return a maker of browsers that are logged in."""
    from django.test import Client

    def make(user: "User") -> Client:
        client = Client()
        client.force_login(user, BACKEND)
        return client

    return make


@pytest.fixture
def control_events(cache_valkey: str) -> Callable[[], list[tuple[str, str]]]:
    """Return a reader of the control stream: (kind, user) of each event so far."""
    from apps.connections.control import CONTROL_KEY
    from apps.valkey.pools import sync_client

    def read() -> list[tuple[str, str]]:
        return [(entry["kind"], entry["user"]) for _, entry in sync_client(cache_valkey).xrange(CONTROL_KEY)]

    return read


@pytest.fixture
def browser_request(rf: RequestFactory) -> Callable[[], HttpRequest]:
    """Return a maker of requests of nobody, with a new session."""
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore

    def make() -> HttpRequest:
        request = rf.get("/")
        request.session = SessionStore()
        request.user = AnonymousUser()
        return request

    return make


@pytest.fixture
def fresh_bans() -> Iterator[None]:
    """Let this process know no bans, before and after."""
    from apps.moderation.address_bans import address_bans

    address_bans.__init__()  # type: ignore[misc]  # one object for the whole process
    yield
    address_bans.__init__()  # type: ignore[misc]
