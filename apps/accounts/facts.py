"""Account facts: what the chat server must know of an account before it takes a message to it.

They stand in Valkey under ``facts:{user_id}``, written by the services on commit and by readers on a miss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from django.conf import settings

from apps.accounts.models import Block, Reputation, User
from apps.connections.control import publish_facts_changed
from apps.valkey.sync_keyspace import sync_keyspace

FACTS_KEY = "facts:{{{user_id}}}"
"""STRING, JSON of AccountFacts; the braces are a cluster's hash tag."""

FACTS_TTL_SECONDS = 3_600
FACTS_TTL_SECONDS_MISSING = 60
"""An id that does not exist yet may be registered at any moment."""

_MAX_ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """``blocks`` holds the ids of those whom this user has blocked; ``messages_per_minute`` is the limit of one who is
    taken for a spammer, None for everybody else.
    """

    exists: bool
    suspended: bool
    blocks: frozenset[str]
    messages_per_minute: int | None = None


NO_ACCOUNT = AccountFacts(exists=False, suspended=False, blocks=frozenset())


def encode_facts(facts: AccountFacts) -> str:
    """Facts as the text that stands in Valkey."""
    return orjson.dumps([facts.exists, facts.suspended, sorted(facts.blocks), facts.messages_per_minute]).decode()


def decode_facts(text: str) -> AccountFacts:
    """The facts that ``encode_facts`` wrote. Raises ValueError for anything else."""
    exists, suspended, blocks, messages_per_minute = orjson.loads(text)
    return AccountFacts(
        exists=exists, suspended=suspended, blocks=frozenset(blocks), messages_per_minute=messages_per_minute
    )


def load_facts(user_ids: Sequence[str]) -> dict[str, AccountFacts]:
    """Facts of each id from the database, in three queries; an unknown id gets ``exists=False``."""
    active = dict(User.objects.filter(pk__in=user_ids).values_list("id", "is_active"))
    blocks: dict[str, list[str]] = {}
    for owner_id, person_id in Block.objects.filter(owner__in=active).values_list("owner_id", "person_id"):
        blocks.setdefault(owner_id, []).append(person_id)
    limited = Reputation.objects.limited().filter(user__in=active)
    limits = dict(limited.values_list("user_id", "messages_per_minute"))
    known = {
        user_id: AccountFacts(
            exists=True,
            suspended=not is_active,
            blocks=frozenset(blocks.get(user_id, ())),
            messages_per_minute=limits.get(user_id),
        )
        for user_id, is_active in active.items()
    }
    return {user_id: known.get(user_id, NO_ACCOUNT) for user_id in user_ids}


def store_facts(user_ids: Sequence[str]) -> None:
    """Write the facts of these users from the database into Valkey and tell every gateway. Raises ValkeyError.

    Two writers may cross, so what was written is compared with the database again until it is still true.
    """
    pending: Sequence[str] = list(user_ids)
    written: dict[str, AccountFacts] = {}
    for _ in range(_MAX_ROUNDS):
        facts = load_facts(pending)
        pending = [user_id for user_id in pending if written.get(user_id) != facts[user_id]]
        if not pending:
            break
        _set_facts({user_id: facts[user_id] for user_id in pending})
        written |= facts
    publish_facts_changed(user_ids)


def cache_facts(user_ids: Sequence[str]) -> dict[str, AccountFacts]:
    """Load facts after a miss and keep them in Valkey where nobody wrote newer ones meanwhile. Raises ValkeyError."""
    facts = load_facts(user_ids)
    _set_facts(facts, only_absent=True)
    return facts


def _set_facts(facts: Mapping[str, AccountFacts], *, only_absent: bool = False) -> None:
    condition = ("NX",) if only_absent else ()
    sync_keyspace(settings.INBOX_REDIS_URL).execute_all(
        [
            ("SET", FACTS_KEY.format(user_id=user_id), encode_facts(each), "EX", _ttl_seconds(each), *condition)
            for user_id, each in facts.items()
        ]
    )


def _ttl_seconds(facts: AccountFacts) -> int:
    return FACTS_TTL_SECONDS if facts.exists else FACTS_TTL_SECONDS_MISSING
