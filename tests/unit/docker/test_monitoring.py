"""The dashboard and the alert rules ask for metrics, labels and values that exist."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from ruamel.yaml import YAML

from apps.messagelog.base import LogStatus, PartitionStatus
from apps.observability import metrics
from apps.operations.health import CHECKS
from apps.operations.site_metrics import measure_parts, measure_status
from tests.client.site import PROJECT
from tests.servers.compose import DOCKER, read_compose

YAML_READER = YAML(typ="safe")
DASHBOARD = json.loads((DOCKER / "grafana" / "dashboard.json").read_text())
PROMETHEUS = YAML_READER.load(DOCKER / "prometheus" / "prometheus.yml")
RULES = [rule for group in YAML_READER.load(DOCKER / "prometheus" / "alerts.yml")["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
JOBS = {job["job_name"] for job in PROMETHEUS["scrape_configs"]}
# Prometheus gives every sample these, and makes "up" itself.
TARGET_LABELS = {"job", "instance"}
NAME = re.compile(r"\b(?:chatsite|process)_\w+|\bup\b")
SELECTOR = re.compile(r"(\b(?:chatsite|process)_\w+|\bup\b)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


def families() -> Iterable[Metric]:
    """Everything that a gateway, a relay or a worker shows."""
    yield from metrics.registry.collect()
    yield from ProcessCollector(registry=CollectorRegistry()).collect()
    yield measure_parts(dict.fromkeys(CHECKS, True))
    partition = PartitionStatus(partition=0, first=1, last=2, committed={"relay": 1})
    yield from measure_status(LogStatus(generation=1, partitions=(partition,), readers={}, dead_letters=0))


def declared_labels() -> Mapping[str, set[str]]:
    """The labels of each metric, also of those that have no value yet."""
    return {
        name: set(collector._labelnames)  # type: ignore[attr-defined]
        for collector, names in metrics.registry._collector_to_names.items()
        for name in names
    }


def samples() -> Mapping[str, Mapping[str, set[str]]]:
    """The values of each label of each sample that exists from the start."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for family in families():
        for sample in family.samples:
            found[sample.name].update()
            for label, value in sample.labels.items():
                found[sample.name][label].add(value)
    return found


DECLARED = declared_labels()
SAMPLES = samples()
each_expression = pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in expressions()])


def labels_of(name: str) -> set[str]:
    known = set(SAMPLES.get(name, {})) | DECLARED.get(name, set()) | TARGET_LABELS
    return known | ({"le"} if name.endswith("_bucket") else set())


@each_expression
def test_every_metric_asked_for_exists(expression: str) -> None:
    names = set(NAME.findall(expression)) - {"up"}
    assert names <= set(SAMPLES) | set(DECLARED)


@each_expression
def test_every_label_and_value_selected_exists(expression: str) -> None:
    for name, selector in SELECTOR.findall(expression):
        for label, operator, value in MATCHER.findall(selector):
            assert label in labels_of(name)
            known = JOBS if label == "job" else SAMPLES.get(name, {}).get(label, set())
            values = set(value.split("|")) if operator == "=~" else {value}
            assert not known or values <= known


@each_expression
def test_every_label_grouped_by_exists(expression: str) -> None:
    known = set().union(*(labels_of(name) for name in NAME.findall(expression)))
    for labels in GROUPING.findall(expression):
        assert {label.strip() for label in labels.split(",") if label.strip()} <= known


@each_expression
def test_counters_are_asked_for_their_rise_and_brackets_close(expression: str) -> None:
    for name in NAME.findall(expression):
        if name.endswith(("_total", "_bucket", "_sum")):
            assert re.search(rf"\b(?:rate|increase)\({name}(?:\{{[^}}]*\}})?\[", expression), name
    assert all(expression.count(opening) == expression.count(closing) for opening, closing in ("()", "{}", "[]"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description"}


def test_alerts_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_takes_the_source_that_was_chosen_and_fits_the_page(panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24


def test_panels_have_ids_of_their_own_and_no_two_lie_on_one_another() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells = [
        (column, line)
        for panel in DASHBOARD["panels"]
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for line in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)


def test_prometheus_asks_the_containers_that_there_are() -> None:
    needed = dict.fromkeys(("CHAT_DOMAIN", "SECRET_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD"), "x")
    services = read_compose("compose.yml", needed)
    for job in PROMETHEUS["scrape_configs"]:
        targets = [target for config in job.get("static_configs", []) for target in config["targets"]]
        targets += [f"{name}:{config['port']}" for config in job.get("dns_sd_configs", []) for name in config["names"]]
        for host, port in (target.split(":") for target in targets):
            assert services[host].environment["METRICS_PORT"] == port or job["job_name"] == "gateway"
            # A gateway answers only to names that are its own.
            assert job["job_name"] != "gateway" or host in services[host].environment["ALLOWED_HOSTS"].split(",")


def test_the_metrics_that_need_a_look_are_on_the_dashboard() -> None:
    shown = {name for panel in PANELS for target in panel["targets"] for name in NAME.findall(target["expr"])}
    families_shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown}
    of_the_site = {collector._name for collector in metrics.registry._collector_to_names}  # type: ignore[attr-defined]
    assert of_the_site <= families_shown


def test_the_folder_of_rules_is_the_one_that_is_mounted() -> None:
    assert "./prometheus:/etc/prometheus:ro" in (PROJECT / "docker" / "compose.yml").read_text()
    assert PROMETHEUS["rule_files"] == ["alerts.yml"]
