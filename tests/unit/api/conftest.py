"""Clients of the API tests, by token and without anything, and a group of theirs.

Models are imported inside the fixtures: pytest loads this file before Django is set up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from apps.accounts.models import Device, User
    from tests.unit.groups.immediate_log import ImmediateLog

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user with one token device, and a client that sends the token."""

    user: "User"
    device: "Device"
    token: str
    client: "APIClient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Club:
    """A group with one of each role, and somebody who is not in it."""

    group_id: str
    owner: Person
    admin: Person
    member: Person
    stranger: Person

    @property
    def address(self) -> str:
        """Where it is."""
        return f"/api/groups/{self.group_id}"


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


@pytest.fixture
def group_log(db: None, monkeypatch: pytest.MonkeyPatch) -> "ImmediateLog":
    """Return the log to which changes of groups are appended; they are in force at once."""
    from tests.unit.groups.immediate_log import put_in_place

    return put_in_place(monkeypatch)


@pytest.fixture
def club(group_log: "ImmediateLog", ada: Person, bob: Person, person: Callable[[str], Person]) -> Club:
    """Return a group that ada owns, with bob as admin and carol as member; eve is not in it."""
    from apps.groups.services import change_role, create_group

    carol, eve = person("carol"), person("eve")
    group_id = create_group(ada.user.pk, "Chess", [bob.user.pk, carol.user.pk])
    change_role(group_id, ada.user.pk, bob.user.pk, "admin")
    group_log.records.clear()
    return Club(group_id=group_id, owner=ada, admin=bob, member=carol, stranger=eve)
