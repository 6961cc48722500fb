"""What the Kafka reader decides by itself, with the client and the cluster in their roles."""

from typing import Any
from unittest.mock import Mock

import pytest
from kafka import TopicPartition

from apps.messagelog.base import LogRecord, sequence_of
from apps.messagelog.kafka.log import _same_cluster
from apps.messagelog.kafka.reader import KafkaReader
from apps.messagelog.kafka.topics import LogTopic

TOPIC = LogTopic(name="c.log.2", generation=2, partitions=4, replication_factor=1, identity="kafka/c/2")
PARTITION = TopicPartition("c.log.2", 3)


def records(generation: int, *positions: int) -> list[LogRecord]:
    return [
        LogRecord(partition=3, position=one, sequence=sequence_of(generation, one), payload="x") for one in positions
    ]


@pytest.fixture
def reader() -> Any:
    """A reader that has joined generation 2 and has polled positions 1 to 3 of partition 3."""
    made = KafkaReader(Mock(), lambda: TOPIC, None)
    made._topic, made._consumer = TOPIC, Mock()
    made._consumer.assignment.return_value = {PARTITION}
    made._progress.note_polled(3, records(2, 1, 2, 3))
    return made


def test_a_batch_of_the_log_before_says_nothing_of_this_one(reader: Any) -> None:
    reader.commit(records(1, 1, 2, 3))
    assert reader._progress.unwritten() == {}
    reader.commit(records(2, 1, 2))
    assert reader._progress.unwritten() == {3: 2}


def test_a_partition_that_went_elsewhere_meanwhile_can_neither_be_paused_nor_resumed(reader: Any) -> None:
    reader._consumer.pause.side_effect = reader._consumer.resume.side_effect = KeyError(PARTITION)
    reader._consumer.paused.return_value = {PARTITION}
    reader._begin_rest()
    reader._end_rest()
    assert reader._consumer.pause.called
    assert reader._consumer.resume.called


def test_what_was_trimmed_is_not_unread_though_the_group_was_forgotten(reader: Any) -> None:
    reader._progress.forget_all()
    reader._consumer.end_offsets.return_value = {PARTITION: 1_000}
    reader._group.list_committed.return_value = {PARTITION: 0}
    reader._consumer.beginning_offsets.return_value = {PARTITION: 1_000}
    assert reader._list_unread({}) == {}
    reader._consumer.beginning_offsets.return_value = {PARTITION: 0}
    assert reader._list_unread({}) == {3: 0}


def test_topics_of_one_cluster_are_told_from_those_of_another() -> None:
    assert _same_cluster("kafka/a/1", "kafka/a/2")
    assert not _same_cluster("kafka/a/1", "kafka/b/1")
    assert not _same_cluster("", "kafka/a/1")
    assert not _same_cluster("restored", "kafka/a/1")
