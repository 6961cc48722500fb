"""What EVENT_LOG_URL may say of a Kafka."""

import pytest

from apps.messagelog.kafka_address import parse_kafka_url


def test_a_plain_url_names_brokers_and_leaves_the_rest_to_defaults() -> None:
    address = parse_kafka_url("kafka://a:9092,b:19092")
    assert (address.brokers, address.prefix) == ("a:9092,b:19092", "chatsite")
    assert address.client_options == {"bootstrap_servers": ["a:9092", "b:19092"], "security_protocol": "PLAINTEXT"}
    assert address.group_id("relay") == "chatsite.relay"


def test_a_broker_without_a_port_has_the_usual_one() -> None:
    assert parse_kafka_url("kafka://a,b:1").brokers == "a:9092,b:1"


def test_the_path_is_the_prefix_of_topics_and_groups() -> None:
    address = parse_kafka_url("kafka://a:9092/staging.chat?security_protocol=SSL")
    assert (address.prefix, address.group_id("relay")) == ("staging.chat", "staging.chat.relay")


def test_credentials_are_decoded_and_go_with_sasl() -> None:
    address = parse_kafka_url(
        "kafka://me:p%40ss@a:9092?security_protocol=SASL_SSL&sasl_mechanism=SCRAM-SHA-512&ssl_cafile=/etc/ca.pem"
    )
    assert address.security == {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": "/etc/ca.pem",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "p@ss",
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("kafka://", "kafka://"),
        ("kafka://a:1,,b:1", "kafka://"),
        ("kafka://a:1?compression=lz4", "the options are security_protocol"),
        ("kafka://a:1/with space", "a prefix of at most 200"),
        ("kafka://a:1/with/slash", "a prefix of at most 200"),
        ("kafka://a:1?security_protocol=TLS", "security_protocol= one of PLAINTEXT"),
        ("kafka://me:secret@a:1", "together with security_protocol"),
        ("kafka://a:1?security_protocol=SASL_SSL", "user:password@ together"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_it_takes(url: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as refused:
        parse_kafka_url(url)
    assert "secret" not in str(refused.value)
