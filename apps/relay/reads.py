"""Read marks: pointers that only rise; the sender is told, if the reader lets others see it, and the reader's other
devices. Of a group that is polled only these are.
"""

from collections.abc import Mapping, Sequence

from apps.delivery.frames import build_read_receipt, to_change
from apps.groups.selectors import Spell, list_by_id, list_spells_of
from apps.inbox.inbox import Change
from apps.messagestore.base import MessageStore, Pointer, Standing
from apps.protocol.records import ConversationRead
from apps.relay.people import People


def settle_reads(
    store: MessageStore, records: Sequence[ConversationRead], named: Mapping[str, Standing], people: People
) -> list[Change]:
    """Raise the pointers. Returns the receipts that follow.

    Who reads must be the receiver of the message named, and who is told its sender; or a member of the group that it
    was sent to, at that time. A mark below the pointer says
    nothing: what was read above it may have been read in private.
    """
    highest: dict[tuple[str, str], tuple[Pointer, str]] = {}
    spells = _list_spells(records, named)
    polled = _list_polled(records, named)
    for record in records:
        standing = named.get(record.message_id)
        if standing is None or not _may_read(record, standing, spells):
            continue
        key = (standing.conversation_id, record.user_id)
        if key not in highest or highest[key][0].sequence < standing.sequence:
            pointer = Pointer(
                conversation_id=standing.conversation_id,
                reader_id=record.user_id,
                # A hundred thousand may read it: the pointer of each is theirs alone, and no inbox is told or rebuilt
                # from it but their own devices'.
                peer_id=record.user_id if standing.group_id in polled else standing.sender_id,
                message_id=standing.message_id,
                sequence=standing.sequence,
                read_at_ms=record.timestamp_ms,
            )
            highest[key] = (pointer, record.device_id)
    standing_pointers = store.raise_pointers([pointer for pointer, _ in highest.values()])
    return [
        change
        for pointer in standing_pointers
        if pointer.message_id == highest[pointer.conversation_id, pointer.reader_id][0].message_id
        for change in _tell_read(pointer, highest[pointer.conversation_id, pointer.reader_id][1], people)
    ]


def _list_spells(
    records: Sequence[ConversationRead], named: Mapping[str, Standing]
) -> Mapping[tuple[str, str], Sequence[Spell]]:
    standings = [(record, named[record.message_id]) for record in records if record.message_id in named]
    return list_spells_of({(one.group_id, record.user_id) for record, one in standings if one.group_id})


def _list_polled(records: Sequence[ConversationRead], named: Mapping[str, Standing]) -> set[str]:
    group_ids = {named[record.message_id].group_id for record in records if record.message_id in named}
    groups = list_by_id(sorted(group_ids - {""}))
    return {group.pk for group in groups.values() if group.is_polled}


def _may_read(record: ConversationRead, standing: Standing, spells: Mapping[tuple[str, str], Sequence[Spell]]) -> bool:
    if standing.group_id:
        members = spells.get((standing.group_id, record.user_id), ())
        return record.told == standing.group_id and any(one.covers(standing.sequence) for one in members)
    return (record.user_id, record.told) == (standing.receiver_id, standing.sender_id)


def _tell_read(pointer: Pointer, by_device: str, people: People) -> list[Change]:
    receipt = build_read_receipt(pointer)
    told = [(pointer.reader_id, device_id) for device_id in people.devices(pointer.reader_id) if device_id != by_device]
    by_sender = pointer.peer_id == pointer.reader_id
    if (
        not by_sender
        and people.shows_reads(pointer.reader_id)
        and not people.blocked(pointer.reader_id, pointer.peer_id)
    ):
        told += [(pointer.peer_id, device_id) for device_id in people.devices(pointer.peer_id)]
    return [to_change(user_id, device_id, receipt) for user_id, device_id in told]
