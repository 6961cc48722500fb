"""``/healthz`` and ``/readyz``."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.test import AsyncClient

from apps.operations import health
from apps.operations.health import HealthMonitor, NotReady, PartHealth
from apps.operations.keys import WORKER_CANARY
from apps.operations.tasks import canary
from apps.valkey.pools import sync_client


def fine() -> str:
    return "answers"


def not_ready() -> str:
    raise NotReady("nobody is there")


def broken() -> str:
    raise ConnectionRefusedError("secret-host:1234")


async def test_each_part_is_reported_by_name_and_none_raises() -> None:
    monitor = HealthMonitor({"fine": fine, "not_ready": not_ready, "broken": broken})
    assert await monitor.check_parts() == {
        "fine": PartHealth(ok=True, detail="answers"),
        "not_ready": PartHealth(ok=False, detail="nobody is there"),
        "broken": PartHealth(ok=False, detail="does not answer (ConnectionRefusedError)"),
    }


async def test_a_check_that_hangs_is_bounded_and_takes_one_thread_only() -> None:
    release = threading.Event()
    started = []

    def hanging() -> str:
        started.append(1)
        release.wait(20)
        return "answers at last"

    monitor = HealthMonitor({"hanging": hanging, "fine": fine}, timeout_seconds=0.1)
    began = time.monotonic()
    for _ in range(3):
        parts = await monitor.check_parts()
        assert not parts["hanging"].ok
        assert parts["fine"].ok
    assert time.monotonic() - began < 5
    assert len(started) == 1
    release.set()
    async with asyncio.timeout(10):
        while not (await monitor.check_parts())["hanging"].ok:
            await asyncio.sleep(0.01)


async def test_healthz_answers_whatever_else_is_down(async_client: AsyncClient) -> None:
    answer = await async_client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.parametrize(("checks", "status"), [({"a": fine}, 200), ({"a": fine, "b": not_ready}, 503)])
async def test_readyz_is_200_only_when_every_part_is_well(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, checks: dict[str, health.Check], status: int
) -> None:
    monkeypatch.setattr("apps.operations.views.monitor", HealthMonitor(checks))
    answer = await async_client.get("/readyz")
    assert answer.status_code == status
    assert answer.json()["ready"] is (status == 200)
    assert answer.json()["parts"]["a"] == {"ok": True, "detail": "answers"}
    assert "no-store" in answer["Cache-Control"]


async def test_readyz_can_only_be_read(async_client: AsyncClient) -> None:
    assert (await async_client.post("/readyz")).status_code == 405


def test_a_worker_counts_as_running_for_as_long_as_its_canary_lives(cache_valkey: str) -> None:
    with pytest.raises(NotReady, match="no Celery worker has run a task"):
        health.check_worker()
    canary()
    assert health.check_worker() == "runs tasks"
    assert 0 < sync_client(cache_valkey).ttl(WORKER_CANARY) <= 30


def test_the_relay_counts_as_running_only_while_it_holds_the_lease(log_valkey: str) -> None:
    with pytest.raises(NotReady, match="no relay is running"):
        health.check_relay()


def test_servers_are_asked_for_real(cache_valkey: str, log_valkey: str) -> None:
    assert health.check_cache() == health.check_event_log() == "answers"


def test_a_cache_that_is_away_is_not_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "INBOX_REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(settings, "REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(Exception, match=r"nobody\.sock"):
        health.check_cache()


@pytest.mark.django_db(databases=["default", "messages"])
def test_databases_are_asked_for_real() -> None:
    assert health.check_database() == health.check_message_store() == "answers"
