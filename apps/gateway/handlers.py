"""One handler for each client frame. None waits: whatever takes time is handed on."""

import time
from typing import TYPE_CHECKING

from apps.gateway.close_codes import CloseReason
from apps.gateway.pace import IDS_PER_FRAME
from apps.observability.metrics import ERRORS
from apps.protocol import server_frames
from apps.protocol.client_frames import ConfirmDelivery, Heartbeat, MarkRead, OpenChat, SendMessage, Typing
from apps.protocol.codec import decode_client_frame
from apps.protocol.errors import MALFORMED, FrameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from apps.gateway.connection import Connection
    from apps.gateway.process import GatewayProcess


def handle_frame(process: "GatewayProcess", connection: "Connection", text: str) -> float:
    """Parse one text frame and hand it on; a broken one is answered with an error, the 20th in a minute closes.

    Returns how many frames it counts as.
    """
    process.silence.answered(connection)
    try:
        frame = decode_client_frame(text)
    except FrameError as error:
        ERRORS[error.code].inc()
        connection.send(server_frames.error(error))
        if error.code in MALFORMED and connection.count_broken_frame():
            connection.close(CloseReason.TOO_MANY_BROKEN_FRAMES)
        return 1
    _HANDLERS[type(frame)](process, connection, frame)
    return 1 + len(frame.message_ids) / IDS_PER_FRAME if isinstance(frame, ConfirmDelivery) else 1


def _send_message(process: "GatewayProcess", connection: "Connection", frame: SendMessage) -> None:
    process.batcher.submit_message(connection, frame)


def _confirm_delivery(process: "GatewayProcess", connection: "Connection", frame: ConfirmDelivery) -> None:
    connection.note_confirmed(frame.message_ids)
    if not process.batcher.submit_confirmation(connection, frame.message_ids):
        # The log has been down for long: the next connection drains these again and its client confirms again.
        connection.close(CloseReason.RESTARTING)


def _mark_read(process: "GatewayProcess", connection: "Connection", frame: MarkRead) -> None:
    process.batcher.submit_read(connection, frame)


def _heartbeat(process: "GatewayProcess", connection: "Connection", frame: Heartbeat) -> None:
    # Before the answer is queued: by that one the queue would never be found empty.
    connection.note_heartbeat()
    connection.send(server_frames.heartbeat(int(time.time() * 1000)))
    process.silence.heartbeat(connection)
    process.heartbeats.beat(connection)


def _typing(process: "GatewayProcess", connection: "Connection", frame: Typing) -> None:
    process.typing.tell(connection, frame)


def _open_chat(process: "GatewayProcess", connection: "Connection", frame: OpenChat) -> None:
    process.presence.open_chat(connection, frame)
    process.open_groups.open_chat(connection, frame)


_HANDLERS: "dict[type, Callable[[GatewayProcess, Connection, Any], None]]" = {
    SendMessage: _send_message,
    ConfirmDelivery: _confirm_delivery,
    MarkRead: _mark_read,
    Heartbeat: _heartbeat,
    Typing: _typing,
    OpenChat: _open_chat,
}
