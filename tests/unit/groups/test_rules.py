"""Who may do what in a group: the whole table, and what holds however changes come together."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.groups import rules
from apps.groups.errors import TEXTS
from apps.groups.kinds import MODERATION, Kind
from apps.groups.rules import ADMIN, MEMBER, OWNER, ROLES, Standing, Verdict, judge, may_manage, may_write

A, B, C, D, E = PEOPLE = "abcde"
"""Ada owns the group, Bob is an admin, Carol and Dave are members, Eve is none."""

STANDING = {
    "taken": True,
    "exists": True,
    "frozen": False,
    "member_count": 4,
    "roles": {A: OWNER, B: ADMIN, C: MEMBER, D: MEMBER},
    "may_join": frozenset(PEOPLE),
    "invite_holds": False,
}


def ask(kind: Kind, by: str, *named: str, moderates: bool = False, role: object = None, **standing: object) -> Verdict:
    """Judge one change of the group as it stands, or otherwise."""
    details = {} if role is None else {"role": role}
    return judge(kind, by, named, details, Standing(**(STANDING | standing)), moderates=moderates)


# kind, whom it names, role; then what owner, admin, member and stranger are told: "" is yes
TABLE = [
    (Kind.JOINED, E, None, "", "", "forbidden", "invite_invalid"),
    (Kind.REMOVED, D, None, "", "", "forbidden", "not_a_member"),
    (Kind.REMOVED, B, None, "", "forbidden", "forbidden", "not_a_member"),
    (Kind.REMOVED, A, None, "forbidden", "forbidden", "forbidden", "not_a_member"),
    (Kind.REMOVED, E, None, "not_found", "not_found", "forbidden", "not_a_member"),
    (Kind.ROLE, D, ADMIN, "", "forbidden", "forbidden", "not_a_member"),
    (Kind.ROLE, D, OWNER, "", "forbidden", "forbidden", "not_a_member"),
    (Kind.ROLE, D, MEMBER, "conflict", "forbidden", "forbidden", "not_a_member"),
    (Kind.ROLE, B, MEMBER, "", "forbidden", "forbidden", "not_a_member"),
    (Kind.ROLE, A, MEMBER, "forbidden", "forbidden", "forbidden", "not_a_member"),
    (Kind.ROLE, D, "king", "forbidden", "forbidden", "forbidden", "not_a_member"),
    (Kind.ROLE, E, ADMIN, "not_found", "forbidden", "forbidden", "not_a_member"),
    (Kind.RENAMED, None, None, "", "", "forbidden", "not_a_member"),
    (Kind.DESCRIBED, None, None, "", "", "forbidden", "not_a_member"),
    (Kind.PICTURED, None, None, "", "", "forbidden", "not_a_member"),
    (Kind.RULES, None, None, "", "", "forbidden", "not_a_member"),
    (Kind.DELETED, None, None, "", "forbidden", "forbidden", "not_a_member"),
    (Kind.LEFT, None, None, "owner_must_hand_over", "", "", "not_a_member"),
    (Kind.FROZEN, None, None, "forbidden", "forbidden", "forbidden", "not_a_member"),
    (Kind.UNFROZEN, None, None, "forbidden", "forbidden", "forbidden", "not_a_member"),
]


@pytest.mark.parametrize(("kind", "named", "role", *"abce"), TABLE, ids=lambda value: str(value) or "yes")
def test_everybody_may_do_what_their_role_allows(kind, named, role, a, b, c, e) -> None:
    names = () if named is None else (named,)
    for by, expected in zip((A, B, C, E), (a, b, c, e), strict=True):
        assert ask(kind, by, *names, role=role).refusal == expected, by


def test_the_table_has_every_kind() -> None:
    assert {row[0] for row in TABLE} == set(Kind) - {Kind.CREATED}


def test_a_new_group_has_its_owner_first_and_whoever_may_be_in_it() -> None:
    free = {"exists": False, "taken": False}
    assert ask(Kind.CREATED, A, B, A, B, C, **free, may_join=frozenset({A, C})).user_ids == (A, C)
    assert ask(Kind.CREATED, A, B, **free, may_join=frozenset({B})).refusal == "forbidden"
    for exists in (True, False):
        assert ask(Kind.CREATED, A, B, exists=exists).refusal == "conflict", "nor with the id of a deleted one"


def test_nothing_can_be_done_to_a_group_that_is_not_there() -> None:
    for kind in set(Kind) - {Kind.CREATED}:
        for moderates in (False, True):
            assert ask(kind, A, D, exists=False, moderates=moderates).refusal == "not_found"


def test_whoever_is_in_it_already_or_may_not_be_is_passed_over() -> None:
    assert ask(Kind.JOINED, B, D, E, E).user_ids == (E,)
    assert ask(Kind.JOINED, B, D).refusal == "conflict"
    assert ask(Kind.JOINED, B, E, may_join=frozenset()).refusal == "conflict"


def test_an_invite_lets_in_whoever_has_it_and_nobody_else() -> None:
    assert ask(Kind.JOINED, E, E, invite_holds=True).user_ids == (E,)
    assert ask(Kind.JOINED, E, "f", invite_holds=True).refusal == "not_a_member"
    assert ask(Kind.JOINED, E, E, "f", invite_holds=True).refusal == "not_a_member"
    for member in (A, B, C):
        assert ask(Kind.JOINED, member, member, invite_holds=True).refusal == "conflict"


def test_a_group_is_full_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_MEMBERS", 5)
    assert ask(Kind.JOINED, A, E).refusal == ""
    assert ask(Kind.JOINED, A, E, member_count=5).refusal == "group_full"
    assert ask(Kind.JOINED, A, D, member_count=5).refusal == "conflict", "nobody new"


def test_the_last_one_may_leave_though_they_own_it() -> None:
    assert ask(Kind.LEFT, A, member_count=1, roles={A: OWNER}).user_ids == (A,)


def test_several_are_removed_together_or_not_at_all() -> None:
    assert ask(Kind.REMOVED, A, B, C, E).user_ids == (B, C)
    assert ask(Kind.REMOVED, B, C, A).refusal == "forbidden"


def test_a_role_is_given_to_one_at_a_time() -> None:
    assert ask(Kind.ROLE, A, C, D, role=ADMIN).refusal == "not_found"
    assert ask(Kind.ROLE, A, role=ADMIN).refusal == "not_found"


def test_a_frozen_group_neither_grows_nor_speaks_but_lets_go() -> None:
    held = {Kind.JOINED, Kind.RENAMED, Kind.DESCRIBED, Kind.PICTURED, Kind.RULES}
    for kind in held:
        assert ask(kind, A, E, frozen=True).refusal == "frozen"
        assert ask(kind, "moderator", E, frozen=True, moderates=True).refusal == ""
    assert ask(Kind.JOINED, E, E, frozen=True, invite_holds=True).refusal == "frozen"
    assert ask(Kind.RENAMED, C, frozen=True).refusal == "forbidden"
    assert ask(Kind.LEFT, C, frozen=True).refusal == ""
    assert ask(Kind.REMOVED, A, D, frozen=True).refusal == ""
    assert ask(Kind.ROLE, A, D, frozen=True, role=OWNER).refusal == ""


def test_moderators_may_do_all_but_leave_a_group_without_an_owner() -> None:
    for kind in (*MODERATION, Kind.DELETED, Kind.RENAMED):
        assert ask(kind, "moderator", moderates=True) == Verdict(refusal="")
    assert ask(Kind.REMOVED, "moderator", B, E, moderates=True).user_ids == (B,)
    assert ask(Kind.REMOVED, "moderator", A, moderates=True).refusal == "owner_must_hand_over"
    assert ask(Kind.REMOVED, "moderator", A, moderates=True, member_count=1).refusal == ""
    assert ask(Kind.ROLE, "moderator", A, moderates=True, role=MEMBER).refusal == "owner_must_hand_over"
    assert ask(Kind.ROLE, "moderator", B, moderates=True, role=OWNER).refusal == ""
    assert ask(Kind.LEFT, "moderator", moderates=True).refusal == "not_a_member"


def test_only_admins_and_the_owner_look_after_a_group() -> None:
    assert [may_manage(role) for role in ("", MEMBER, ADMIN, OWNER)] == [False, False, True, True]


def test_who_may_write() -> None:
    roles = ("", MEMBER, ADMIN, OWNER)
    assert [may_write(role, only_admins_write=False) for role in roles] == [False, True, True, True]
    assert [may_write(role, only_admins_write=True) for role in roles] == [False, False, True, True]


@dataclass(slots=True)
class ModelGroup:
    """A group in memory, as the rows would be."""

    taken: bool = False
    exists: bool = False
    frozen: bool = False
    roles: dict[str, str] = field(default_factory=dict)

    def judge(self, change: "Change") -> Verdict:
        standing = Standing(
            taken=self.taken,
            exists=self.exists,
            frozen=self.frozen,
            member_count=len(self.roles),
            roles={one: self.roles.get(one, "") for one in (change.by, *change.named)},
            may_join=change.may_join,
            invite_holds=change.invite_holds,
        )
        details = {"role": change.role}
        return judge(change.kind, change.by, change.named, details, standing, moderates=change.moderates)

    def apply(self, change: "Change", user_ids: tuple[str, ...]) -> None:
        match change.kind:
            case Kind.CREATED:
                self.taken = self.exists = True
                self.roles = dict.fromkeys(user_ids, MEMBER) | {user_ids[0]: OWNER}
            case Kind.JOINED:
                self.roles |= dict.fromkeys(user_ids, MEMBER)
            case Kind.LEFT | Kind.REMOVED:
                self.roles = {one: role for one, role in self.roles.items() if one not in user_ids}
            case Kind.ROLE:
                if change.role == OWNER:
                    self.roles = {one: ADMIN if role == OWNER else role for one, role in self.roles.items()}
                self.roles[user_ids[0]] = change.role
            case Kind.FROZEN | Kind.UNFROZEN:
                self.frozen = change.kind is Kind.FROZEN
            case Kind.DELETED:
                self.roles = {}
        self.exists = self.exists and bool(self.roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Anything that anybody might ask for."""

    kind: Kind
    by: str
    named: tuple[str, ...]
    role: str
    may_join: frozenset[str]
    invite_holds: bool
    moderates: bool


