"""Facts of groups and members: what the chat servers know is what the database says."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.groups import announcements
from apps.groups import facts as facts_module
from apps.groups.announcements import announce_change
from apps.groups.facts import (
    GroupFacts,
    MemberFacts,
    cache_facts,
    decode_facts,
    encode_facts,
    load_facts,
    member_key,
    store_facts,
)
from apps.groups.models import Group, Member
from apps.valkey.pools import sync_client

GROUP, OTHER = "grp-0123456789ab", "grp-ffffffffffff"
NOBODY = "usr-000000000000"

group_facts = st.builds(
    GroupFacts,
    exists=st.booleans(),
    frozen=st.booleans(),
    only_admins_write=st.booleans(),
    slow_mode_seconds=st.integers(0, 3600),
    is_polled=st.booleans(),
)
member_facts = st.builds(
    MemberFacts, role=st.sampled_from(["", "member", "admin", "owner"]), from_sequence=st.integers(0, 2**62)
)


@pytest.fixture
def club(ada: str, bob: str) -> str:
    """Return a group that ada owns and that bob has left."""
    group = Group.objects.create(pk=GROUP, name="Chess", only_admins_write=True, slow_mode_seconds=7, is_polled=True)
    Member.objects.create(group=group, user_id=ada, role="owner", from_sequence=5)
    Member.objects.create(group=group, user_id=bob, from_sequence=5, to_sequence=9)
    return GROUP


def stored(url: str, name: str) -> object:
    """The facts that stand in Valkey."""
    return decode_facts(sync_client(url).get(f"facts:{{{name}}}"))


@given(group_facts | member_facts)
def test_facts_survive_their_encoding(facts: GroupFacts | MemberFacts) -> None:
    assert decode_facts(encode_facts(facts)) == facts


@pytest.mark.parametrize("text", ["[]", '["x", true]', '["g", true]', "{}", "1", "not json"])
def test_anything_else_is_no_facts(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_facts(text)


def test_facts_of_many_take_two_queries(club: str, ada: str, bob: str, django_assert_num_queries) -> None:
    names = [club, OTHER, *(member_key(club, one) for one in (ada, bob, NOBODY)), member_key(OTHER, ada)]
    with django_assert_num_queries(2):
        facts = load_facts(names)
    assert facts == {
        club: GroupFacts(exists=True, only_admins_write=True, slow_mode_seconds=7, is_polled=True),
        OTHER: GroupFacts(exists=False),
        member_key(club, ada): MemberFacts(role="owner", from_sequence=5),
        member_key(club, bob): MemberFacts(role=""),
        member_key(club, NOBODY): MemberFacts(role=""),
        member_key(OTHER, ada): MemberFacts(role=""),
    }
    with django_assert_num_queries(0):
        assert load_facts([]) == {}


def test_a_deleted_group_is_none(club: str) -> None:
    Group.objects.update(deleted_at="2026-01-01T00:00:00Z")
    assert load_facts([club]) == {club: GroupFacts(exists=False)}


def test_only_a_member_exists() -> None:
    assert [MemberFacts(role=role).exists for role in ("", "member")] == [False, True]


def test_storing_writes_valkey_and_tells_the_gateways(club: str, ada: str, cache_valkey: str) -> None:
    names = [club, member_key(club, ada), OTHER]
    store_facts(names)
    client = sync_client(cache_valkey)
    assert stored(cache_valkey, club) == load_facts([club])[club]
    assert stored(cache_valkey, member_key(club, ada)) == MemberFacts(role="owner", from_sequence=5)
    assert 3500 < client.ttl(f"facts:{{{club}}}") <= 3600
    assert 50 < client.ttl(f"facts:{{{OTHER}}}") <= 60
    events = [entry for _, entry in client.xrange("control:events")]
    assert [(one["kind"], one["user"]) for one in events] == [("facts_changed", name) for name in names]


def test_what_changes_while_it_is_written_is_written_again(
    club: str, cache_valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = facts_module._set_facts, []

    def slow(*arguments: object, **options: object) -> None:
        real(*arguments, **options)
        calls.append(1)
        Group.objects.update(frozen=True)

    monkeypatch.setattr(facts_module, "_set_facts", slow)
    store_facts([club])
    assert stored(cache_valkey, club).frozen
    assert len(calls) == 2


def test_a_miss_writes_nothing_over_what_is_newer(club: str, cache_valkey: str) -> None:
    sync_client(cache_valkey).set(f"facts:{{{club}}}", encode_facts(GroupFacts(exists=True, frozen=True)))
    assert cache_facts([club, OTHER])[club].frozen is False
    assert stored(cache_valkey, club).frozen
    assert stored(cache_valkey, OTHER) == GroupFacts(exists=False)


def test_of_a_moderator_there_are_no_facts(
    club: str, ada: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable
) -> None:
    stored_names: list[list[str]] = []
    monkeypatch.setattr(announcements, "store_facts", stored_names.append)
    with django_capture_on_commit_callbacks(execute=True):
        announce_change(club, ["moderator", ada, ada])
        assert stored_names == [], "not before the transaction commits"
    assert stored_names == [[club, member_key(club, ada)]]
