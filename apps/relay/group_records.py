"""Records of groups, in the log's order: a message after a change of its group is judged by what is then in force."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from apps.delivery.frames import build_group_event, build_polled, to_change
from apps.groups.changes import Outcome, carry_out, list_later_spells
from apps.groups.kinds import Kind
from apps.groups.models import Group
from apps.groups.polled_messages import PolledMessage
from apps.groups.rules import may_write
from apps.groups.selectors import Spell, list_by_id, list_keepers, list_roles, list_spells_of
from apps.inbox.inbox import Change
from apps.messagestore.base import UNDELIVERED_KEPT_MS, MessageStore, NewMessage, Standing
from apps.messagestore.groups import GroupEvent
from apps.protocol.errors import ErrorCode
from apps.protocol.ids import is_user_id
from apps.protocol.limits import HISTORY_KEPT_MS
from apps.protocol.records import GroupChangeSubmitted, MessageSubmitted
from apps.relay.messages import fields_of, settle_messages
from apps.relay.people import People

EVENT_KEPT_MS = 30 * 86_400_000
"""How long an event is told to devices that come back, where the cache has forgotten what it held for them."""

ENDINGS = frozenset({Kind.LEFT, Kind.REMOVED, Kind.DELETED})

GroupRecord = MessageSubmitted | GroupChangeSubmitted


@dataclass(slots=True)
class GroupHints:
    """Groups for which there is work after the batch: rows to fan out, and messages that somebody has confirmed."""

    to_fan_out: set[str] = field(default_factory=set)
    to_count: dict[str, int] = field(default_factory=dict)
    """Group → the lowest sequence that was confirmed; 0: anything of it may have changed."""

    to_tell: dict[str, set[str]] = field(default_factory=dict)
    """Group → messages whose senders are to be told the count again, though it has not grown."""

    polled: list[PolledMessage] = field(default_factory=list)
    """What was stored of groups that members poll."""

    changed: dict[str, int] = field(default_factory=dict)
    """Those of them that have another version, with it."""

    def update(self, other: "GroupHints") -> None:
        """Add what another one has."""
        self.to_fan_out |= other.to_fan_out
        for group_id, sequence in other.to_count.items():
            self.ask_to_count(group_id, sequence)
        for group_id, message_ids in other.to_tell.items():
            self.to_tell[group_id] = self.to_tell.get(group_id, set()) | message_ids
        self.polled += other.polled
        self.changed |= other.changed

    def ask_to_count(self, group_id: str, sequence: int) -> None:
        """A message of this sequence was confirmed."""
        self.to_count[group_id] = min(sequence, self.to_count.get(group_id, sequence))

    def ask_to_tell(self, standing: Standing) -> None:
        """The sender may have forgotten how many have this message."""
        if standing.group_id and not standing.refusal and standing.delivered_count:
            self.to_tell.setdefault(standing.group_id, set()).add(standing.message_id)
            self.ask_to_count(standing.group_id, standing.sequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """What messages to groups are judged by, as it is now. A replay judges by what came later, but for memberships."""

    groups: Mapping[str, Group]
    spells: Mapping[tuple[str, str], Sequence[Spell]]
    roles: Mapping[tuple[str, str], str]
    keepers: Mapping[str, tuple[str, ...]]
    later: Mapping[str, Sequence[Spell]] = field(default_factory=dict)
    """Memberships that begin or end after one of the messages: only where that was in force before the message was
    stored, as after a relay that was cut off in between.
    """

    def count_members(self, group: Group, sequence: int) -> int:
        """How many members a group had at this place in the log."""
        later = self.later.get(group.pk, ())
        left = sum(spell.to_sequence is not None and spell.covers(sequence) for spell in later)
        came = sum(spell.to_sequence is None and spell.from_sequence >= sequence for spell in later)
        return group.member_count + left - came

    def list_keepers(self, group_id: str, sequence: int) -> tuple[str, ...]:
        """Members now who keep history, without whoever came later."""
        later = self.later.get(group_id, ())
        came = {spell.user_id for spell in later if spell.from_sequence >= sequence}
        came -= {spell.user_id for spell in later if spell.covers(sequence)}
        return tuple(one for one in self.keepers.get(group_id, ()) if one not in came)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupArrival:
    """A message from a member to a group."""

    sequence: int
    record: MessageSubmitted
    people: People
    facts: GroupFacts
    withdrawn: str = ""

    @property
    def group_id(self) -> str:
        """Whom it is for."""
        return self.record.group_id or ""

    @property
    def refusal(self) -> str:
        """See Arrival."""
        pair = (self.group_id, self.record.sender_id)
        group = self.facts.groups.get(self.group_id)
        if self.withdrawn:
            return self.withdrawn
        if group is None or not any(spell.covers(self.sequence) for spell in self.facts.spells.get(pair, ())):
            return ErrorCode.NOT_A_MEMBER
        sender = self.people.facts.get(self.record.sender_id)
        if sender is None or not sender.active or group.frozen:
            return ErrorCode.FORBIDDEN
        # Whoever has left since, before a replay, had a role then.
        role = self.facts.roles.get(pair)
        if role is not None and not may_write(role, only_admins_write=group.only_admins_write):
            return ErrorCode.FORBIDDEN
        return ""

    def to_row(self, refusal: str) -> NewMessage:
        """See Arrival."""
        group = self.facts.groups.get(self.group_id)
        polled = group is not None and group.is_polled
        keepers = (self.group_id,) if polled else self.facts.list_keepers(self.group_id, self.sequence)
        return NewMessage(
            **fields_of(self.record, self.sequence, refusal),
            receiver_id="",
            group_id=self.group_id,
            conversation_id=self.group_id,
            pending_devices=(),
            own_devices=(),
            history_for=() if refusal else keepers,
            members=max(0, self.facts.count_members(group, self.sequence) - 1) if group is not None else 0,
            tracked=not polled,
            polled=polled,
            kept_ms=HISTORY_KEPT_MS if polled else UNDELIVERED_KEPT_MS,
        )


def settle_group_records(
    store: MessageStore,
    records: Sequence[tuple[int, GroupRecord]],
    load_people: Callable[[Sequence[str]], People],
    now_ms: int,
) -> tuple[list[Change], GroupHints]:
    """Let (sequence, record) pairs take effect, each group's in their order. Returns the inbox changes that follow, and
    what is to be done for whom.
    """
    waiting: dict[str, deque[tuple[int, GroupRecord]]] = defaultdict(deque)
    for sequence, record in records:
        waiting[record.group_id or ""].append((sequence, record))
    changes: list[Change] = []
    hints = GroupHints()
    while waiting:
        # All messages up to each group's next change together, then those changes: as few calls as the order allows.
        messages = [pair for queue in waiting.values() for pair in _take_messages(queue)]
        changes += _settle_messages(store, messages, load_people, hints, now_ms)
        for group_id in list(waiting):
            queue = waiting[group_id]
            if not queue:
                del waiting[group_id]
                continue
            sequence, record = queue.popleft()
            if isinstance(record, GroupChangeSubmitted):
                changes += _settle_change(store, sequence, record, load_people, hints, now_ms)
    return changes, hints


def _take_messages(queue: deque[tuple[int, GroupRecord]]) -> list[tuple[int, MessageSubmitted]]:
    taken: list[tuple[int, MessageSubmitted]] = []
    while queue and isinstance(record := queue[0][1], MessageSubmitted):
        taken.append((queue.popleft()[0], record))
    return taken


def _settle_messages(
    store: MessageStore,
    messages: Sequence[tuple[int, MessageSubmitted]],
    load_people: Callable[[Sequence[str]], People],
    hints: GroupHints,
    now_ms: int,
) -> list[Change]:
    if not messages:
        return []
    people = load_people(list({record.sender_id for _, record in messages}))
    facts = load_facts([record for _, record in messages])
    facts = replace(facts, later=_list_later(messages, facts))
    arrivals = [
        GroupArrival(sequence=sequence, record=record, people=people, facts=facts) for sequence, record in messages
    ]
    changes, repeated = settle_messages(store, arrivals, people, now_ms)
    for known in repeated:
        hints.ask_to_tell(known)
    pushed: dict[str, int] = {}
    standings = store.list_standings([arrival.record.message_id for arrival in arrivals])
    for arrival in arrivals:
        group = facts.groups.get(arrival.group_id)
        standing = standings.get(arrival.record.message_id)
        if group is None or standing is None or standing.refusal or standing.sequence != arrival.sequence:
            continue
        if group.is_polled:
            hints.polled.append(build_polled(arrival.to_row("")))
        else:
            pushed[arrival.group_id] = max(arrival.sequence, pushed.get(arrival.group_id, 0))
    _note_to_fan_out(store, pushed, hints)
    return changes


def load_facts(records: Sequence[MessageSubmitted]) -> GroupFacts:
    """What these messages are judged by."""
    pairs = {(record.group_id or "", record.sender_id) for record in records}
    groups = list_by_id(sorted({group_id for group_id, _ in pairs}))
    pushed = [group.pk for group in groups.values() if not group.is_polled]
    return GroupFacts(
        groups=groups, spells=list_spells_of(pairs), roles=list_roles(pairs), keepers=list_keepers(pushed)
    )


def _list_later(messages: Sequence[tuple[int, MessageSubmitted]], facts: GroupFacts) -> dict[str, list[Spell]]:
    first: dict[str, int] = {}
    for sequence, record in messages:
        group = facts.groups.get(record.group_id or "")
        if group is not None and not group.is_polled:
            first[group.pk] = min(sequence, first.get(group.pk, sequence))
    return list_later_spells(first)


def _settle_change(
    store: MessageStore,
    sequence: int,
    record: GroupChangeSubmitted,
    load_people: Callable[[Sequence[str]], People],
    hints: GroupHints,
    now_ms: int,
) -> list[Change]:
    """First the users' database, then the row: nobody is told of what is not in force."""
    outcome = carry_out(record, sequence)
    if outcome.refusal:
        return []
    event = _to_event(record, sequence, outcome)
    store.insert_absent([_to_row(record, event, polled=not outcome.pushed)], now_ms)
    if record.kind in ENDINGS:
        # Whoever is gone holds up nothing any more.
        hints.ask_to_count(record.group_id, 0)
    group = list_by_id([record.group_id]).get(record.group_id)
    if group is not None and (group.is_polled or not outcome.pushed):
        hints.changed[record.group_id] = outcome.version
    if not outcome.pushed:
        return _tell_concerned(event, load_people)
    _note_to_fan_out(store, {record.group_id: sequence}, hints)
    return []


