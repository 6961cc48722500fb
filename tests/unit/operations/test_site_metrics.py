"""``/metrics``: who may see it, and that a log that hangs does not hang it."""

import threading
from typing import Any

import pytest
from django.test import AsyncClient, RequestFactory

from apps.messagelog.base import LogUnavailable
from apps.operations import site_metrics
from apps.operations.health import HealthMonitor
from apps.operations.site_metrics import SiteScraper, may_scrape


@pytest.mark.parametrize(
    "peer", ["127.0.0.1", "::1", "10.1.2.3", "172.18.0.4", "192.168.1.9", "fd00::5", "::ffff:10.1.2.3"]
)
def test_who_asks_straight_from_a_private_network_may_see(peer: str) -> None:
    assert may_scrape(RequestFactory().get("/metrics", REMOTE_ADDR=peer))


@pytest.mark.parametrize("peer", ["203.0.112.7", "8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8", "", "unix"])
def test_a_public_or_unknown_address_may_not(peer: str) -> None:
    assert not may_scrape(RequestFactory().get("/metrics", REMOTE_ADDR=peer))


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA"])
def test_what_came_through_a_proxy_may_not(header: str) -> None:
    assert not may_scrape(RequestFactory().get("/metrics", REMOTE_ADDR="10.0.0.1", **{header: "10.0.0.2"}))


@pytest.fixture
def quiet_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_metrics, "monitor", HealthMonitor({"cache": lambda: "answers"}))


class Log:
    """A log that is down, or hangs until told."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.release.set()
        self.asked = 0

    def status(self) -> Any:
        self.asked += 1
        self.release.wait(60)
        raise LogUnavailable("down")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(site_metrics, "get_message_log", lambda: log)
    return log


async def test_a_scrape_shows_what_was_counted_and_what_is_measured(
    async_client: AsyncClient, quiet_parts: None, log: Log
) -> None:
    response = await async_client.get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    text = response.content.decode()
    assert 'chatsite_messages_total{stage="accepted"}' in text
    assert 'chatsite_part_ready{part="cache"} 1.0' in text
    assert "chatsite_log_lag_records" not in text, "the log is down"


async def test_from_outside_there_is_no_such_page(async_client: AsyncClient) -> None:
    response = await async_client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"})
    assert response.status_code == 404
    assert b"chatsite_" not in response.content


async def test_a_log_that_hangs_is_left_out_and_asked_once(quiet_parts: None, log: Log) -> None:
    log.release.clear()
    scraper = SiteScraper(timeout_seconds=0.05)
    for _ in range(3):
        assert b"chatsite_messages_total" in await scraper.scrape()
    assert log.asked == 1
    log.release.set()
