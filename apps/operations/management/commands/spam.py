"""``manage.py spam``: the log's reader that looks for spammers."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.messagelog.log import get_message_log, new_reader_id
from apps.observability.process import name_process
from apps.operations.collector import calm_collector
from apps.operations.metrics_port import open_metrics_port
from apps.operations.termination import stop_on_signals
from apps.spam.runner import SpamScorer


class Command(BaseCommand):
    """Scores senders by whom they write to, never by what."""

    help = (
        "Run the spam scorer: it reads the event log beside the relay, and limits who writes to many who never answer."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Score until SIGTERM or SIGINT."""
        reader_id = new_reader_id()
        name_process(reader_id)
        open_metrics_port()
        scorer = SpamScorer(get_message_log(), reader_id)
        stop_on_signals(scorer.stop)
        calm_collector()
        scorer.run()
