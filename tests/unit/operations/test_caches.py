"""Servers that cannot do what is asked of them are refused in one line; those that do not answer are waited for."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.operations.caches import UnsuitableCache, check_caches
from tests.servers.valkey import ValkeyServer, running_valkey


@pytest.fixture(scope="module")
def node() -> Iterator[ValkeyServer]:
    """A node of a cluster that has only this one."""
    with running_valkey(cluster_enabled="yes") as server:
        with server.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        yield server


@pytest.fixture(scope="module")
def old_server() -> Iterator[ValkeyServer]:
    """A server that knows no HEXPIRE."""
    with running_valkey(rename_command="HEXPIRE no-hexpire") as server:
        yield server


@pytest.fixture(autouse=True)
def embedded(cache_valkey: str) -> None:
    """All else is in order."""


@pytest.mark.parametrize("name", ["REDIS_URL", "CHANNEL_LAYER_URL", "CELERY_BROKER_URL"])
def test_a_cluster_where_a_single_server_belongs_is_refused(name: str, node: ValkeyServer, settings: Any) -> None:
    setattr(settings, name, node.url)
    with pytest.raises(UnsuitableCache, match=rf"^{name} is a node of a cluster: it takes a single server"):
        check_caches()


def test_a_cluster_for_the_inboxes_is_taken(node: ValkeyServer, settings: Any) -> None:
    settings.INBOX_REDIS_URL = node.url
    check_caches()


def test_a_server_without_hexpire_is_refused(old_server: ValkeyServer, settings: Any) -> None:
    settings.INBOX_REDIS_URL = old_server.url
    with pytest.raises(
        UnsuitableCache, match=r"^INBOX_REDIS_URL is a server without HEXPIRE \(version 9\..*Redis 7\.4"
    ):
        check_caches()


def test_a_server_that_evicts_keys_is_refused(settings: Any) -> None:
    with running_valkey(maxmemory="100mb", maxmemory_policy="allkeys-lru") as server:
        settings.INBOX_REDIS_URL = server.url
        with pytest.raises(UnsuitableCache, match=r"^INBOX_REDIS_URL is a server that evicts keys .*allkeys-lru"):
            check_caches()


def test_servers_that_do_not_answer_yet_are_waited_for(settings: Any) -> None:
    settings.REDIS_URL = settings.INBOX_REDIS_URL = "redis://127.0.0.1:1"
    check_caches()


@pytest.mark.parametrize("command", [["gateway", "--port", "1"], ["relay"]])
def test_a_process_says_so_in_place_of_starting(command: list[str], node: ValkeyServer, settings: Any) -> None:
    settings.REDIS_URL = node.url
    with pytest.raises(CommandError, match="REDIS_URL is a node of a cluster"):
        call_command(*command, skip_checks=True)
