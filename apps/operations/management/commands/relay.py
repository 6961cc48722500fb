"""``manage.py relay``: the log's reader."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.connections.bus import BusSender
from apps.delivery.deliver import deliver_changes
from apps.inbox.inbox import drop_epoch
from apps.messagelog.generation import set_up_log
from apps.messagelog.log import get_message_log, new_reader_id
from apps.messagestore.store import get_message_store
from apps.observability.process import name_process
from apps.operations.caches import UnsuitableCache, check_caches
from apps.operations.collector import calm_collector
from apps.operations.metrics_port import open_metrics_port
from apps.operations.termination import stop_on_signals
from apps.relay.delivery_lane import DeliveryLane
from apps.relay.group_hints import GroupHinter
from apps.relay.pipeline import RelayPipeline
from apps.relay.runner import RelayRunner


class Command(BaseCommand):
    """Relays from the log to the store, the inboxes and the gateways."""

    help = "Run one relay process: from the event log to the Message DB, the inboxes and the chat servers."

    def handle(self, *args: Any, **options: Any) -> None:
        """Relay until SIGTERM or SIGINT."""
        reader_id = new_reader_id()
        name_process(reader_id)
        try:
            check_caches()
        except UnsuitableCache as error:
            raise CommandError(str(error)) from None
        open_metrics_port()
        bus = BusSender()
        lane = DeliveryLane(
            deliver=lambda changes: deliver_changes(changes, bus),
            give_up=lambda change: drop_epoch(change.user_id, change.device_id),
        )
        runner = RelayRunner(
            log=get_message_log(),
            pipeline=RelayPipeline(get_message_store()),
            lane=lane,
            reader_id=reader_id,
            set_up_log=set_up_log,
            hinter=GroupHinter(bus),
        )
        stop_on_signals(runner.stop)
        calm_collector()
        runner.run()
