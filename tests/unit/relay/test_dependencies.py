"""The part that a pause is counted for."""

import pytest
from django.db import OperationalError

from apps.messagelog.base import LogNotSetUp, LogUnavailable
from apps.messagestore.base import StoreUnavailable
from apps.observability.metrics import DEPENDENCIES
from apps.relay.dependencies import name_dependency
from apps.relay.runner import DEPENDENCY_DOWN
from apps.valkey.pools import ValkeyError


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (LogUnavailable("down"), "event_log"),
        (LogNotSetUp("new"), "event_log"),
        (StoreUnavailable("down"), "message_store"),
        (ValkeyError("down"), "cache"),
        (OperationalError("down"), "database"),
    ],
)
def test_a_fault_is_counted_for_the_part_that_raised_it(error: Exception, part: str) -> None:
    assert name_dependency(error) == part


@pytest.mark.parametrize("kind", DEPENDENCY_DOWN)
def test_every_fault_that_the_relay_waits_out_has_a_counter(kind: type[Exception]) -> None:
    assert name_dependency(kind("down")) in DEPENDENCIES
