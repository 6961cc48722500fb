"""A poll sees a rebalance through, so that the client cannot forget its result."""

import pytest
from kafka import ConsumerGroupMetadata, TopicPartition
from kafka.structs import MemberState

from apps.messagelog.kafka import consumer as consumer_module
from apps.messagelog.kafka.consumer import LONGEST_WAIT_MS, poll_through

PARTITION = TopicPartition("log", 0)


class Consumer:
    """Gives the next records at each poll; the group is in the next state after each."""

    def __init__(self, *states: str, found: list[object] | None = None) -> None:
        self._states = list(states)
        self._found = found or []
        self._coordinator = self
        self.waits: list[float] = []
        self.told = 0

    def group_metadata(self) -> ConsumerGroupMetadata:
        return ConsumerGroupMetadata(state=self._states[0])

    def request_rejoin(self) -> None:
        self.told += 1

    def poll(self, wait_ms: float, max_records: int) -> dict[TopicPartition, list[object]]:
        self.waits.append(wait_ms)
        if len(self._states) > 1:
            self._states.pop(0)
        return {PARTITION: self._found[:max_records]} if self._found else {}


def test_in_a_stable_group_a_poll_is_a_poll() -> None:
    consumer = Consumer(MemberState.STABLE, MemberState.STABLE)
    assert poll_through(consumer, 70, 10) == {}
    assert (consumer.waits, consumer.told) == ([70], 0)


def test_no_poll_waits_longer_than_the_reader_may_be_silent_for() -> None:
    consumer = Consumer(MemberState.STABLE)
    poll_through(consumer, 60_000, 10)
    assert consumer.waits == [LONGEST_WAIT_MS]


def test_a_rebalance_that_began_before_or_in_a_poll_is_seen_through_and_called_to_mind() -> None:
    consumer = Consumer(MemberState.STABLE, MemberState.REBALANCING, MemberState.REBALANCING, MemberState.STABLE)
    poll_through(consumer, 0, 10)
    assert (consumer.waits, consumer.told) == ([0, LONGEST_WAIT_MS, LONGEST_WAIT_MS], 2)


def test_a_rebalance_without_end_is_given_back_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "REBALANCE_SECONDS", -1.0)
    consumer = Consumer(MemberState.REBALANCING)
    assert poll_through(consumer, 0, 10) == {}
    assert consumer.told == 1


def test_records_are_given_at_once_and_no_more_than_asked_for() -> None:
    consumer = Consumer(MemberState.STABLE, MemberState.REBALANCING, found=["a", "b", "c"])
    assert poll_through(consumer, 0, 2) == {PARTITION: ["a", "b"]}
