"""The order in which the site comes up, and what happens to parts that fail."""

import io
from dataclasses import dataclass, field

import pytest

from apps.messagelog.base import LogUnavailable
from apps.operations import embedded_site
from apps.operations.console import Console
from apps.operations.embedded_site import SiteDirector, SitePlan, list_parts

PARTS = ["gateway", "relay", "worker", "beat", "spam"]


@dataclass
class FakeServer:
    name: str
    ready: bool = False

    def answers(self) -> bool:
        return self.ready


@dataclass
class FakeParts:
    """What the director asked for."""

    started: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    stopped: bool = False
    worker_seconds: float = 100.0

    def start(self, name: str) -> None:
        self.started.append(name)

    def kill(self, name: str) -> None:
        self.killed.append(name)

    def stop(self) -> None:
        self.stopped = True

    def running_seconds(self, name: str) -> float:
        return self.worker_seconds


class Site:
    """A director among fakes, with a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, demo: bool = False) -> None:
        self.now = 1000.0
        self.missing: str | None = "relay (no relay is running)"
        self.worker_gives_sign = True
        self.servers = [FakeServer("cache"), FakeServer("log")]
        self.parts = FakeParts()
        self.out = io.StringIO()
        self.console = Console(self.out)
        self.set_up_log = lambda: 1
        monkeypatch.setattr("apps.operations.embedded_site.time.monotonic", lambda: self.now)
        monkeypatch.setattr(embedded_site, "find_missing_part", lambda host, port: self.missing)
        monkeypatch.setattr(embedded_site, "_worker_gives_sign", lambda: self.worker_gives_sign)
        monkeypatch.setattr(embedded_site, "set_up_log", lambda: self.set_up_log())
        plan = SitePlan(host="0.0.0.0", port=8140, workers=1, demo=demo)
        self.director = SiteDirector(plan, self.servers, self.console)  # type: ignore[arg-type]

    def advance(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.director.advance(self.parts)  # type: ignore[arg-type]

    def end(self, name: str, last_words: bytes = b"") -> None:
        self.console.pass_on(name, last_words)
        self.director.part_ended(self.parts, name)  # type: ignore[arg-type]

    def come_up(self) -> None:
        for server in self.servers:
            server.ready = True
        self.missing = None
        for _ in range(3):
            self.advance()
        assert "ready: http://127.0.0.1:8140" in self.out.getvalue()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def test_the_parts_wait_until_every_server_answers(site: Site) -> None:
    site.advance()
    assert site.parts.started == ["cache", "log"]
    site.servers[0].ready = True
    site.advance()
    assert site.parts.started == ["cache", "log"]
    site.servers[1].ready = True
    site.advance()
    assert site.parts.started == ["cache", "log", *PARTS]


def test_the_address_is_told_when_the_site_is_ready_and_not_before(site: Site) -> None:
    for server in site.servers:
        server.ready = True
    for _ in range(5):
        site.advance()
    assert "ready" not in site.out.getvalue()
    site.advance(10)
    assert "still waiting for relay (no relay is running)" in site.out.getvalue()
    site.missing = None
    site.advance()
    assert "ready: http://127.0.0.1:8140" in site.out.getvalue()


def test_the_demo_starts_when_the_site_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, demo=True)
    site.come_up()
    assert site.parts.started[-1] == "demo"


def test_a_log_that_cannot_be_used_ends_the_start(site: Site) -> None:
    def refuse() -> int:
        raise LogUnavailable("nobody is there")

    site.set_up_log = refuse
    for server in site.servers:
        server.ready = True
    site.advance()
    site.advance()
    assert site.parts.stopped
    assert site.director.failure == "the event log cannot be used: nobody is there"
    assert site.parts.started == ["cache", "log"]


def test_a_part_that_ends_twice_during_the_start_ends_everything_with_its_last_words(site: Site) -> None:
    site.advance()
    site.end("cache", b"out of luck\n")
    assert not site.parts.stopped
    site.end("cache")
    site.end("log")
    assert site.parts.stopped
    assert site.director.failure == "cache cannot start: out of luck"


def test_a_part_that_ends_later_is_merely_reported(site: Site) -> None:
    site.come_up()
    for _ in range(5):
        site.end("relay", b"killed\n")
    assert not site.parts.stopped
    assert site.director.failure is None
    assert "relay ended and is started again (killed)" in site.out.getvalue()


def test_a_worker_that_runs_nothing_for_forty_seconds_is_killed_once(site: Site) -> None:
    site.come_up()
    site.advance(6)
    site.worker_gives_sign = False  # its canary was set up to 30 s ago
    site.advance(9)
    assert site.parts.killed == []
    site.advance(9)
    assert site.parts.killed == ["worker", "beat"]
    site.parts.worker_seconds = 0.0
    site.advance(30)
    assert site.parts.killed == ["worker", "beat"]


def test_several_gateways_share_the_port_and_only_the_embedded_servers_are_started() -> None:
    plan = SitePlan(host="::", port=8140, workers=2, demo=False)
    parts = list_parts(plan, ())
    assert [part.name for part in parts] == ["gateway-1", "gateway-2", "relay", "worker", "beat", "spam"]
    assert plan.address == "http://[::1]:8140"
    ranks = {part.name: part.stop_rank for part in parts}
    assert ranks["gateway-1"] > ranks["relay"]
    # Each rank waits for the one before it; the servers have four more seconds.
    assert sum({part.stop_rank: part.stop_seconds for part in parts}.values()) + 4 < 20
