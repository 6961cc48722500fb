"""Reads of groups: who is in which, when they were, and in which order."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.errors import NotFoundError
from apps.accounts.models import Block, User, UserSettings
from apps.groups import selectors
from apps.groups.errors import ChangeRefused
from apps.groups.models import Change, Group, Invite, Member
from apps.groups.selectors import Spell

CHESS, GO = "grp-000000000001", "grp-000000000002"


def member(group_id: str, user_id: str, start: int, end: int | None = None, role: str = "member") -> Member:
    """A user's time in a group."""
    return Member.objects.create(group_id=group_id, user_id=user_id, role=role, from_sequence=start, to_sequence=end)


@pytest.fixture
def clubs(ada: str, bob: str, eve: str) -> list[Member]:
    """Ada owns both, Bob was in Chess twice and is now, Eve was in Go."""
    Group.objects.create(pk=CHESS, name="Chess")
    Group.objects.create(pk=GO, name="Go")
    return [
        member(CHESS, ada, 1, role="owner"),
        member(GO, ada, 1, role="owner"),
        member(CHESS, bob, 2, 5),
        member(CHESS, bob, 8, role="admin"),
        member(GO, eve, 2, 4),
    ]


def test_a_group_is_found_by_its_members(clubs: list[Member], ada: str, bob: str, eve: str) -> None:
    group, found = selectors.get_group(CHESS, bob)
    assert (group.name, found) == ("Chess", clubs[3])
    for group_id, user_id in ((GO, bob), (GO, eve), ("grp-ffffffffffff", ada)):
        with pytest.raises(NotFoundError):
            selectors.get_group(group_id, user_id)
    Group.objects.filter(pk=GO).update(deleted_at=timezone.now())
    with pytest.raises(NotFoundError):
        selectors.get_group(GO, ada)


def test_a_group_is_managed_by_admins_and_the_owner(clubs: list[Member], ada: str, bob: str, eve: str) -> None:
    member(CHESS, eve, 9)
    assert selectors.get_managed_group(CHESS, ada)[1] == clubs[0]
    assert selectors.get_managed_group(CHESS, bob)[1] == clubs[3]
    with pytest.raises(ChangeRefused) as refused:
        selectors.get_managed_group(CHESS, eve)
    assert refused.value.code == "forbidden"
    with pytest.raises(NotFoundError):
        selectors.get_managed_group(GO, bob)


def test_groups_and_members_are_listed_in_order_and_by_pages(
    clubs: list[Member], ada: str, bob: str, eve: str, django_assert_num_queries
) -> None:
    with django_assert_num_queries(1):
        assert [row.group.name for row in selectors.list_groups(ada, limit=9)] == ["Chess", "Go"]
    assert [row.group_id for row in selectors.list_groups(ada, limit=1)] == [CHESS]
    assert [row.group_id for row in selectors.list_groups(ada, after=clubs[0].pk, limit=9)] == [GO]
    assert selectors.list_groups(eve, limit=9) == []
    with django_assert_num_queries(1):
        assert [row.user.username for row in selectors.list_members(CHESS, limit=9)] == ["ada", "bob"]
    assert [row.user_id for row in selectors.list_members(CHESS, after=clubs[0].pk, limit=9)] == [bob]
    assert selectors.get_member(CHESS, bob) == clubs[3]
    with pytest.raises(NotFoundError):
        selectors.get_member(GO, eve)


def test_times_in_groups(clubs: list[Member], ada: str, bob: str, eve: str) -> None:
    whole = Spell(user_id=ada, from_sequence=1, to_sequence=None)
    first = Spell(user_id=bob, from_sequence=2, to_sequence=5)
    second = Spell(user_id=bob, from_sequence=8, to_sequence=None)
    assert selectors.list_spells(CHESS) == [whole, first, second]
    pairs = [(CHESS, bob), (GO, ada), (GO, bob)]
    assert selectors.list_spells_of(pairs) == {(CHESS, bob): [first, second], (GO, ada): [whole]}
    assert selectors.list_spells_of([]) == {}
    assert sorted(selectors.list_group_ids(bob)) == [CHESS]
    assert sorted(selectors.list_group_ids(eve)) == [GO]
    assert selectors.list_present_group_ids(eve) == []
    assert sorted(selectors.list_present_group_ids(ada)) == [CHESS, GO]


