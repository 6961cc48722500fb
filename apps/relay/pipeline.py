"""One batch of the log takes effect in the store. It may be repeated with no further effect."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from apps.accounts.selectors import list_blocks, list_delivery_facts
from apps.inbox.inbox import Change
from apps.messagelog.base import LogRecord
from apps.messagestore.base import MessageStore
from apps.observability.metrics import RELAY_BATCH, STORE_SECONDS
from apps.protocol.records import (
    BrokenRecord,
    ConversationRead,
    DeliveryConfirmed,
    GroupChangeSubmitted,
    MessageRetried,
    MessageSubmitted,
    decode_record,
)
from apps.relay.confirmations import settle_confirmations
from apps.relay.group_records import GroupArrival, GroupHints, GroupRecord, load_facts, settle_group_records
from apps.relay.messages import Arrival, DirectArrival, settle_messages
from apps.relay.people import People
from apps.relay.questions import answer_questions
from apps.relay.reads import settle_reads


@dataclass(slots=True)
class DecodedBatch:
    """The records of a batch by kind, each with its sequence where that matters."""

    messages: list[tuple[int, MessageSubmitted]] = field(default_factory=list)
    confirmations: list[DeliveryConfirmed] = field(default_factory=list)
    reads: list[ConversationRead] = field(default_factory=list)
    questions: list[MessageRetried] = field(default_factory=list)
    of_groups: list[tuple[int, GroupRecord]] = field(default_factory=list)
    broken: list[tuple[LogRecord, str]] = field(default_factory=list)


def decode_batch(records: Iterable[LogRecord]) -> DecodedBatch:
    """Sort records by kind; those that are no records are set apart with the reason."""
    batch = DecodedBatch()
    latest: dict[int, int] = {}
    times: list[int] = []
    for record in records:
        try:
            decoded = decode_record(record.payload)
        except BrokenRecord as error:
            batch.broken.append((record, str(error)))
            continue
        match decoded:
            case GroupChangeSubmitted():
                batch.of_groups.append((record.sequence, decoded))
            case MessageSubmitted(group_id=str()):
                batch.of_groups.append((record.sequence, decoded))
            case MessageSubmitted():
                latest[record.partition] = max(decoded.timestamp_ms, latest.get(record.partition, 0))
                times.append(latest[record.partition])
                batch.messages.append((record.sequence, decoded))
            case DeliveryConfirmed():
                batch.confirmations.append(decoded)
            case ConversationRead():
                batch.reads.append(decoded)
            case MessageRetried():
                batch.questions.append(decoded)
    # Partitions are read one after the other; people get what came first first. Within a partition the order stands.
    batch.messages = [message for _, message in sorted(zip(times, batch.messages, strict=True), key=itemgetter(0))]
    return batch


@dataclass(slots=True, kw_only=True)
class Stored:
    """What a stored batch still asks for: changes to inboxes, work for groups, and records for the dead letters, each
    with the reason.
    """

    changes: list[Change] = field(default_factory=list)
    broken: list[tuple[LogRecord, str]] = field(default_factory=list)
    hints: GroupHints = field(default_factory=GroupHints)

    def add(self, other: "Stored") -> None:
        """Take in what another one asks for, after it."""
        self.changes.extend(other.changes)
        self.broken.extend(other.broken)
        self.hints.update(other.hints)


class RelayPipeline:
    """Stores batches. Its methods raise StoreUnavailable or a database error: then nothing may be committed, and the
    batch
    is stored again.
    """

    def __init__(self, store: MessageStore) -> None:
        self._store = store

    @STORE_SECONDS.time()
    def store_batch(self, records: Sequence[LogRecord]) -> Stored:
        """Let a batch take effect in the store, durably. Nothing may be committed before its changes are delivered."""
        batch = decode_batch(records)
        now_ms = int(time.time() * 1000)
        stored = Stored(broken=batch.broken)
        with self._store.batch():
            # What a batch confirms was stored by an earlier one, save in a replay after the store was lost: hence
            # messages first.
            named = self._store.list_standings(_named_ids(batch))
            people = _load_people(batch, [user for one in named.values() for user in (one.sender_id, one.receiver_id)])
            arrivals = [DirectArrival(sequence=one, record=record, people=people) for one, record in batch.messages]
            stored.changes += settle_messages(self._store, arrivals, people, now_ms)[0]
            if batch.of_groups:
                changes, hints = settle_group_records(self._store, batch.of_groups, _load_senders, now_ms)
                stored.changes += changes
                stored.hints.update(hints)
            missing = [one for one in _named_ids(batch) if one not in named]
            if missing and (batch.messages or batch.of_groups):
                named |= self._store.list_standings(missing)
            changes, lowest = settle_confirmations(self._store, batch.confirmations, named, people, now_ms)
            stored.changes += changes
            stored.hints.update(GroupHints(to_count=lowest))
            stored.changes += settle_reads(self._store, batch.reads, named, people)
            changes, hints = answer_questions(self._store, batch.questions, named)
            stored.changes += changes
            stored.hints.update(hints)
        RELAY_BATCH.observe(len(records))
        return stored

    def withdraw(self, record: LogRecord) -> Stored:
        """Give up a message whose record cannot be stored: its sender gets a late ``failed``."""
        batch = decode_batch([record])
        now_ms = int(time.time() * 1000)
        with self._store.batch():
            people = _load_people(batch, ())
            arrivals: list[Arrival] = [
                DirectArrival(sequence=one, record=record, people=people, withdrawn="failed")
                for one, record in batch.messages
            ]
            sent = [(one, record) for one, record in batch.of_groups if isinstance(record, MessageSubmitted)]
            people = people if not sent else _load_senders([record.sender_id for _, record in sent])
            facts = load_facts([record for _, record in sent])
            arrivals += [
                GroupArrival(sequence=one, record=record, people=people, facts=facts, withdrawn="failed")
                for one, record in sent
            ]
            return Stored(changes=settle_messages(self._store, arrivals, people, now_ms)[0])


def _named_ids(batch: DecodedBatch) -> list[str]:
    """Ids of the messages that receipts and questions are about."""
    found = [message_id for one in batch.confirmations for message_id in one.message_ids]
    found += [one.message_id for one in batch.reads]
    found += [one.message_id for one in batch.questions]
    return found


def _load_senders(user_ids: Sequence[str]) -> People:
    return People(facts=list_delivery_facts(user_ids), blocks=set())


def _load_people(batch: DecodedBatch, others: Iterable[str]) -> People:
    """Facts of everybody in the batch, fresh from the database: the gateway's were only remembered."""
    parties = {user for _, one in batch.messages for user in (one.sender_id, one.receiver_id) if user is not None}
    parties |= {user for one in batch.reads for user in (one.user_id, one.told)}
    everybody = parties | set(others)
    return People(
        facts=list_delivery_facts(list(everybody)) if everybody else {},
        blocks=list_blocks(list(parties)) if parties else set(),
    )
