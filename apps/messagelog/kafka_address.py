"""Where Kafka is and how to speak to it, by the URL of the settings. Pure: the settings check the URL with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

DEFAULT_PORT = 9092
DEFAULT_PREFIX = "chatsite"
PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
OPTIONS = ("security_protocol", "sasl_mechanism", "ssl_cafile")
FORM = "kafka://[user:password@]host:9092[,host:9092][/prefix][?option=value&…]"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAddress:
    """Brokers (``host:port`` with commas between), what our topics and groups begin with, and how to connect."""

    brokers: str
    prefix: str
    security: Mapping[str, str]
    """Options in kafka-python's names: security_protocol, sasl_mechanism, sasl_plain_username …"""

    @property
    def client_options(self) -> dict[str, Any]:
        """What every client of kafka-python is made with."""
        return {"bootstrap_servers": self.brokers.split(","), **self.security}

    def group_id(self, group: str) -> str:
        """A consumer group's name on the cluster, which may be shared with others."""
        return f"{self.prefix}.{group}"


def parse_kafka_url(url: str) -> KafkaAddress:
    """Read EVENT_LOG_URL. Raises ValueError, saying what it takes."""
    rest, _, query = url.removeprefix("kafka://").partition("?")
    hosts, _, prefix = rest.partition("/")
    credentials, _, brokers = hosts.rpartition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not set(options) <= set(OPTIONS):
        raise ValueError(f"{FORM}; the options are {', '.join(OPTIONS)}")
    if prefix and not PREFIX.fullmatch(prefix):
        raise ValueError(f"{FORM}, with a prefix of at most 200 letters, digits, '.', '_' and '-'")
    user, _, password = credentials.partition(":")
    return KafkaAddress(
        brokers=",".join(_with_port(broker) for broker in brokers.split(",")),
        prefix=prefix or DEFAULT_PREFIX,
        security=_security(options, unquote(user), unquote(password)),
    )


def _with_port(broker: str) -> str:
    if not broker:
        raise ValueError(FORM)
    return broker if broker.rpartition(":")[2].isdecimal() else f"{broker}:{DEFAULT_PORT}"


def _choice(options: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = options.get(name, choices[0])
    if value not in choices:
        raise ValueError(f"{name}= one of {', '.join(choices)}")
    return value


def _security(options: Mapping[str, str], user: str, password: str) -> dict[str, str]:
    protocol = _choice(options, "security_protocol", PROTOCOLS)
    security = {"security_protocol": protocol}
    if "ssl_cafile" in options:
        security["ssl_cafile"] = options["ssl_cafile"]
    if protocol.startswith("SASL") != bool(user):
        raise ValueError("user:password@ together with security_protocol=SASL_PLAINTEXT or SASL_SSL")
    if user:
        security["sasl_mechanism"] = _choice(options, "sasl_mechanism", SASL_MECHANISMS)
        security["sasl_plain_username"], security["sasl_plain_password"] = user, password
    return security
