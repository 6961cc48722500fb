"""Topics that were just made: a broker that is asked about them may not have heard of them yet."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.messagelog.base import LogUnavailable
from apps.messagelog.kafka import topics as kafka_topics
from apps.messagelog.kafka.topics import LogTopic, TopicPlan, Topics
from apps.messagelog.kafka_address import parse_kafka_url

TOPIC = LogTopic(name="chat.log.1", generation=1, partitions=12, replication_factor=3, identity="kafka/c/t")
PLAN = TopicPlan(partitions=12, replication_factor=3, min_insync_replicas=2)
UNKNOWN: dict[str, Any] = {"topic": {"chat.log.1": {}}}


class Brokers:
    """The cluster and its admin client: describes the topic by these answers, by the last one for ever."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers = list(answers)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def describe_configs(self, resources: Any, config_filter: str) -> dict[str, Any]:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def with_copies(number: int) -> dict[str, Any]:
    return {"topic": {"chat.log.1": {"min.insync.replicas": {"value": str(number)}}}}


def check(*answers: dict[str, Any]) -> None:
    brokers: Any = Brokers(*answers)
    Topics(parse_kafka_url("kafka://127.0.0.1:1/chat"), brokers).check_log(TOPIC, PLAN)


def test_a_broker_that_has_not_heard_of_a_topic_is_asked_again() -> None:
    check({}, UNKNOWN, with_copies(2))


def test_what_no_broker_ever_hears_of_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_topics, "TOPIC_KNOWN_SECONDS", 0.2)
    with pytest.raises(LogUnavailable, match=r"does not know its topic chat\.log\.1 yet"):
        check(UNKNOWN)


def test_too_few_copies_are_refused() -> None:
    with pytest.raises(ValueError, match=r"min\.insync\.replicas=1 and it takes 2"):
        check(UNKNOWN, with_copies(1))
