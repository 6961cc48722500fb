"""Two people with devices, a real store and cache, and a bus that remembers what it was given."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from apps.protocol.records import MessageSubmitted, Record, encode_record
from apps.valkey.sync_keyspace import SyncKeyspace, sync_keyspace

if TYPE_CHECKING:
    from tests.unit.group_world import Circle


@dataclass
class RememberingBus:
    """Stands in the place of BusSender: pushes and pages are kept."""

    pushes: list[Any] = field(default_factory=list)
    pages: list[Any] = field(default_factory=list)

    def push(self, pushes: Sequence[Any]) -> None:
        self.pushes += pushes

    def send_pages(self, pages: Sequence[Any]) -> None:
        self.pages += pages

    def frames(self, device_id: str) -> list[dict[str, Any]]:
        """Frames pushed to a device, parsed, and forgotten."""
        found = [json.loads(push.frame) for push in self.pushes if push.device_id == device_id and push.frame]
        self.pushes = [push for push in self.pushes if push.device_id != device_id]
        return found


@pytest.fixture(params=["server", pytest.param("cluster", marks=pytest.mark.production)])
def inbox_valkey(request: pytest.FixtureRequest, cache_valkey: str, settings: Any) -> SyncKeyspace:
    """Where inboxes, registry and admission are: an empty server, and an empty cluster of three."""
    if request.param == "cluster":
        cluster = request.getfixturevalue("valkey_cluster")
        cluster.flush()
        settings.INBOX_REDIS_URL = cluster.url
    return sync_keyspace(settings.INBOX_REDIS_URL)


@pytest.fixture
def bus() -> RememberingBus:
    return RememberingBus()


class World:
    """Ada with two devices and Bob with two, all connected, and the relay's pipeline between them."""

    def __init__(self, bus: RememberingBus) -> None:
        from apps.accounts.services import log_in_device, register_user
        from apps.messagestore.orm import OrmMessageStore
        from apps.relay.pipeline import RelayPipeline

        self.bus = bus
        self.store = OrmMessageStore()
        self.pipeline = RelayPipeline(self.store)
        self.ada = register_user("ada", "correct horse battery").pk
        self.bob = register_user("bob", "correct horse battery").pk
        self.ada1, self.ada2 = (log_in_device(self.user(self.ada), name)[0].pk for name in ("phone", "laptop"))
        self.bob1, self.bob2 = (log_in_device(self.user(self.bob), name)[0].pk for name in ("phone", "laptop"))
        for user_id, device_id in self.devices():
            self.connect(user_id, device_id)

    def devices(self) -> list[tuple[str, str]]:
        return [(self.ada, self.ada1), (self.ada, self.ada2), (self.bob, self.bob1), (self.bob, self.bob2)]

    @staticmethod
    def user(user_id: str) -> Any:
        from apps.accounts.models import User

        return User.objects.get(pk=user_id)

    @staticmethod
    def connect(user_id: str, device_id: str) -> None:
        """Give the device a usable inbox and a place in the registry."""
        from django.conf import settings

        from apps.delivery.rebuild import rebuild_inbox

        rebuild_inbox(user_id, device_id)
        sync_keyspace(settings.INBOX_REDIS_URL).execute("HSET", f"connections:{{{user_id}}}", device_id, "gw-1 5 1")

    def message(self, number: int = 1, **changes: Any) -> MessageSubmitted:
        fields: dict[str, Any] = {
            "message_id": f"msg-{number:016x}",
            "sender_id": self.ada,
            "sender_device": self.ada1,
            "client_id": f"i{number}",
            "digest": f"digest-{number}",
            "receiver_id": self.bob,
            "group_id": None,
            "content": f"hello {number}",
            "envelope": None,
            "media": None,
            "reply_to": None,
            "timestamp_ms": 1_764_000_000_000 + number,
            "sent_at_ms": 5,
        }
        return MessageSubmitted(**(fields | changes))

    def relay(self, *records: Record | str, first_position: int = 1) -> list[tuple[Any, str]]:
        """Let records take effect as one batch; returns the broken ones."""
        from apps.delivery.deliver import deliver_changes
        from apps.messagelog.base import LogRecord, sequence_of

        stored = self.pipeline.store_batch(
            [
                LogRecord(
                    partition=0,
                    position=position,
                    sequence=sequence_of(1, position),
                    payload=record if isinstance(record, str) else encode_record(record).decode(),
                )
                for position, record in enumerate(records, first_position)
            ]
        )
        deliver_changes(stored.changes, self.bus)  # type: ignore[arg-type]
        return stored.broken

    def confirm(self, user_id: str, device_id: str, *numbers: int, first_position: int = 100) -> None:
        from apps.protocol.records import DeliveryConfirmed

        record = DeliveryConfirmed(
            user_id=user_id,
            device_id=device_id,
            message_ids=tuple(f"msg-{number:016x}" for number in numbers),
            timestamp_ms=7,
        )
        self.relay(record, first_position=first_position)

    @staticmethod
    def waiting(user_id: str, device_id: str) -> tuple[int, int]:
        from apps.inbox.inbox import count_waiting

        return count_waiting(user_id, device_id)


@pytest.fixture
def world(transactional_db: None, cache_valkey: str, bus: RememberingBus) -> World:
    return World(bus)


@pytest.fixture
def circle(world: World) -> "Circle":
    """Return a group of Ada, Bob and Cyd."""
    from tests.unit.group_world import Circle

    return Circle(world)
