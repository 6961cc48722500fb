"""What the chat server must know of a group, and of a member of it, before it takes a message to the group.

They stand in Valkey under ``facts:{…}`` as account facts do: of a group by its id, of a membership by "group:user".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from django.conf import settings
from django.db.models import Q

from apps.accounts.facts import FACTS_KEY, FACTS_TTL_SECONDS, FACTS_TTL_SECONDS_MISSING
from apps.connections.control import publish_facts_changed
from apps.groups.models import Group, Member
from apps.valkey.sync_keyspace import sync_keyspace

_MAX_ROUNDS = 5

CHUNK = 300
"""Memberships of one query: SQLite takes no condition of a thousand parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """``exists`` is False for a deleted one, too."""

    exists: bool
    frozen: bool = False
    only_admins_write: bool = False
    slow_mode_seconds: int = 0
    is_polled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """``role`` is "" for somebody who is no member; ``from_sequence`` is where the membership began."""

    role: str
    from_sequence: int = 0

    @property
    def exists(self) -> bool:
        """Whether this is a member."""
        return bool(self.role)


Facts = GroupFacts | MemberFacts


def member_key(group_id: str, user_id: str) -> str:
    """How a membership is named among facts."""
    return f"{group_id}:{user_id}"


def encode_facts(facts: Facts) -> str:
    """Facts as the text that stands in Valkey."""
    match facts:
        case GroupFacts():
            fields = [
                "g",
                facts.exists,
                facts.frozen,
                facts.only_admins_write,
                facts.slow_mode_seconds,
                facts.is_polled,
            ]
        case MemberFacts():
            fields = ["m", facts.role, facts.from_sequence]
    return orjson.dumps(fields).decode()


def decode_facts(text: str) -> Facts:
    """The facts that ``encode_facts`` wrote. Raises ValueError for anything else."""
    match orjson.loads(text):
        case ["g", exists, frozen, only_admins_write, slow_mode_seconds, is_polled]:
            return GroupFacts(
                exists=exists,
                frozen=frozen,
                only_admins_write=only_admins_write,
                slow_mode_seconds=slow_mode_seconds,
                is_polled=is_polled,
            )
        case ["m", role, from_sequence]:
            return MemberFacts(role=role, from_sequence=from_sequence)
        case _:
            raise ValueError("expected the facts of a group or a member")


def load_facts(names: Sequence[str]) -> dict[str, Facts]:
    """Facts of groups and memberships, by name, from the database; what is not there gets facts too."""
    pairs = {name: name.split(":") for name in names if ":" in name}
    group_ids = [name for name in names if name not in pairs]
    facts: dict[str, Facts] = {name: GroupFacts(exists=False) for name in group_ids}
    facts |= {name: MemberFacts(role="") for name in pairs}
    for group in Group.objects.filter(pk__in=group_ids, deleted_at=None) if group_ids else ():
        facts[group.pk] = GroupFacts(
            exists=True,
            frozen=group.frozen,
            only_admins_write=group.only_admins_write,
            slow_mode_seconds=group.slow_mode_seconds,
            is_polled=group.is_polled,
        )
    ordered = list(pairs.values())
    for start in range(0, len(ordered), CHUNK):
        named = Q()
        for group_id, user_id in ordered[start : start + CHUNK]:
            named |= Q(group_id=group_id, user_id=user_id)
        for member in Member.objects.filter(named, to_sequence=None):
            name = member_key(member.group_id, member.user_id)
            facts[name] = MemberFacts(role=member.role, from_sequence=member.from_sequence)
    return facts


def store_facts(names: Sequence[str]) -> None:
    """Write these facts from the database into Valkey and tell every gateway. Raises ValkeyError.

    Two writers may cross, so what was written is compared with the database again until it is still true.
    """
    pending: Sequence[str] = list(names)
    written: dict[str, Facts] = {}
    for _ in range(_MAX_ROUNDS):
        facts = load_facts(pending)
        pending = [name for name in pending if written.get(name) != facts[name]]
        if not pending:
            break
        _set_facts({name: facts[name] for name in pending})
        written |= facts
    publish_facts_changed(names)


def cache_facts(names: Sequence[str]) -> dict[str, Facts]:
    """Load facts after a miss and keep them in Valkey where nobody wrote newer ones meanwhile. Raises ValkeyError."""
    facts = load_facts(names)
    _set_facts(facts, only_absent=True)
    return facts


def _set_facts(facts: Mapping[str, Facts], *, only_absent: bool = False) -> None:
    condition = ("NX",) if only_absent else ()
    sync_keyspace(settings.INBOX_REDIS_URL).execute_all(
        [
            ("SET", FACTS_KEY.format(user_id=name), encode_facts(each), "EX", _ttl_seconds(each), *condition)
            for name, each in facts.items()
        ]
    )


def _ttl_seconds(facts: Facts) -> int:
    return FACTS_TTL_SECONDS if facts.exists else FACTS_TTL_SECONDS_MISSING
