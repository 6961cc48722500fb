"""Users of the groups' tests, and a log whose records are in force at once.

Models are imported inside the fixtures: pytest loads this file before Django is set up.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.groups.immediate_log import ImmediateLog


@pytest.fixture
def log(db: None, cache_valkey: str, monkeypatch: pytest.MonkeyPatch) -> "ImmediateLog":
    """Return the log to which the services append."""
    from tests.unit.groups.immediate_log import put_in_place

    return put_in_place(monkeypatch)


@pytest.fixture
def user(db: None) -> Callable[[str], str]:
    """Return a maker of users that gives their ids."""
    from apps.accounts.models import User

    def make(username: str) -> str:
        return User.objects.create_user(username).pk

    return make


@pytest.fixture
def ada(user: Callable[[str], str]) -> str:
    """Return the user who usually owns the group."""
    return user("ada")


@pytest.fixture
def bob(user: Callable[[str], str]) -> str:
    """Return somebody else."""
    return user("bob")


@pytest.fixture
def eve(user: Callable[[str], str]) -> str:
    """Return a third one."""
    return user("eve")
