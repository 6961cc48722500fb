"""Partitions that go to another reader: finished and written down first, but not waited for without end."""

import asyncio
from collections.abc import Iterable

import pytest
from kafka import TopicPartition
from kafka.errors import CommitFailedError

from apps.messagelog.base import LogRecord
from apps.messagelog.kafka import rebalance
from apps.messagelog.kafka.progress import Progress
from apps.messagelog.kafka.rebalance import HandOver


def record(partition: int, position: int) -> LogRecord:
    return LogRecord(partition=partition, position=position, sequence=position, payload="")


class Consumer:
    """The little of the client that a hand-over uses: its loop's sleep, and pausing."""

    def __init__(self) -> None:
        self._net = self
        self.paused: list[TopicPartition] = []
        self.slept = 0
        self.on_sleep = lambda: None

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.on_sleep()
        await asyncio.sleep(0)

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused += partitions


class Scene:
    """Two partitions with one record polled of each, and what was written down."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.written: list[dict[int, int]] = []
        self.refusal: Exception | None = None
        self.consumer = Consumer()
        self.hand_over = HandOver(self.progress, self.write)
        self.hand_over.consumer = self.consumer
        for partition in (0, 1):
            self.progress.note_polled(partition, [record(partition, 1)])

    async def write(self, positions: dict[int, int]) -> None:
        self.written.append(positions)
        if self.refusal is not None:
            raise self.refusal

    def revoke(self, partitions: Iterable[int]) -> None:
        asyncio.run(self.hand_over.on_partitions_revoked({TopicPartition("log", one) for one in partitions}))


def test_what_is_under_way_is_finished_and_written_before_the_partition_goes() -> None:
    scene = Scene()
    scene.consumer.on_sleep = lambda: scene.progress.note_done([record(0, 1)])
    scene.revoke([0])
    assert (scene.written, scene.consumer.slept) == ([{0: 1}], 1)
    assert scene.progress.is_new(0)
    assert not scene.progress.is_new(1), "the other one stays"


def test_a_hand_over_takes_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebalance, "HAND_OVER_SECONDS", 0.05)
    scene = Scene()
    scene.revoke([0])
    assert scene.written == []
    assert scene.progress.is_new(0)


def test_nobody_waits_for_a_reader_that_rests() -> None:
    scene = Scene()
    scene.hand_over.resting = True
    scene.revoke([0, 1])
    assert (scene.written, scene.consumer.slept) == ([], 0)


def test_a_refused_position_does_not_hold_the_partition_back() -> None:
    scene = Scene()
    scene.progress.note_done([record(0, 1)])
    scene.refusal = CommitFailedError()
    scene.revoke([0])
    assert scene.progress.is_new(0)


def test_of_lost_partitions_nothing_is_written() -> None:
    scene = Scene()
    scene.progress.note_done([record(0, 1)])
    asyncio.run(scene.hand_over.on_partitions_lost({TopicPartition("log", 0)}))
    assert (scene.written, scene.progress.unwritten()) == ([], {})


def test_partitions_that_come_while_it_rests_are_paused() -> None:
    scene = Scene()
    asyncio.run(scene.hand_over.on_partitions_assigned({TopicPartition("log", 5)}))
    assert scene.consumer.paused == []
    scene.hand_over.resting = True
    asyncio.run(scene.hand_over.on_partitions_assigned({TopicPartition("log", 6)}))
    assert scene.consumer.paused == [TopicPartition("log", 6)]
