"""The Kafka adapter of the log. The only package that imports a Kafka client."""

from apps.messagelog.kafka.log import KafkaMessageLog

__all__ = ["KafkaMessageLog"]
