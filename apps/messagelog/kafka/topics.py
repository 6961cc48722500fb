"""The topics: the log's, whose name carries its generation, and that of the dead letters.

``{prefix}.log.{generation}`` has the log's records; the topic of the highest generation is the log. Positions that
begin again so begin in another topic, and can never be taken for older ones. ``{prefix}.dead`` has the dead letters.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from apps.messagelog.base import LogUnavailable
from apps.messagelog.kafka.admin import PAUSE_SECONDS, Admin
from apps.messagelog.kafka_address import KafkaAddress

logger = logging.getLogger(__name__)

SAFE_REPLICATION_FACTOR = 3
SEGMENT_MS = 3_600_000
TOPIC_KNOWN_SECONDS = 15.0
DEAD_LETTERS_KEPT_MS = 30 * 86_400_000

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTopic:
    """The log's topic as the cluster has it."""

    name: str
    generation: int
    partitions: int
    replication_factor: int
    identity: str
    """Cluster and topic id: a topic deleted and made again under the same name is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """How topics are to be made, by the settings; None: as is safe."""

    partitions: int
    replication_factor: int | None
    min_insync_replicas: int | None

    @property
    def copies(self) -> int:
        """Of each record, on as many brokers."""
        return self.replication_factor or SAFE_REPLICATION_FACTOR

    @property
    def least_copies(self) -> int:
        """As many must have a record before it is acknowledged: one broker may be away."""
        return self.min_insync_replicas or max(1, min(2, self.copies - 1))


class Topics:
    """Finds, makes and checks topics. All methods raise LogUnavailable."""

    def __init__(self, address: KafkaAddress, admin: Admin) -> None:
        self._prefix = address.prefix
        self._admin = admin
        self.dead_letters = f"{address.prefix}.dead"

    def name(self, generation: int) -> str:
        """The topic of a generation of the log."""
        return f"{self._prefix}.log.{generation}"

    def find_log(self) -> LogTopic | None:
        """The topic of the highest generation; None where the log is not set up."""
        pattern = re.compile(re.escape(f"{self._prefix}.log.") + r"([1-9]\d*)")
        names = self._admin.ask(lambda client: client.list_topics())
        generations = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
        return self._describe(max(generations)) if generations else None

    def _describe(self, generation: int) -> LogTopic:
        name = self.name(generation)
        (topic,) = self._admin.ask(lambda client: client.describe_topics([name]))
        cluster = self._admin.ask(lambda client: client.describe_cluster())
        if topic["error_code"] or not topic["partitions"]:
            raise LogUnavailable(f"Kafka does not know its topic {name} yet")
        return LogTopic(
            name=name,
            generation=generation,
            partitions=len(topic["partitions"]),
            replication_factor=min(len(partition["replica_nodes"]) for partition in topic["partitions"]),
            identity=f"kafka/{cluster['cluster_id']}/{topic['topic_id']}",
        )

    def create_log(self, generation: int, plan: TopicPlan) -> LogTopic:
        """Make the topic of a generation; raises ValueError where there are too few brokers for the plan."""
        self._check_brokers(plan)
        settings = {
            "cleanup.policy": "delete",
            # Not by age: the relay trims what is old and behind itself, and nobody else may.
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "segment.ms": str(SEGMENT_MS),  # what was trimmed leaves the disk with its segment
            "message.timestamp.type": "LogAppendTime",  # one clock for `replay --from`
        }
        self._create(self.name(generation), plan.partitions, plan, settings)
        return _ask_until_known(lambda: self._describe(generation))

    def create_dead_letters(self, plan: TopicPlan) -> None:
        """Make the topic of the dead letters unless it is there."""
        settings = {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTERS_KEPT_MS)}
        self._create(self.dead_letters, 1, plan, settings)

    def _create(self, name: str, partitions: int, plan: TopicPlan, settings: Mapping[str, str]) -> None:
        topic = {
            "num_partitions": partitions,
            "replication_factor": plan.copies,
            "configs": {
                **settings,
                "min.insync.replicas": str(plan.least_copies),
                "unclean.leader.election.enable": "false",
            },
        }
        try:
            self._admin.ask(lambda client: client.create_topics({name: topic}))
        except LogUnavailable as error:
            if not isinstance(error.__cause__, TopicAlreadyExistsError):
                raise
        self._admin.ask(lambda client: client.wait_for_topics([name]))

    def _check_brokers(self, plan: TopicPlan) -> None:
        brokers = len(self._admin.ask(lambda client: client.describe_cluster())["brokers"])
        if brokers < plan.copies:
            raise ValueError(
                f"Kafka has {brokers} broker{'s' * (brokers != 1)} and the log is to be kept on {plan.copies}:"
                f" start more, or set LOG_REPLICATION_FACTOR={brokers}"
                " (with fewer than 3, acknowledged messages can be lost with one broker)"
            )
        if plan.copies < SAFE_REPLICATION_FACTOR:
            logger.warning(
                "LOG_REPLICATION_FACTOR=%d: acknowledged messages can be lost with one broker; it takes %d to be safe",
                plan.copies,
                SAFE_REPLICATION_FACTOR,
            )

    def check_log(self, topic: LogTopic, plan: TopicPlan) -> None:
        """Raise ValueError where a topic was made otherwise than planned."""
        if topic.partitions != plan.partitions:
            raise ValueError(
                f"the log's topic {topic.name} has {topic.partitions} partitions and LOG_PARTITIONS says"
                f" {plan.partitions}: the number cannot change"
            )
        if topic.replication_factor < plan.copies:
            raise ValueError(
                f"the log's topic {topic.name} is kept on {topic.replication_factor} brokers and"
                f" LOG_REPLICATION_FACTOR says {plan.copies}: reassign its partitions,"
                f" or set LOG_REPLICATION_FACTOR={topic.replication_factor}"
            )
        least = _ask_until_known(lambda: self._min_insync_replicas(topic.name))
        if least < plan.least_copies:
            raise ValueError(
                f"the log's topic {topic.name} has min.insync.replicas={least} and it takes {plan.least_copies}:"
                f" alter it, or set LOG_MIN_INSYNC_REPLICAS={least}"
            )

    def _min_insync_replicas(self, name: str) -> int:
        resource = ConfigResource(ConfigResourceType.TOPIC, name, ["min.insync.replicas"])
        configs: Any = self._admin.ask(lambda client: client.describe_configs([resource], config_filter="all"))
        # The client does not say why a broker gave none: it has not heard of the topic.
        found = configs.get("topic", {}).get(name, {}).get("min.insync.replicas")
        if found is None:
            raise LogUnavailable(f"Kafka does not know its topic {name} yet")
        return int(found["value"])

    def check_missing(self, generation: int) -> None:
        """Raise LogUnavailable if the controller has the topic of a generation, though a broker did not list it."""
        plan = {self.name(generation): {"num_partitions": 1, "replication_factor": 1}}
        try:
            self._admin.ask(lambda client: client.create_topics(plan, validate_only=True))
        except LogUnavailable as error:
            if isinstance(error.__cause__, TopicAlreadyExistsError):
                raise LogUnavailable(f"Kafka does not list its topic {self.name(generation)} yet") from error
            raise


def _ask_until_known(question: Callable[[], Answer]) -> Answer:
    """Of a topic that may just have been made: brokers hear of it one after the other, and any of them may be asked."""
    give_up_at = time.monotonic() + TOPIC_KNOWN_SECONDS
    while True:
        try:
            return question()
        except LogUnavailable:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(PAUSE_SECONDS)
