"""Draining inboxes: one window for each of many connections, read, filled with bodies and sent to their gateways."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.connections.bus import BusSender, Page
from apps.delivery.frames import build_incoming
from apps.delivery.rebuild import RebuildBusy, rebuild_inbox
from apps.inbox.inbox import Change, RebuildLockLost, Window, WindowRequest, apply_changes, read_windows
from apps.messagestore.base import Body
from apps.messagestore.groups import GroupPointer
from apps.messagestore.store import get_message_store
from apps.observability.metrics import DRAINED_FRAMES

logger = logging.getLogger(__name__)

WINDOW = 250
"""Entries of one page at most."""

PAGE_BYTES = 256 * 1024
"""Frames of one page together, about; one frame alone may be larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRequest:
    """A connection asks for what its inbox holds after a counter of an epoch; ``generation`` marks its present
    drain.
    """

    server_id: str
    user_id: str
    device_id: str
    connection_id: int
    generation: int
    epoch: str
    after: int


def drain(requests: Sequence[DrainRequest], bus: BusSender) -> int:
    """Send each connection its next page. Returns the frames sent.

    An inbox without a current epoch is rebuilt first; where that cannot be done now the connection asks again by
    itself. Raises ValkeyError and StoreUnavailable.
    """
    windows = _read_usable_windows(requests)
    message_ids = [entry.member for _, window in windows for entry in window.entries if entry.kind == "message"]
    bodies = get_message_store().list_bodies(message_ids) if message_ids else {}
    confirmed = _load_group_pointers(windows, bodies)
    pages: list[Page] = []
    stale: list[Change] = []
    for request, window in windows:
        page, without_body = _build_page(request, window, bodies, confirmed)
        pages.append(page)
        stale += without_body
    bus.send_pages(pages)
    apply_changes(stale)
    frames = sum(len(page.frames) for page in pages)
    DRAINED_FRAMES.inc(frames)
    return frames


def _read_usable_windows(requests: Sequence[DrainRequest]) -> list[tuple[DrainRequest, Window]]:
    windows = read_windows([_to_window_request(request) for request in requests], WINDOW)
    usable: list[tuple[DrainRequest, Window]] = []
    for request, window in zip(requests, windows, strict=True):
        if not window.epoch:
            try:
                rebuild_inbox(request.user_id, request.device_id)
            except (RebuildBusy, RebuildLockLost) as error:
                logger.info("drain of %s waits: %s", request.device_id, error)
                continue
            (window,) = read_windows([_to_window_request(request)], WINDOW)
        if window.epoch:
            usable.append((request, window))
    return usable


def _to_window_request(request: DrainRequest) -> WindowRequest:
    return WindowRequest(user_id=request.user_id, device_id=request.device_id, epoch=request.epoch, after=request.after)


def _load_group_pointers(
    windows: Sequence[tuple[DrainRequest, Window]], bodies: Mapping[str, Body]
) -> dict[tuple[str, str, str], GroupPointer]:
    """What these devices have confirmed of the groups whose messages wait for them, by (group, user, device)."""
    group_ids = sorted({body.group_id for body in bodies.values() if body.group_id})
    if not group_ids:
        return {}
    user_ids = sorted({request.user_id for request, _ in windows})
    return {one.key: one for one in get_message_store().groups.list_pointers(group_ids, user_ids)}


def _is_waited_for(request: DrainRequest, body: Body, confirmed: Mapping[tuple[str, str, str], GroupPointer]) -> bool:
    if not body.group_id:
        return request.device_id in body.waited_for
    pointer = confirmed.get((body.group_id, request.user_id, request.device_id))
    return pointer is None or not pointer.covers(body.sequence)


def _build_page(
    request: DrainRequest,
    window: Window,
    bodies: Mapping[str, Body],
    confirmed: Mapping[tuple[str, str, str], GroupPointer],
) -> tuple[Page, list[Change]]:
    """The page, and removals of entries that nobody can deliver any more."""
    frames: list[str] = []
    stale: list[Change] = []
    size, upto, last = 0, window.upto, window.last
    for entry in window.entries:
        frame = entry.frame
        if entry.kind == "message":
            body = bodies.get(entry.member)
            if body is None or not _is_waited_for(request, body, confirmed):
                stale.append(
                    Change(kind="remove", user_id=request.user_id, device_id=request.device_id, member=entry.member)
                )
                continue
            frame = build_incoming(body, for_sender=body.sender_id == request.user_id)
        if not frame:
            continue
        if frames and size + len(frame) > PAGE_BYTES:
            upto, last = entry.counter - 1, False
            break
        frames.append(frame)
        size += len(frame)
    page = Page(
        server_id=request.server_id,
        device_id=request.device_id,
        connection_id=request.connection_id,
        generation=request.generation,
        epoch=window.epoch,
        after=window.after,
        upto=upto,
        last=last,
        frames=tuple(frames),
    )
    return page, stale


def to_request(fields: Sequence[Any]) -> DrainRequest:
    """A request as it comes through Celery: the fields of DrainRequest in their order."""
    server_id, user_id, device_id, connection_id, generation, epoch, after = fields
    return DrainRequest(
        server_id=server_id,
        user_id=user_id,
        device_id=device_id,
        connection_id=connection_id,
        generation=generation,
        epoch=epoch,
        after=after,
    )
