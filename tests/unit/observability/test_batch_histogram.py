"""A batch observed at once counts as its values do one by one."""

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from apps.observability.batch_histogram import BatchHistogram

BUCKETS = (0.1, 0.5, 1.0)


@pytest.mark.parametrize("values", [[], [0.05], [0.1, 0.1000001, 0.5, 0.7, 1.0, 50.0], [0.0, 0.0]])
def test_a_batch_counts_as_its_values_one_by_one(values: list[float]) -> None:
    at_once, one_by_one = CollectorRegistry(), CollectorRegistry()
    BatchHistogram("seconds", "d", registry=at_once, buckets=BUCKETS).observe_batch(values)
    plain = Histogram("seconds", "d", registry=one_by_one, buckets=BUCKETS)
    for value in values:
        plain.observe(value)
    assert _samples(at_once) == _samples(one_by_one)
    assert f"seconds_count {float(len(values))}" in generate_latest(at_once).decode()


def _samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): pytest.approx(sample.value)
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }
