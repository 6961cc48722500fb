"""A consumer group as the cluster sees it."""

from collections.abc import Iterable, Mapping
from typing import Any

from kafka import OffsetAndMetadata, TopicPartition

from apps.messagelog.base import GroupIsRead, LogUnavailable
from apps.messagelog.kafka.admin import Admin
from apps.messagelog.kafka.topics import LogTopic
from apps.messagelog.kafka_address import KafkaAddress

EMPTY_STATES = ("Empty", "Dead")


class ReaderGroup:
    """One group, seen by one of its readers or by an operator. All methods raise LogUnavailable."""

    def __init__(self, address: KafkaAddress, admin: Admin, group: str, reader_id: str) -> None:
        self._admin = admin
        self.group_id = address.group_id(group)
        self.client_options = {**address.client_options, "group_id": self.group_id, "client_id": reader_id}

    def list_committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Partition → committed position, 0 where the group has none."""
        asked = {self.group_id: list(partitions)}
        found = self._admin.ask(lambda client: client.list_group_offsets(asked))[self.group_id]
        return {partition: max(0, committed.offset) for partition, committed in found.items()}

    def list_readers(self, topic: LogTopic) -> dict[str, tuple[int, ...]]:
        """Each member's reader id → its partitions."""
        return list_members(self._describe(), topic.name)

    def list_incomplete_shares(self, topic: LogTopic) -> dict[str, tuple[int, ...]] | None:
        """Each member's partitions, by its id in the group, where some of the topic are nobody's and the group is not
        about to share them out; else None.
        """
        group = self._describe()
        shares = {member["member_id"]: _partitions_of(member, topic.name) for member in group["members"]}
        taken = {partition for partitions in shares.values() for partition in partitions}
        return shares if group["group_state"] == "Stable" and len(taken) < topic.partitions else None

    def rewind(self, topic: LogTopic, positions: Mapping[int, int]) -> None:
        """Set positions: partition → the next one to read. Raises GroupIsRead too."""
        group = self._describe()
        if group["group_state"] not in EMPTY_STATES:
            readers = ", ".join(sorted(list_members(group, topic.name))) or "a reader that is joining"
            raise GroupIsRead(f"the group {self.group_id} is read by {readers}")
        offsets = {
            TopicPartition(topic.name, partition): OffsetAndMetadata(position - 1, "", -1)
            for partition, position in positions.items()
        }
        results = self._admin.ask(lambda client: client.alter_group_offsets(self.group_id, offsets))
        refused = {error.__name__ for error in results.values() if error.errno}
        if refused:
            raise LogUnavailable(f"Kafka refused the positions: {', '.join(sorted(refused))}")

    def _describe(self) -> Mapping[str, Any]:
        groups: dict[str, Any] = self._admin.ask(lambda client: client.describe_groups([self.group_id]))
        described: Mapping[str, Any] = groups[self.group_id]
        return described


def list_members(group: Mapping[str, Any], topic: str) -> dict[str, tuple[int, ...]]:
    """Reader id → partitions of the topic, of a group as the cluster describes it."""
    return {member["client_id"]: _partitions_of(member, topic) for member in group["members"]}


def _partitions_of(member: Mapping[str, Any], topic: str) -> tuple[int, ...]:
    return tuple(
        sorted(
            partition
            for assigned in (member["member_assignment"] or {}).get("assigned_partitions", ())
            if assigned["topic"] == topic
            for partition in assigned["partitions"]
        )
    )
