"""Messages as the relay would have stored them, for tests of what can be asked about them."""

import time
from collections.abc import Sequence
from typing import Any

from apps.messagestore.base import Confirmation, NewMessage
from apps.messagestore.store import get_message_store
from apps.protocol.ids import conversation_id

NOW = int(time.time() * 1000)


def message_id(number: int) -> str:
    """The id of the message that was written with this number."""
    return f"msg-{number:016x}"


def write(
    sender: Any,
    receiver: Any,
    numbers: Sequence[int],
    *,
    keepers: Sequence[Any] = (),
    at_ms: int = NOW,
    refusal: str = "",
) -> None:
    """Store messages with these numbers as sequences; ``keepers`` keep them as history."""
    get_message_store().insert_absent(
        [
            NewMessage(
                message_id=message_id(number),
                sender_id=sender.user.pk,
                sender_device=sender.device.pk,
                client_id=f"i{number}",
                digest=str(number),
                receiver_id=receiver.user.pk,
                conversation_id=conversation_id(sender.user.pk, receiver.user.pk),
                sequence=number,
                content=None if refusal else f"text {number}",
                envelope=None,
                media=None,
                reply_to=None,
                timestamp_ms=at_ms + number,
                sent_at_ms=at_ms,
                pending_devices=() if refusal else (receiver.device.pk,),
                own_devices=(),
                history_for=tuple(keeper.user.pk for keeper in keepers),
                refusal=refusal,
            )
            for number in numbers
        ],
        at_ms,
    )


def write_to_group(
    sender: Any, group_id: str, numbers: Sequence[int], *, keepers: Sequence[str], at_ms: int = NOW
) -> None:
    """The same to a group; ``keepers`` are ids: of those who keep it, or of the group where it is polled."""
    get_message_store().insert_absent(
        [
            NewMessage(
                message_id=message_id(number),
                sender_id=sender.user.pk,
                sender_device=sender.device.pk,
                client_id=f"i{number}",
                digest=str(number),
                receiver_id="",
                group_id=group_id,
                conversation_id=group_id,
                sequence=number,
                content=f"text {number}",
                envelope=None,
                media=None,
                reply_to=None,
                timestamp_ms=at_ms + number,
                sent_at_ms=at_ms,
                pending_devices=(),
                own_devices=(),
                history_for=tuple(keepers),
                refusal="",
            )
            for number in numbers
        ],
        at_ms,
    )


def deliver(receiver: Any, numbers: Sequence[int]) -> None:
    """Let the receiver's device confirm them."""
    get_message_store().confirm(
        [
            Confirmation(
                message_id=message_id(number),
                user_id=receiver.user.pk,
                device_id=receiver.device.pk,
                by_receiver=True,
                at_ms=NOW,
            )
            for number in numbers
        ]
    )