changes = st.builds(
    Change,
    kind=st.sampled_from(Kind),
    by=st.sampled_from(PEOPLE),
    named=st.lists(st.sampled_from(PEOPLE), max_size=4).map(tuple),
    role=st.sampled_from(ROLES),
    may_join=st.frozensets(st.sampled_from(PEOPLE)) | st.just(frozenset(PEOPLE)),
    invite_holds=st.booleans(),
    moderates=st.booleans(),
)
creation = Change(
    kind=Kind.CREATED,
    by=A,
    named=(B, C),
    role=MEMBER,
    may_join=frozenset(PEOPLE),
    invite_holds=False,
    moderates=False,
)


@given(st.lists(changes, max_size=12))
def test_a_group_that_exists_has_one_owner_whatever_happens(asked: list[Change]) -> None:
    group = ModelGroup()
    for change in (creation, *asked):
        before = dict(group.roles)
        verdict = group.judge(change)
        if verdict.refusal:
            assert verdict.refusal in TEXTS
            assert verdict.user_ids == ()
            continue
        assert set(verdict.user_ids) <= {change.by, *change.named}
        assert len(set(verdict.user_ids)) == len(verdict.user_ids)
        group.apply(change, verdict.user_ids)
        assert list(group.roles.values()).count(OWNER) == int(group.exists)
        new = set(group.roles) - set(before)
        assert new <= change.may_join


@given(changes)
def test_a_member_changes_nobody_but_themselves_and_a_stranger_needs_an_invite(change: Change) -> None:
    group = ModelGroup(taken=True, exists=True, roles={A: OWNER, B: ADMIN, C: MEMBER, D: MEMBER})
    verdict = group.judge(change)
    if verdict.refusal or change.moderates:
        return
    if change.by in (C, D):
        assert (change.kind, verdict.user_ids) == (Kind.LEFT, (change.by,))
    elif change.by == E:
        assert (change.kind, verdict.user_ids, change.invite_holds) == (Kind.JOINED, (E,), True)


@given(changes, st.sampled_from(PEOPLE))
def test_nobody_touches_whom_they_do_not_outrank(change: Change, other: str) -> None:
    group = ModelGroup(taken=True, exists=True, roles={A: OWNER, B: ADMIN, C: MEMBER, D: ADMIN})
    verdict = group.judge(change)
    if not verdict.refusal and not change.moderates and change.kind in (Kind.REMOVED, Kind.ROLE):
        mine = rules.RANKS[group.roles[change.by]]
        assert all(rules.RANKS[group.roles[one]] < mine for one in verdict.user_ids)
