"""Who may do what in a group. Pure: asked before a change is appended, and again when its turn comes in the log.

However changes come together, a group that exists has one owner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.groups.kinds import MODERATION, Kind

MAX_MEMBERS = 100_000
MAX_NAMED = 500
"""Users that one change may concern."""

MAX_SLOW_MODE_SECONDS = 3_600

OWNER, ADMIN, MEMBER = "owner", "admin", "member"
ROLES = (OWNER, ADMIN, MEMBER)
RANKS = {"": 0, MEMBER: 1, ADMIN: 2, OWNER: 3}

_STRANGER = RANKS[""]
_MODERATOR = 4
"""The site's moderators stand above the owner, and need not be members."""

_RANK_NEEDED = {
    Kind.JOINED: _STRANGER,
    Kind.LEFT: RANKS[MEMBER],
    Kind.REMOVED: RANKS[ADMIN],
    Kind.ROLE: RANKS[OWNER],
    Kind.RENAMED: RANKS[ADMIN],
    Kind.DESCRIBED: RANKS[ADMIN],
    Kind.PICTURED: RANKS[ADMIN],
    Kind.RULES: RANKS[ADMIN],
    Kind.DELETED: RANKS[OWNER],
    **dict.fromkeys(MODERATION, _MODERATOR),
}

_HELD_BY_FREEZING = frozenset({Kind.JOINED, Kind.RENAMED, Kind.DESCRIBED, Kind.PICTURED, Kind.RULES})
"""A frozen group neither grows nor says anything new; members may still go, or be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a change is judged by: ``roles`` of whoever is named in it, "" for those who are no members; ``may_join``
    are those named who may be members of it: they exist, and have not blocked who adds them. A group that was deleted
    does not exist, but its id is ``taken``.
    """

    taken: bool
    exists: bool
    frozen: bool
    member_count: int
    roles: Mapping[str, str]
    may_join: frozenset[str]
    invite_holds: bool

    def role(self, user_id: str) -> str:
        """Somebody's role, "" for whoever is no member."""
        return self.roles.get(user_id, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``refusal`` is an error code, or empty: then ``user_ids`` are those whom the change really concerns."""

    refusal: str
    user_ids: tuple[str, ...] = ()


def judge(
    kind: Kind, by: str, user_ids: Sequence[str], details: Mapping[str, object], standing: Standing, *, moderates: bool
) -> Verdict:
    """Whether a change may come into force. ``moderates``: who asks acts as a moderator of the site."""
    named = tuple(dict.fromkeys(user_ids))
    if kind is Kind.CREATED:
        return _judge_creation(by, named, standing)
    if not standing.exists:
        return Verdict(refusal="not_found")
    rank = _MODERATOR if moderates else RANKS[standing.role(by)]
    if refusal := _check_rank(kind, rank, standing):
        return Verdict(refusal=refusal)
    match kind:
        case Kind.JOINED:
            return _judge_joining(by, named, rank, standing)
        case Kind.LEFT:
            return _judge_leaving(by, standing)
        case Kind.REMOVED:
            return _judge_removal(by, named, rank, standing)
        case Kind.ROLE:
            return _judge_role(by, named, details.get("role"), standing)
        case _:
            return Verdict(refusal="")


def may_manage(role: str) -> bool:
    """Whether a member of this role looks after the group: who is in it, what it is called, how one gets in."""
    return RANKS[role] >= RANKS[ADMIN]


def may_write(role: str, *, only_admins_write: bool) -> bool:
    """Whether a member of this role may send messages."""
    return RANKS[role] >= (RANKS[ADMIN] if only_admins_write else RANKS[MEMBER])


def _check_rank(kind: Kind, rank: int, standing: Standing) -> str:
    if rank < _RANK_NEEDED[kind]:
        return "not_a_member" if rank == _STRANGER else "forbidden"
    if standing.frozen and kind in _HELD_BY_FREEZING and rank < _MODERATOR:
        return "frozen"
    return ""


def _judge_creation(by: str, named: tuple[str, ...], standing: Standing) -> Verdict:
    if standing.taken:
        return Verdict(refusal="conflict")
    if by not in standing.may_join:
        return Verdict(refusal="forbidden")
    members = tuple(one for one in named if one != by and one in standing.may_join)
    return Verdict(refusal="", user_ids=(by, *members))


def _judge_joining(by: str, named: tuple[str, ...], rank: int, standing: Standing) -> Verdict:
    if rank == _STRANGER:
        if named != (by,):
            return Verdict(refusal="not_a_member")
        if not standing.invite_holds:
            return Verdict(refusal="invite_invalid")
    elif named == (by,):
        return Verdict(refusal="conflict")
    elif rank < RANKS[ADMIN]:
        return Verdict(refusal="forbidden")
    new = tuple(one for one in named if not standing.role(one) and one in standing.may_join)
    if not new:
        return Verdict(refusal="conflict")
    if standing.member_count + len(new) > MAX_MEMBERS:
        return Verdict(refusal="group_full")
    return Verdict(refusal="", user_ids=new)


def _judge_leaving(by: str, standing: Standing) -> Verdict:
    role = standing.role(by)
    if not role:
        return Verdict(refusal="not_a_member")
    if role == OWNER and standing.member_count > 1:
        return Verdict(refusal="owner_must_hand_over")
    return Verdict(refusal="", user_ids=(by,))


def _judge_removal(by: str, named: tuple[str, ...], rank: int, standing: Standing) -> Verdict:
    members = tuple(one for one in named if standing.role(one))
    if not members:
        return Verdict(refusal="not_found")
    if any(one == by or RANKS[standing.role(one)] >= rank for one in members):
        return Verdict(refusal="forbidden")
    if any(standing.role(one) == OWNER for one in members) and standing.member_count > len(members):
        return Verdict(refusal="owner_must_hand_over")
    return Verdict(refusal="", user_ids=members)


def _judge_role(by: str, named: tuple[str, ...], role: object, standing: Standing) -> Verdict:
    if len(named) != 1 or not standing.role(named[0]):
        return Verdict(refusal="not_found")
    if named[0] == by or role not in ROLES:
        return Verdict(refusal="forbidden")
    if standing.role(named[0]) == role:
        return Verdict(refusal="conflict")
    if standing.role(named[0]) == OWNER:
        return Verdict(refusal="owner_must_hand_over")
    return Verdict(refusal="", user_ids=named)


def is_exempt(role: str) -> bool:
    """Whether slow mode is not for a member of this role."""
    return RANKS[role] >= RANKS[ADMIN]