def _tell_concerned(event: GroupEvent, load_people: Callable[[Sequence[str]], People]) -> list[Change]:
    """An event of a group that is polled, for whoever brought it about and whom it concerned: the other members find
    what has changed when they look.
    """
    named = [one for one in dict.fromkeys((event.facts["by"], *event.facts["user_ids"])) if is_user_id(one)]
    people, told = load_people(named), build_group_event(event)
    return [to_change(user_id, device_id, told) for user_id in named for device_id in people.devices(user_id)]


def _note_to_fan_out(store: MessageStore, upto: Mapping[str, int], hints: GroupHints) -> None:
    if upto:
        store.groups.raise_stored(upto)
        hints.to_fan_out.update(upto)


def _to_event(record: GroupChangeSubmitted, sequence: int, outcome: Outcome) -> GroupEvent:
    return GroupEvent(
        event_id=record.event_id,
        group_id=record.group_id,
        sequence=sequence,
        timestamp_ms=record.timestamp_ms,
        facts={
            "kind": record.kind,
            "by": record.by,
            "user_ids": list(outcome.user_ids),
            # The number of an invite is nobody's business.
            "details": {name: value for name, value in record.details.items() if name != "invite"},
            "version": outcome.version,
        },
    )


def _to_row(record: GroupChangeSubmitted, event: GroupEvent, *, polled: bool) -> NewMessage:
    return NewMessage(
        message_id=event.event_id,
        sender_id=record.by if len(record.by) <= 16 else "",
        sender_device="",
        client_id=event.event_id,
        digest="",
        receiver_id="",
        group_id=event.group_id,
        conversation_id=event.group_id,
        sequence=event.sequence,
        content=None,
        envelope=dict(event.facts),
        media=None,
        reply_to=None,
        timestamp_ms=event.timestamp_ms,
        sent_at_ms=event.timestamp_ms,
        pending_devices=(),
        own_devices=(),
        history_for=(),
        refusal="",
        tracked=False,
        polled=polled,
        kept_ms=EVENT_KEPT_MS,
    )
