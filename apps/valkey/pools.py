"""One client a process and server. Nothing but this package and the log's adapter imports redis-py."""

import asyncio
import os
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

# redis-py's types say "bytes or str" of every answer; these clients decode, so the answers are str.
SyncValkey = Any
AsyncValkey = Any

ValkeyError = redis.RedisError
"""What every client of this package raises when a server is down, slow or refuses."""

CONNECT_TIMEOUT_SECONDS = 2.0
ANSWER_TIMEOUT_SECONDS = 5.0

_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, float], AsyncValkey]] = WeakKeyDictionary()


def server_url(url: str) -> str:
    """A URL as redis-py takes it: ``valkey://`` and ``valkey+unix://`` are ours."""
    return url.replace("valkey+unix://", "unix://", 1).replace("valkey://", "redis://", 1)


def sync_client(url: str) -> SyncValkey:
    """The process's client of the server at ``url``; its scripts and commands never retry by themselves.

    A command that got no answer may have run: whoever calls decides whether it may be repeated.
    """
    return _sync_client(url, os.getpid())


@lru_cache(maxsize=256)  # each node of a cluster is a server
def _sync_client(url: str, pid: int) -> SyncValkey:
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=ANSWER_TIMEOUT_SECONDS,
    )


def async_client(url: str, *, answer_timeout: float = ANSWER_TIMEOUT_SECONDS) -> AsyncValkey:
    """The running loop's client of the server at ``url``; ``answer_timeout`` in seconds.

    Blocking reads need a client whose timeout is longer than their BLOCK time.
    """
    clients = _async_clients.setdefault(asyncio.get_running_loop(), {})
    client = clients.get((url, answer_timeout))
    if client is None:
        client = clients[url, answer_timeout] = redis.asyncio.Redis.from_url(
            url,
            decode_responses=True,
            retry=redis.asyncio.retry.Retry(NoBackoff(), 0),
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_timeout=answer_timeout,
        )
    return client


async def close_async_clients() -> None:
    """Close the running loop's clients."""
    for client in _async_clients.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()
