"""System checks."""

import sqlite3

import pytest

from chatsite.checks import check_sqlite_version
from chatsite.sqlite import SAFE_VERSION


def test_an_old_sqlite_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    assert [message.id for message in check_sqlite_version()] == ["chatsite.W001"]


def test_a_safe_sqlite_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", SAFE_VERSION)
    assert check_sqlite_version() == []


def test_the_database_engine_uses_the_library_that_was_chosen() -> None:
    from django.db.backends.sqlite3.base import Database

    assert Database.sqlite_version_info == sqlite3.sqlite_version_info
