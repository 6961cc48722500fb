"""Confirmations: the row says who may confirm; the first device of the receiver makes ✓✓."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from apps.delivery.frames import build_outcome, to_change
from apps.inbox.inbox import Change
from apps.messagestore.base import Confirmation, MessageStore, Standing
from apps.observability.stages import note_stage
from apps.protocol.records import DeliveryConfirmed
from apps.relay.group_confirmations import GroupConfirmation, settle_group_confirmations
from apps.relay.people import People


def settle_confirmations(
    store: MessageStore,
    records: Sequence[DeliveryConfirmed],
    named: Mapping[str, Standing],
    people: People,
    now_ms: int,
) -> tuple[list[Change], dict[str, int]]:
    """Store what was confirmed. Returns the removals from inboxes and the ✓✓ for the senders' devices; and the groups
    of which something was confirmed, each with the lowest sequence of it.

    Unknown and foreign ids are ignored. A confirmation that was counted before says ✓✓ again: the first time may have
    been lost.
    """
    confirmations: list[Confirmation] = []
    of_groups: list[GroupConfirmation] = []
    changes: list[Change] = []
    for record in records:
        for message_id in record.message_ids:
            standing = named.get(message_id)
            if standing is not None and standing.group_id:
                of_groups.append(
                    GroupConfirmation(
                        group_id=standing.group_id,
                        user_id=record.user_id,
                        device_id=record.device_id,
                        sequence=standing.sequence,
                    )
                )
                changes.append(_remove(record, message_id))
                continue
            if standing is None or record.user_id not in (standing.receiver_id, standing.sender_id):
                continue
            by_receiver = record.user_id == standing.receiver_id
            waited_for = record.device_id in (standing.pending_devices if by_receiver else standing.own_devices)
            if waited_for or (by_receiver and standing.undelivered):
                confirmations.append(
                    Confirmation(
                        message_id=message_id,
                        user_id=record.user_id,
                        device_id=record.device_id,
                        by_receiver=by_receiver,
                        at_ms=now_ms,
                    )
                )
            changes.append(_remove(record, message_id))
            if by_receiver and not standing.refusal and (standing.undelivered or not waited_for):
                changes += _tell_delivered(standing, people, now_ms)
    store.confirm(confirmations)
    note_stage("confirmed", len(confirmations), (one.message_id for one in confirmations))
    return changes, settle_group_confirmations(store, of_groups) if of_groups else {}


def _remove(record: DeliveryConfirmed, message_id: str) -> Change:
    return Change(kind="remove", user_id=record.user_id, device_id=record.device_id, member=message_id)


def _tell_delivered(standing: Standing, people: People, now_ms: int) -> list[Change]:
    delivered = standing if standing.settled_at_ms is not None else replace(standing, settled_at_ms=now_ms)
    return [
        to_change(standing.sender_id, device_id, receipt)
        for device_id in people.devices(standing.sender_id)
        for receipt in build_outcome(delivered, device_id)
    ]
