"""While no broker answers, asking again and again costs no threads."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaConfigurationError, KafkaError

from apps.messagelog.kafka.clients import open_client, open_producer

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(
    "open_one", [partial(open_client, KafkaAdminClient), partial(open_client, KafkaConsumer), open_producer]
)
def test_a_client_that_cannot_be_made_leaves_no_thread_behind(open_one: Callable[..., Any]) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(KafkaError):
            open_one(bootstrap_servers=NOBODY, bootstrap_timeout_ms=200)
    assert set(threading.enumerate()) <= before


def test_a_client_that_refuses_its_options_says_so() -> None:
    with pytest.raises(KafkaConfigurationError, match="no_such_option"):
        open_client(KafkaAdminClient, no_such_option=1)