@given(st.integers(0, 9), st.none() | st.integers(1, 9), st.integers(0, 12))
def test_a_time_covers_what_is_between_and_sees_what_begins_and_ends_it(start: int, length, sequence: int) -> None:
    end = None if length is None else start + length
    spell = Spell(user_id="usr-1", from_sequence=start, to_sequence=end)
    assert spell.covers(sequence) == (start < sequence and (end is None or sequence < end))
    edges = {start} if end is None else {start, end}
    assert spell.sees(sequence) == (spell.covers(sequence) or sequence in edges)


def test_groups_by_id_and_roles_now(clubs: list[Member], ada: str, bob: str, eve: str) -> None:
    Group.objects.filter(pk=GO).update(deleted_at=timezone.now())
    assert set(selectors.list_by_id([CHESS, GO, "grp-ffffffffffff"])) == {CHESS, GO}
    assert selectors.list_by_id([]) == {}
    pairs = [(CHESS, ada), (CHESS, bob), (GO, eve), (GO, bob)]
    assert selectors.list_roles(pairs) == {(CHESS, ada): "owner", (CHESS, bob): "admin"}
    assert selectors.list_roles([]) == {}


def test_who_keeps_history(clubs: list[Member], ada: str, bob: str, eve: str) -> None:
    for one in (ada, bob, eve):
        UserSettings.objects.create(user_id=one, history_days=0 if one == ada else 90)
    assert selectors.list_keepers([CHESS, GO]) == {CHESS: (bob,)}


def test_what_became_of_changes(clubs: list[Member]) -> None:
    change = Change.objects.create(event_id="evt-0000000000000001", group_id=CHESS, sequence=1)
    assert selectors.list_settled([change.pk, "evt-0000000000000002"]) == {change.pk: change}
    assert selectors.list_settled([]) == {}


def test_an_invite_is_live_until_it_runs_out_or_is_revoked(clubs: list[Member], ada: str) -> None:
    later = timezone.now() + timedelta(days=1)
    live, revoked, late, foreign = (
        Invite.objects.create(
            group_id=group_id, created_by_id=ada, token_hash=selectors.hash_secret(token), expires_at=later
        )
        for group_id, token in ((CHESS, "a"), (CHESS, "b"), (CHESS, "c"), (GO, "d"))
    )
    Invite.objects.filter(pk=revoked.pk).update(revoked_at=timezone.now())
    Invite.objects.filter(pk=late.pk).update(expires_at=timezone.now())
    assert selectors.list_invites(CHESS) == [live]
    assert selectors.get_invite("a").group.name == "Chess"
    assert selectors.get_invite("d") == foreign
    Group.objects.filter(pk=GO).update(deleted_at=timezone.now())
    for token in "bcde":
        with pytest.raises(ChangeRefused) as refused:
            selectors.get_invite(token)
        assert refused.value.code == "invite_invalid"


def test_who_lives_and_who_blocks(ada: str, bob: str, eve: str) -> None:
    User.objects.filter(pk=eve).update(is_active=False)
    Block.objects.create(owner_id=bob, person_id=ada)
    Block.objects.create(owner_id=ada, person_id=eve)
    assert selectors.list_living([ada, eve, "usr-000000000000"]) == {ada}
    assert selectors.list_blockers(ada, [ada, bob, eve]) == {bob}


def test_who_is_in_many_groups(clubs: list[Member], ada: str, bob: str, eve: str, user: Callable[[str], str]) -> None:
    everybody = [ada, bob, eve, user("carol")]
    assert selectors.list_crowded(everybody, 1) == {ada, bob}
    assert selectors.list_crowded(everybody, 2) == {ada}
    assert selectors.list_crowded(everybody, 3) == set()
