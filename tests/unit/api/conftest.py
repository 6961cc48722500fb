"""Clients of the API tests: one by token, one without anything.

Models are imported inside the fixtures: pytest loads this file before Django is set up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from apps.accounts.models import Device, User

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user with one token device, and a client that sends the token."""

    user: "User"
    device: "Device"
    token: str
    client: "APIClient"


@pytest.fixture
def person(db: None, cache_valkey: str) -> Callable[[str], Person]:
    """Return a maker of users who are logged in by token."""
    from apps.accounts.models import User
    from apps.accounts.services import log_in_device
    from tests.unit.api.documented_client import DocumentedClient

    def make(username: str) -> Person:
        user = User.objects.create_user(username, PASSWORD)
        device, token = log_in_device(user, "laptop")
        client = DocumentedClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        return Person(user=user, device=device, token=token, client=client)

    return make


@pytest.fixture
def ada(person: Callable[[str], Person]) -> Person:
    """Return the user who usually asks."""
    return person("ada")


@pytest.fixture
def bob(person: Callable[[str], Person]) -> Person:
    """Return somebody else."""
    return person("bob")


@pytest.fixture
def anonymous(db: None, cache_valkey: str) -> "APIClient":
    """Return a client without credentials."""
    from tests.unit.api.documented_client import DocumentedClient

    return DocumentedClient()
