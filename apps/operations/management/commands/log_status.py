"""``manage.py log_status``: how the event log stands."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from apps.messagelog.base import LogStatus, PartitionStatus
from apps.messagelog.log import get_message_log
from apps.operations.operator_command import OperatorCommand


class Command(OperatorCommand):
    """Prints positions and lags of the log's consumer groups."""

    help = "Show the event log: each partition's positions, how far each consumer group is, who reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        """Print the status."""
        status = get_message_log().status()
        self.stdout.write(json.dumps(asdict(status)) if options["json"] else _to_text(status))


def _to_text(status: LogStatus) -> str:
    lines = [f"generation {status.generation}, {status.dead_letters} dead letters"]
    lines += [
        f"{group} is read by {reader}: {_list_partitions(partitions)}"
        for group, readers in sorted(status.readers.items())
        for reader, partitions in sorted(readers.items())
    ] or ["nobody reads"]
    lines += [_partition_line(partition) for partition in status.partitions]
    return "\n".join(lines)


def _partition_line(partition: PartitionStatus) -> str:
    groups = ", ".join(
        f"{group} at {position} ({partition.last - position} behind)"
        for group, position in sorted(partition.committed.items())
    )
    return f"partition {partition.partition:>2}: {partition.first} to {partition.last}; {groups or 'not read yet'}"


def _list_partitions(partitions: tuple[int, ...]) -> str:
    return f"partitions {', '.join(map(str, partitions))}" if partitions else "no partitions, it stands by"
