"""``manage.py relay``: the log's reader."""

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from apps.connections.bus import BusSender
from apps.messagelog.generation import set_up_log
from apps.messagelog.log import get_message_log
from apps.messagestore.store import get_message_store
from apps.relay.pipeline import RelayPipeline
from apps.relay.runner import RelayRunner, new_reader_id


class Command(BaseCommand):
    """Relays from the log to the store, the inboxes and the gateways."""

    help = "Run one relay process: from the event log to the Message DB, the inboxes and the chat servers."

    def handle(self, *args: Any, **options: Any) -> None:
        """Relay until SIGTERM or SIGINT."""
        pipeline = RelayPipeline(get_message_store(), BusSender())
        runner = RelayRunner(get_message_log(), pipeline, new_reader_id(), set_up_log)

        def stop(signum: int, frame: FrameType | None) -> None:
            runner.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        runner.run()
