"""The log on Kafka: any number of gateways append, any number of relays share its partitions."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial

from django.conf import settings
from kafka import TopicPartition
from kafka.admin import OffsetSpec

from apps.messagelog.base import (
    DeadLetter,
    Entry,
    KnownLog,
    LogNotSetUp,
    LogRecord,
    LogStatus,
    LogUnavailable,
    PartitionStatus,
)
from apps.messagelog.kafka.admin import Admin
from apps.messagelog.kafka.appender import KafkaAppender, KafkaWriter, OpenLog
from apps.messagelog.kafka.dead_letters import DeadLetters
from apps.messagelog.kafka.group import ReaderGroup, list_members
from apps.messagelog.kafka.producer import KafkaBatchProducer
from apps.messagelog.kafka.reader import KafkaReader
from apps.messagelog.kafka.topics import LogTopic, TopicPlan, Topics
from apps.messagelog.kafka.trimmer import Trimmer
from apps.messagelog.kafka_address import parse_kafka_url

logger = logging.getLogger(__name__)

TRIMMING_GROUP = "relay"
TOPIC_REMEMBERED_SECONDS = 10.0


class KafkaMessageLog:
    """MessageLog on the cluster of ``settings.EVENT_LOG_URL``. Threads may share it."""

    def __init__(self) -> None:
        self._address = parse_kafka_url(settings.EVENT_LOG_URL)
        self._plan = TopicPlan(
            partitions=settings.LOG_PARTITIONS,
            replication_factor=settings.LOG_REPLICATION_FACTOR,
            min_insync_replicas=settings.LOG_MIN_INSYNC_REPLICAS,
        )
        self._admin = Admin(self._address)
        self._topics = Topics(self._address, self._admin)
        self._dead_letters = DeadLetters(self._address, self._topics.dead_letters, self._admin)
        self._remembered: tuple[float, LogTopic] | None = None
        self._writer = KafkaWriter(self._open)
        self._writing = threading.Lock()

    def appender(self) -> KafkaAppender:
        """See MessageLog."""
        return KafkaAppender(self._open)

    def append(self, entries: Sequence[Entry]) -> list[int]:
        """See MessageLog."""
        with self._writing:
            return self._writer.append(entries)

    def reader(self, group: str, reader_id: str) -> KafkaReader:
        """See MessageLog."""
        members = ReaderGroup(self._address, self._admin, group, reader_id)
        # Other groups may be ahead of the relay: only its own readers trim.
        trims = group == TRIMMING_GROUP
        make_trimmer = partial(Trimmer, self._admin, settings.LOG_RETENTION_HOURS * 3_600_000) if trims else None
        return KafkaReader(members, self._topics.find_log, make_trimmer)

    def close(self) -> None:
        """Let go of the connections of this object itself, not of its readers and appenders."""
        self._admin.close()
        self._dead_letters.close()
        with self._writing:
            self._writer.disconnect()

    def _open(self) -> OpenLog:
        topic = self._find_topic()
        producer = KafkaBatchProducer(self._address, topic.name)
        partitions = producer.count_partitions()
        if partitions != self._plan.partitions:
            producer.close()
            raise LogUnavailable(
                f"{topic.name} has {partitions} partitions, LOG_PARTITIONS says {self._plan.partitions}"
            )
        return OpenLog(producer=producer, generation=topic.generation, partitions=partitions)

    def _find_topic(self) -> LogTopic:
        topic = self._topics.find_log()
        if topic is None:
            raise LogNotSetUp("the log is not set up: run manage.py setup_log")
        self._remembered = time.monotonic(), topic
        return topic

    def _recall_topic(self) -> LogTopic:
        """The topic as it was a moment ago: health checks ask often, and a cluster may have many topics."""
        if self._remembered is not None and time.monotonic() - self._remembered[0] < TOPIC_REMEMBERED_SECONDS:
            return self._remembered[1]
        return self._find_topic()

    # -- dead letters ---------------------------------------------------------------------------------------------

    def bury(self, record: LogRecord, reason: str) -> None:
        """See MessageLog."""
        self._dead_letters.add(record, reason)

    def list_dead_letters(self, limit: int) -> list[DeadLetter]:
        """See MessageLog."""
        return self._dead_letters.list_newest(limit)

    # -- set-up ---------------------------------------------------------------------------------------------------

    def set_up(self, known: KnownLog) -> KnownLog:
        """See MessageLog."""
        topic = self._topics.find_log()
        if topic is None:
            if known.identity.startswith("kafka/"):
                self._topics.check_missing(known.generation)
            topic = self._topics.create_log(known.generation + 1, self._plan)
        elif known.generation == 0 and self._has_records(topic):
            raise ValueError(
                f"the Kafka topic {topic.name} has records that this site's database knows nothing of: if it is another"
                " site's, give this one a prefix of its own, EVENT_LOG_URL=kafka://host:9092/prefix; else delete it"
            )
        elif topic.generation > known.generation and _same_cluster(known.identity, topic.identity):
            # Made by a set-up that did not live to write it down; it may be in use.
            logger.warning("the log's topic %s is newer than the generation that was known", topic.name)
        elif known.generation > topic.generation or known.identity not in ("", topic.identity):
            # Another log than the one that is known: its positions may be given out a second time.
            if known.generation > topic.generation and known.identity.startswith("kafka/"):
                self._topics.check_missing(known.generation)
            topic = self._topics.create_log(max(known.generation, topic.generation) + 1, self._plan)
        self._topics.check_log(topic, self._plan)
        self._topics.create_dead_letters(self._plan)
        self._remembered = None
        return KnownLog(generation=topic.generation, identity=topic.identity)

    def _has_records(self, topic: LogTopic) -> bool:
        return any(self._list_offsets(topic, OffsetSpec.LATEST).values())

    # -- status and replay ----------------------------------------------------------------------------------------

    def status(self) -> LogStatus:
        """See MessageLog."""
        topic = self._recall_topic()
        first, end = self._list_offsets(topic, OffsetSpec.EARLIEST), self._list_offsets(topic, OffsetSpec.LATEST)
        prefix = self._address.group_id("")
        listed = self._admin.ask(lambda client: client.list_groups())
        groups = [one["group_id"] for one in listed if one["group_id"].startswith(prefix)]
        committed = self._admin.ask(lambda client: client.list_group_offsets(groups)) if groups else {}
        members = self._admin.ask(lambda client: client.describe_groups(groups)) if groups else {}
        readers = {group.removeprefix(prefix): list_members(members[group], topic.name) for group in groups}
        return LogStatus(
            generation=topic.generation,
            partitions=tuple(
                PartitionStatus(
                    partition=partition,
                    first=first[partition] + 1 if end[partition] > first[partition] else 0,
                    last=end[partition],
                    committed={
                        group.removeprefix(prefix): max(0, positions[one].offset) if one in positions else 0
                        for group, positions in committed.items()
                    },
                )
                for partition in range(topic.partitions)
                if (one := TopicPartition(topic.name, partition))
            ),
            readers={group: who for group, who in readers.items() if who},
            dead_letters=self._dead_letters.count(),
        )

    def _list_offsets(self, topic: LogTopic, at: int) -> dict[int, int]:
        """Partition → offset, -1 where there is none, at a time in ms or one of Kafka's marks."""
        asked = {TopicPartition(topic.name, partition): at for partition in range(topic.partitions)}
        found = self._admin.ask(lambda client: client.list_partition_offsets(asked))
        return {one.partition: offset.offset for one, offset in found.items()}

    def find_positions(self, at_ms: int) -> dict[int, int]:
        """See MessageLog."""
        topic = self._find_topic()
        found, end = self._list_offsets(topic, at_ms), self._list_offsets(topic, OffsetSpec.LATEST)
        return {partition: (end[partition] if offset == -1 else offset) + 1 for partition, offset in found.items()}

    def rewind(self, group: str, positions: Mapping[int, int]) -> None:
        """See MessageLog."""
        ReaderGroup(self._address, self._admin, group, "").rewind(self._find_topic(), positions)


def _same_cluster(known: str, found: str) -> bool:
    """Whether two identities, ``kafka/cluster/topic``, name topics of one cluster."""
    return known.startswith("kafka/") and known.rpartition("/")[0] == found.rpartition("/")[0]
