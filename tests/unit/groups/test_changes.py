"""Changes come into force in the log's order, once, whatever happens between asking and being carried out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.accounts.models import Block, User
from apps.groups import announcements
from apps.groups.changes import MODERATOR, Outcome, carry_out
from apps.groups.facts import GroupFacts, MemberFacts, decode_facts, member_key
from apps.groups.kinds import Kind
from apps.groups.models import Change, Group, Invite, Member
from apps.groups.selectors import get_group, list_spells
from apps.groups.services import create_invite
from apps.protocol.ids import new_event_id
from apps.protocol.records import GroupChangeSubmitted
from apps.valkey.pools import ValkeyError, sync_client

GROUP = "grp-0123456789ab"
FIELDS = ("name", "description", "picture", "only_admins_write", "slow_mode_seconds", "frozen", "freeze_reason")


def change(kind: Kind, by: str, *user_ids: str, **details: Any) -> GroupChangeSubmitted:
    """A record of a change."""
    return GroupChangeSubmitted(
        event_id=new_event_id(),
        group_id=GROUP,
        kind=kind.value,
        by=by,
        user_ids=user_ids,
        details=details,
        timestamp_ms=1,
    )


class Relay:
    """Carries out what it is given, at growing sequences, and keeps it for a replay."""

    def __init__(self) -> None:
        self.records: list[GroupChangeSubmitted] = []

    def __call__(self, kind: Kind, by: str, *user_ids: str, **details: Any) -> Outcome:
        self.records.append(change(kind, by, *user_ids, **details))
        return carry_out(self.records[-1], len(self.records))

    def replay(self) -> list[Outcome]:
        """Carry all out again, as a relay does that starts from an older position."""
        return [carry_out(record, sequence) for sequence, record in enumerate(self.records, 1)]


@pytest.fixture
def relay(db: None, cache_valkey: str) -> Relay:
    return Relay()


def rows() -> list[Any]:
    """All that changes write, as it stands."""
    members = Member.objects.order_by("pk").values_list("user_id", "role", "from_sequence", "to_sequence")
    groups = Group.objects.values_list("id", "version", "member_count", "is_polled", "deleted_at", *FIELDS)
    settled = Change.objects.order_by("sequence").values_list("event_id", "refusal", "user_ids", "version")
    return [*members, *groups, *settled]


def roles() -> dict[str, str]:
    """Who is a member now."""
    return dict(Member.objects.filter(to_sequence=None).values_list("user_id", "role"))


def test_a_group_comes_to_be_with_its_members(relay: Relay, ada: str, bob: str) -> None:
    outcome = relay(Kind.CREATED, ada, bob, name="Chess", description="Mondays", picture="")
    assert outcome == Outcome(refusal="", user_ids=(ada, bob), version=1, pushed=True)
    group, member = get_group(GROUP, ada)
    assert (group.name, group.description, group.member_count, group.version) == ("Chess", "Mondays", 2, 1)
    assert (member.role, member.from_sequence) == ("owner", 1)
    assert roles() == {ada: "owner", bob: "member"}


def test_each_kind_changes_what_it_says(relay: Relay, ada: str) -> None:
    relay(Kind.CREATED, ada, name="Chess")
    relay(Kind.RENAMED, ada, name="Go")
    relay(Kind.DESCRIBED, ada, description="Mondays")
    relay(Kind.PICTURED, ada, picture="med-1")
    relay(Kind.RULES, ada, only_admins_write=True)
    relay(Kind.RULES, ada, slow_mode_seconds=9)
    relay(Kind.FROZEN, MODERATOR, reason="spam")
    group = Group.objects.get()
    assert [getattr(group, name) for name in FIELDS] == ["Go", "Mondays", "med-1", True, 9, True, "spam"]
    assert group.version == 7
    relay(Kind.UNFROZEN, MODERATOR)
    group.refresh_from_db()
    assert (group.frozen, group.freeze_reason, group.version) == (False, "", 8)


def test_a_change_is_carried_out_once_however_often_it_comes(relay: Relay, ada: str, bob: str) -> None:
    relay(Kind.CREATED, ada, name="Chess")
    joined = change(Kind.JOINED, ada, bob)
    first = carry_out(joined, 2)
    before = rows()
    assert carry_out(joined, 2) == first
    assert carry_out(joined, 99) == first, "nor if the log gave it another place"
    assert rows() == before
    assert Group.objects.get().version == 2


def test_one_that_was_refused_stays_refused(relay: Relay, ada: str, bob: str) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    refused = change(Kind.RENAMED, bob, name="Bob's")
    assert carry_out(refused, 2) == Outcome(refusal="forbidden", user_ids=(), version=1)
    relay.records.append(refused)
    relay(Kind.ROLE, ada, bob, role="admin")
    assert carry_out(refused, 2).refusal == "forbidden"
    assert Group.objects.get().name == "Chess"


def test_a_replay_changes_nothing_and_gives_the_same_outcomes(relay: Relay, ada: str, bob: str, eve: str) -> None:
    outcomes = [
        relay(Kind.CREATED, ada, bob, name="Chess"),
        relay(Kind.JOINED, bob, eve),
        relay(Kind.ROLE, ada, bob, role="owner"),
        relay(Kind.JOINED, ada, eve),
        relay(Kind.REMOVED, ada, eve),
        relay(Kind.JOINED, ada, eve),
        relay(Kind.LEFT, ada),
        relay(Kind.RENAMED, ada, name="Ada's"),
        relay(Kind.DELETED, bob),
        relay(Kind.RENAMED, bob, name="Bob's"),
    ]
    refusals = ["", "forbidden", "", "", "", "", "", "not_a_member", "", "not_found"]
    assert [one.refusal for one in outcomes] == refusals
    before = rows()
    assert relay.replay() == outcomes
    assert rows() == before


def test_of_two_that_conflict_the_first_on_the_log_counts(relay: Relay, ada: str, bob: str, eve: str) -> None:
    relay(Kind.CREATED, ada, bob, eve, name="Chess")
    relay(Kind.ROLE, ada, bob, role="admin")
    # The owner hands over while the new admin sends her away, and she the admin.
    assert relay(Kind.ROLE, ada, bob, role="owner").refusal == ""
    assert relay(Kind.REMOVED, ada, bob).refusal == "forbidden"
    assert relay(Kind.REMOVED, bob, ada).refusal == ""
    assert relay(Kind.DELETED, ada).refusal == "not_a_member"
    assert roles() == {bob: "owner", eve: "member"}


@pytest.mark.parametrize("ada_first", [True, False])
def test_two_names_at_once_leave_the_last_one(relay: Relay, ada: str, bob: str, ada_first: bool) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    relay(Kind.ROLE, ada, bob, role="admin")
    order = [(ada, "Ada's"), (bob, "Bob's")] if ada_first else [(bob, "Bob's"), (ada, "Ada's")]
    versions = [relay(Kind.RENAMED, by, name=name).version for by, name in order]
    assert (Group.objects.get().name, versions) == (order[1][1], [3, 4])


def test_two_who_add_the_same_one_add_them_once(relay: Relay, ada: str, bob: str, eve: str) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    relay(Kind.ROLE, ada, bob, role="admin")
    assert relay(Kind.JOINED, ada, eve).user_ids == (eve,)
    assert relay(Kind.JOINED, bob, eve).refusal == "conflict"
    assert Member.objects.filter(user_id=eve).count() == 1


def test_who_comes_back_has_another_time_in_the_group(relay: Relay, ada: str, bob: str) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    relay(Kind.LEFT, bob)
    relay(Kind.JOINED, ada, bob)
    spells = sorted((spell.from_sequence, spell.to_sequence) for spell in list_spells(GROUP) if spell.user_id == bob)
    assert spells == [(1, 2), (3, None)]
    assert Group.objects.get().member_count == 2


def test_the_last_one_who_leaves_ends_the_group(relay: Relay, ada: str) -> None:
    relay(Kind.CREATED, ada, name="Chess")
    relay(Kind.LEFT, ada)
    group = Group.objects.get()
    assert group.deleted_at is not None
    assert group.member_count == 0


def test_a_deleted_group_has_no_members_and_is_made_no_second_time(relay: Relay, ada: str, bob: str) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    relay(Kind.DELETED, ada)
    assert relay(Kind.CREATED, bob, ada, name="Chess again").refusal == "conflict"
    assert roles() == {}
    assert {spell.to_sequence for spell in list_spells(GROUP)} == {2}
    assert Group.objects.get().member_count == 0


def test_who_blocked_or_was_suspended_or_deleted_meanwhile_is_left_out(
    relay: Relay, user: Callable[[str], str], ada: str, bob: str, eve: str
) -> None:
    carol = user("carol")
    Block.objects.create(owner_id=bob, person_id=ada)
    User.objects.filter(pk=eve).update(is_active=False)
    gone = "usr-000000000000"
    outcome = relay(Kind.CREATED, ada, bob, eve, gone, carol, name="Chess")
    assert outcome.user_ids == (ada, carol)
    assert relay(Kind.JOINED, ada, bob, gone).refusal == "conflict"


def test_who_was_deleted_before_their_group_came_to_be_has_none(relay: Relay, bob: str) -> None:
    assert relay(Kind.CREATED, "usr-000000000000", bob, name="Chess").refusal == "forbidden"
    assert not Group.objects.exists()


def test_a_deleted_user_no_longer_counts(relay: Relay, ada: str, bob: str) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    User.objects.get(pk=bob).delete()
    relay(Kind.RENAMED, ada, name="Go")
    assert Group.objects.get().member_count == 1


def test_an_invite_that_was_revoked_meanwhile_lets_nobody_in(relay: Relay, ada: str, bob: str, eve: str) -> None:
    relay(Kind.CREATED, ada, name="Chess")
    invite, _ = create_invite(GROUP, ada)
    assert relay(Kind.JOINED, bob, bob, invite=invite.pk).user_ids == (bob,)
    Invite.objects.update(revoked_at=invite.created_at)
    assert relay(Kind.JOINED, eve, eve, invite=invite.pk).refusal == "invite_invalid"
    for number in (True, "1", None, invite.pk + 1):
        assert relay(Kind.JOINED, eve, eve, invite=number).refusal == "invite_invalid"


def test_an_invite_leads_into_its_own_group_only(relay: Relay, ada: str, bob: str) -> None:
    relay(Kind.CREATED, ada, name="Chess")
    other = replace(change(Kind.CREATED, ada, name="Go"), group_id="grp-ffffffffffff")
    carry_out(other, 50)
    invite, _ = create_invite("grp-ffffffffffff", ada)
    assert relay(Kind.JOINED, bob, bob, invite=invite.pk).refusal == "invite_invalid"


def test_a_group_is_polled_above_the_push_limit_and_pushed_below(
    relay: Relay, ada: str, bob: str, eve: str, settings: Any
) -> None:
    settings.GROUP_PUSH_LIMIT = 2
    relay(Kind.CREATED, ada, bob, name="Chess")
    assert not Group.objects.get().is_polled
    relay(Kind.JOINED, ada, eve)
    assert Group.objects.get().is_polled
    relay(Kind.LEFT, eve)
    assert not Group.objects.get().is_polled


def test_a_change_is_pushed_where_messages_before_it_or_after_it_are(
    relay: Relay, ada: str, bob: str, eve: str, settings: Any
) -> None:
    settings.GROUP_PUSH_LIMIT = 2
    outcomes = [
        relay(Kind.CREATED, ada, bob, name="Chess"),
        relay(Kind.JOINED, ada, eve),
        relay(Kind.RENAMED, ada, name="Go"),
        relay(Kind.RENAMED, eve, name="Mine"),
        relay(Kind.LEFT, eve, eve),
        relay(Kind.RENAMED, ada, name="Chess"),
    ]
    assert [one.pushed for one in outcomes] == [True, True, False, False, True, True]
    assert relay.replay() == outcomes, "of another size by now"


def test_the_change_after_which_a_group_is_polled_by_a_lower_limit_is_pushed(
    relay: Relay, ada: str, bob: str, settings: Any
) -> None:
    relay(Kind.CREATED, ada, bob, name="Chess")
    settings.GROUP_PUSH_LIMIT = 1
    assert [relay(Kind.RENAMED, ada, name=name).pushed for name in ("Go", "Chess")] == [True, False]


def test_a_full_group_takes_nobody(relay: Relay, ada: str, bob: str, eve: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.groups.rules.MAX_MEMBERS", 2)
    relay(Kind.CREATED, ada, bob, name="Chess")
    assert relay(Kind.JOINED, ada, eve).refusal == "group_full"
    assert Group.objects.get().member_count == 2


def test_a_kind_of_a_later_release_is_no_change_here(relay: Relay, ada: str) -> None:
    with pytest.raises(ValueError, match="painted"):
        carry_out(replace(change(Kind.RENAMED, ada), kind="painted"), 1)
    assert not Change.objects.exists()


def test_a_change_that_fails_leaves_nothing_and_can_be_carried_out_later(
    relay: Relay, ada: str, bob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay(Kind.CREATED, ada, name="Chess")
    joined, before = change(Kind.JOINED, ada, bob), rows()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(Change.objects, "create", fail)
        with pytest.raises(RuntimeError):
            carry_out(joined, 2)
    assert rows() == before
    assert carry_out(joined, 2).user_ids == (bob,)


@pytest.mark.django_db(transaction=True)
def test_gateways_know_it_when_it_is_in_force(cache_valkey: str, ada: str, bob: str) -> None:
    carry_out(change(Kind.CREATED, ada, bob, name="Chess"), 1)
    client = sync_client(cache_valkey)

    def fact(name: str) -> Any:
        return decode_facts(client.get(f"facts:{{{name}}}"))

    assert fact(GROUP) == GroupFacts(exists=True)
    assert fact(member_key(GROUP, bob)) == MemberFacts(role="member", from_sequence=1)
    carry_out(change(Kind.REMOVED, ada, bob), 2)
    assert fact(member_key(GROUP, bob)) == MemberFacts(role="")
    carry_out(change(Kind.FROZEN, MODERATOR, reason="spam"), 3)
    assert fact(GROUP).frozen


@pytest.mark.django_db(transaction=True)
def test_what_gateways_were_not_told_makes_the_change_fail_and_is_told_when_it_is_asked_again(
    cache_valkey: str, ada: str, bob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the relay was killed between the users' database and Valkey: who was removed must not read on."""
    carry_out(change(Kind.CREATED, ada, bob, name="Chess"), 1)
    removed = change(Kind.REMOVED, ada, bob)

    def fail(names: Sequence[str]) -> None:
        raise ValkeyError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(announcements, "store_facts", fail)
        for _ in range(2):
            with pytest.raises(ValkeyError):
                carry_out(removed, 2)
    assert roles() == {ada: "owner"}
    before = rows()
    assert carry_out(removed, 2).user_ids == (bob,)
    assert rows() == before
    assert decode_facts(sync_client(cache_valkey).get(f"facts:{{{member_key(GROUP, bob)}}}")) == MemberFacts(role="")


