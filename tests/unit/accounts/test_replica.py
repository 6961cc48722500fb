"""Reads of profiles and of the search: on the replica if there is one that answers, else on the primary."""

import logging

import pytest
from django.db import OperationalError

from apps.accounts.errors import NotFoundError
from apps.accounts.models import User
from apps.accounts.replica import REST_SECONDS, ReplicaReader
from apps.accounts.selectors import get_profile, search_users


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Databases:
    """Answers with the alias that it was asked on; the replica only while it is well."""

    replica_is_well = True

    def __init__(self) -> None:
        self.asked: list[str] = []

    def query(self, alias: str) -> str:
        self.asked.append(alias)
        if alias == "replica" and not self.replica_is_well:
            raise OperationalError("no route to host\nsecond line")
        return alias


@pytest.fixture
def databases() -> Databases:
    return Databases()


@pytest.fixture
def with_replica(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        def close(self) -> None:
            pass

    monkeypatch.setitem(settings.DATABASES, "replica", settings.DATABASES["default"])
    monkeypatch.setattr("apps.accounts.replica.connections", {"replica": Connection()})


def test_without_a_replica_the_primary_answers(databases: Databases) -> None:
    assert ReplicaReader().read(databases.query) == "default"
    assert databases.asked == ["default"]


@pytest.mark.usefixtures("with_replica")
def test_with_a_replica_it_alone_is_asked(databases: Databases) -> None:
    assert ReplicaReader().read(databases.query) == "replica"
    assert databases.asked == ["replica"]


@pytest.mark.usefixtures("with_replica")
def test_a_replica_that_fails_is_reported_and_left_alone_for_a_while(
    databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    reader = ReplicaReader(clock)
    databases.replica_is_well = False
    with caplog.at_level(logging.WARNING):
        assert [reader.read(databases.query) for _ in range(3)] == ["default"] * 3
    assert databases.asked == ["replica", "default", "default", "default"]
    assert len(caplog.records) == 1
    assert caplog.messages[0].endswith("no route to host")
    databases.replica_is_well = True
    clock.now += REST_SECONDS
    assert reader.read(databases.query) == "replica"


@pytest.mark.usefixtures("with_replica")
def test_a_fault_of_the_query_itself_is_no_fault_of_the_replica(databases: Databases) -> None:
    def fail(alias: str) -> str:
        raise ValueError(alias)

    reader = ReplicaReader()
    with pytest.raises(ValueError, match="replica"):
        reader.read(fail)
    assert reader.read(databases.query) == "replica"


def test_a_profile_that_the_replica_does_not_have_yet_is_looked_for_on_the_primary(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.accounts.selectors.read_from_replica", lambda query: None)
    assert get_profile(ada.pk) == ada
    with pytest.raises(NotFoundError):
        get_profile("usr-000000000000")


@pytest.mark.django_db
@pytest.mark.parametrize("user_id", ["usr-000000000000", "ada", "", "usr-00000000000G"])
def test_an_unknown_profile_is_not_found(user_id: str) -> None:
    with pytest.raises(NotFoundError):
        get_profile(user_id)


def test_the_search_and_profiles_go_where_the_reader_says(
    ada: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def read(query):
        asked.append("read")
        return query("default")

    monkeypatch.setattr("apps.accounts.selectors.read_from_replica", read)
    assert search_users("bob", asking_id=ada.pk, limit=5) == [bob]
    assert get_profile(bob.pk) == bob
    assert len(asked) == 2
