"""All that the site holds of one person: counted, and written into an archive."""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from apps.accounts.models import Block, Contact, Device, User
from apps.accounts.selectors import get_settings
from apps.messagestore.personal_data import HeldMessage
from apps.messagestore.store import get_message_store
from apps.moderation.personal_data import count_held, describe_conduct, list_reports
from apps.operations.group_data import count_memberships, list_memberships
from apps.operations.progress import Advance

PAGE = 500

README = """What the site holds of you.

profile.json        your account and settings
devices.json        where you are logged in
contacts.json       your contact list; blocks.json whom you have blocked
groups.json         the groups that you are or were in, as what, from when to when, and until when you muted them
reports.json        what you have reported to the moderators
conduct.json        what moderators and the spam scorer decided about you, and that you were reported; by whom and in
                    which words stays with those who did
messages.jsonl      one message a line that you sent or received, and what you sent to groups, as far as the server
                    still has it; "content" is there where you wrote it, keep a history of it, or have not received
                    it yet
read_pointers.jsonl how far you have read each conversation
Times are milliseconds since 1970-01-01 UTC, or ISO 8601. The log of the last {hours} h may hold what was sent then.
"""


def count_data(user: User) -> dict[str, int]:
    """How much there is of each kind."""
    held = get_message_store().personal_data
    return {
        "devices": Device.objects.filter(user=user).count(),
        "contacts": Contact.objects.filter(owner=user).count(),
        "blocks": Block.objects.filter(owner=user).count(),
        "memberships": count_memberships(user.pk),
        "messages": held.count_messages(user.pk),
        "read_pointers": len(held.list_read_pointers(user.pk)),
        **count_held(user.pk),
    }


def write_archive(user: User, path: Path, advance: Advance) -> dict[str, int]:
    """Write everything held of a user into a zip; returns how much of each kind.

    ``advance`` is told of each message. Nothing is left behind where it fails or is interrupted: half an archive would
    look like a whole one. Raises FileExistsError rather than write over a file, OSError, StoreUnavailable.
    """
    with _complete_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        return _fill_archive(archive, user, advance)


@contextmanager
def _complete_file(path: Path) -> Iterator[IO[bytes]]:
    """A new file that has its name, and its bytes on the disk, once it is complete; until then another name beside."""
    if path.exists():
        raise FileExistsError(path)
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).rename(path)
    except BaseException:  # Ctrl-C too
        Path(unfinished).unlink(missing_ok=True)
        raise


def _fill_archive(archive: zipfile.ZipFile, user: User, advance: Advance) -> dict[str, int]:
    archive.writestr("README.txt", README.format(hours=settings.LOG_RETENTION_HOURS))
    archive.writestr("profile.json", _to_json(_profile(user)))
    devices, contacts, blocks = _devices(user), _people(user.contacts.all()), _people(user.blocks.all())
    archive.writestr("devices.json", _to_json(devices))
    archive.writestr("contacts.json", _to_json(contacts))
    archive.writestr("blocks.json", _to_json(blocks))
    memberships = list_memberships(user.pk)
    archive.writestr("groups.json", _to_json(memberships))
    archive.writestr("reports.json", _to_json(list_reports(user.pk)))
    archive.writestr("conduct.json", _to_json(describe_conduct(user)))
    messages = _write_messages(archive, user.pk, advance)
    pointers = get_message_store().personal_data.list_read_pointers(user.pk)
    lines = [
        _to_line(
            {
                "conversation_id": one.conversation_id,
                "peer_id": one.peer_id,
                "message_id": one.message_id,
                "read_at": one.read_at_ms,
            }
        )
        for one in pointers
    ]
    archive.writestr("read_pointers.jsonl", "".join(lines))
    return {
        "devices": len(devices),
        "contacts": len(contacts),
        "blocks": len(blocks),
        "memberships": len(memberships),
        "messages": messages,
        "read_pointers": len(pointers),
        **count_held(user.pk),
    }


def _profile(user: User) -> dict[str, Any]:
    chosen = get_settings(user.pk)
    return {
        "user_id": user.pk,
        "username": user.username,
        "display_name": user.display_name,
        "avatar_color": user.avatar_color,
        "active": user.is_active,
        "joined_at": user.date_joined.isoformat(),
        "last_login": user.last_login.isoformat() if user.last_login else None,
        "history_days": chosen.history_days,
        "show_last_seen": chosen.show_last_seen,
        "read_receipts": chosen.read_receipts,
    }


def _devices(user: User) -> list[dict[str, Any]]:
    return [
        {
            "device_id": device.pk,
            "name": device.name,
            "kind": device.kind,
            "created_at": device.created_at.isoformat(),
            "last_seen_at": device.last_seen_at.isoformat(),
        }
        for device in user.devices.order_by("created_at")
    ]


def _people(rows: Any) -> list[dict[str, Any]]:
    return [
        {"user_id": row.person_id, "username": row.person.username, "created_at": row.created_at.isoformat()}
        for row in rows.select_related("person").order_by("pk")
    ]


def _iterate_messages(user_id: str) -> Iterator[HeldMessage]:
    after = ""
    while page := get_message_store().personal_data.list_messages(user_id, after, PAGE):
        yield from page
        after = page[-1].trace.standing.message_id


def _write_messages(archive: zipfile.ZipFile, user_id: str, advance: Advance) -> int:
    count = 0
    with archive.open("messages.jsonl", "w") as file:
        for message in _iterate_messages(user_id):
            file.write(_to_line(_message(message, user_id)).encode())
            count += 1
            advance(1)
    return count


def _message(held: HeldMessage, user_id: str) -> dict[str, Any]:
    standing, trace = held.trace.standing, held.trace
    fields: dict[str, Any] = {
        "message_id": standing.message_id,
        "sender_id": standing.sender_id,
        "receiver_id": standing.receiver_id or None,
        "group_id": standing.group_id or None,
        "sequence": standing.sequence,
        "timestamp": standing.timestamp_ms,
        "delivered_at": standing.settled_at_ms if standing.delivered else None,
        "refused": standing.refusal or None,
        "content_deleted_at": trace.stripped_at_ms,
    }
    if held.body is not None and held.is_for(user_id):
        body = held.body
        fields |= {"content": body.content, "envelope": body.envelope, "media": body.media, "reply_to": body.reply_to}
    return fields


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _to_line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
