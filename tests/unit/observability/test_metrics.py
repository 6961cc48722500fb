"""Every metric is explained in the documentation, and everything explained there exists."""

import re
from pathlib import Path

from prometheus_client import Metric

from apps.messagelog.base import LogStatus, PartitionStatus
from apps.observability.metrics import registry
from apps.operations.site_metrics import measure_parts, measure_status

PROJECT = Path(__file__).resolve().parents[3]
DOCUMENTATION = PROJECT / "docs" / "operations.md"
DOCKER = PROJECT / "docker"
NAME = re.compile(r"\bchatsite_[a-z_]+")
ROW = re.compile(r"^\| `(?P<name>chatsite_\w+)(?:\{(?P<labels>[\w,]+)\})?` \| (?P<type>\w+) \|", re.MULTILINE)
NO_IDS = {"user", "user_id", "device", "device_id", "message_id", "server_id", "conversation_id", "address"}


def measured() -> list[Metric]:
    status = LogStatus(
        generation=1,
        partitions=(PartitionStatus(partition=0, first=1, last=9, committed={"relay": 4}),),
        readers={},
        dead_letters=3,
    )
    return [measure_parts({"cache": True}), *measure_status(status)]


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    rows = ROW.finditer(DOCUMENTATION.read_text())
    return {row["name"]: (row["type"], frozenset(filter(None, (row["labels"] or "").split(",")))) for row in rows}


def existing() -> dict[str, tuple[str, frozenset[str]]]:
    counted = {
        metric._name + ("_total" if metric._type == "counter" else ""): (metric._type, frozenset(metric._labelnames))
        for metric in registry._collector_to_names
    }
    at_scrape = {metric.name: (metric.type, frozenset(metric.samples[0].labels)) for metric in measured()}
    return counted | at_scrape


def test_the_documentation_lists_exactly_the_metrics_that_exist() -> None:
    assert documented() == existing()


def test_dashboards_and_alerts_ask_for_metrics_that_exist() -> None:
    parts = {f"{name}{part}" for name in existing() for part in ("", "_bucket", "_sum", "_count")}
    files = [path for path in DOCKER.rglob("*") if path.suffix in (".json", ".yml", ".yaml")]
    asked = {name for path in files for name in NAME.findall(path.read_text())}
    assert asked <= parts


def test_no_label_names_anybody() -> None:
    assert not NO_IDS & {label for _, labels in existing().values() for label in labels}


def test_the_lag_is_summed_over_partitions_and_its_worst_one_stands_alone() -> None:
    status = LogStatus(
        generation=1,
        partitions=(
            PartitionStatus(partition=0, first=1, last=9, committed={"relay": 4, "spam": 9}),
            PartitionStatus(partition=1, first=1, last=20, committed={"relay": 0}),
            # The end was read before the position: a reader may seem to be ahead.
            PartitionStatus(partition=2, first=1, last=5, committed={"relay": 6}),
        ),
        readers={},
        dead_letters=3,
    )
    values = {
        (metric.name, *sample.labels.values()): sample.value
        for metric in measure_status(status)
        for sample in metric.samples
    }
    assert values == {
        ("chatsite_log_lag_records", "relay"): 25,
        ("chatsite_log_lag_records", "spam"): 25,
        ("chatsite_log_lag_max_records", "relay"): 20,
        ("chatsite_log_lag_max_records", "spam"): 20,
        ("chatsite_dead_letters_kept",): 3,
    }