asked = st.tuples(
    st.sampled_from(Kind),
    st.integers(0, 3),
    st.lists(st.integers(0, 3), max_size=3),
    st.sampled_from(["owner", "admin", "member"]),
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(st.lists(asked, max_size=8))
def test_rows_hold_together_whatever_is_asked_and_a_replay_agrees(
    relay: Relay, django_user_model: Any, everything: list[Any]
) -> None:
    Change.objects.all().delete()
    Group.objects.all().delete()
    django_user_model.objects.all().delete()
    relay.records.clear()
    people = [django_user_model.objects.create_user(f"user{number}").pk for number in range(4)]
    relay(Kind.CREATED, people[0], people[1], name="Chess")
    outcomes = []
    for kind, by, named, role in everything:
        details = {"name": "Go", "description": "", "picture": "", "role": role}
        outcomes.append(relay(kind, people[by], *(people[one] for one in named), **details))
        group, present = Group.objects.get(), roles()
        assert group.member_count == len(present)
        assert list(present.values()).count("owner") == int(group.deleted_at is None) == int(bool(present))
    versions = [one.version for one in outcomes if not one.refusal]
    assert versions == list(range(2, 2 + len(versions)))
    before = rows()
    assert relay.replay()[1:] == outcomes
    assert rows() == before
