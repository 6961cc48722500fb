"""What operators see of a chat: every hop of a message in log and metrics, and never what people write."""

import asyncio
import contextlib
import json
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from apps.messagelog.keys import stream_key
from tests.client.chat_client import ChatClient
from tests.client.people import PASSWORD, Person
from tests.client.processes import wait_until
from tests.client.raw_socket import raw_socket
from tests.client.server import Server, find_free_port, running_server
from tests.client.site import PROJECT

HUSH = "hush"
ONCE_A_MESSAGE = ("accepted", "appended", "stored", "queued", "confirmed")


@pytest.fixture(scope="module")
def watched_server() -> Iterator[Server]:
    """A server that logs all it can, as JSON."""
    with running_server(arguments=("--workers", "2"), LOG_LEVEL="DEBUG", LOG_FORMAT="json") as running:
        yield running


def scrape(server: Server) -> dict[str, float]:
    """Sample (name with labels) → value."""
    answer = httpx.get(f"{server.base_url}/metrics", timeout=30).raise_for_status()
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def rise(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after[name] - before.get(name, 0)


def traced(server: Server) -> Counter[tuple[str, str]]:
    """(message id, stage) → lines."""
    lines = [line.partition("{") for line in server.output.splitlines()]
    rows = [json.loads(brace + rest) for _, brace, rest in lines if '"chatsite.trace"' in rest]
    assert {row["role"] for row in rows} <= {"gateway", "relay", "worker"}
    return Counter((row["message_id"], row["stage"]) for row in rows)


async def test_a_message_shows_at_each_hop_in_log_and_metrics(watched_server: Server) -> None:
    server = watched_server
    before = scrape(server)
    ann, bob = server.add_users(2)
    async with ChatClient(server.url, ann) as a, ChatClient(server.url, bob):
        messages = [a.send(bob.user_id, f"{HUSH} {number}") for number in range(20)]
        await a.wait_delivered()
        await asyncio.to_thread(
            wait_until, lambda: scrape(server)['chatsite_messages_total{stage="confirmed"}'] >= 20, "counts", 10
        )
        after = scrape(server)
        assert after["chatsite_connections"] == 2
    seen = traced(server)
    for message in messages:
        assert [seen[str(message.delivered_id), stage] for stage in ONCE_A_MESSAGE] == [1] * len(ONCE_A_MESSAGE)
        assert seen[str(message.delivered_id), "pushed"] == 1
    for stage in (*ONCE_A_MESSAGE, "pushed"):
        assert rise(before, after, f'chatsite_messages_total{{stage="{stage}"}}') == 20
    assert rise(before, after, "chatsite_ack_seconds_count") == 20
    assert 1 <= rise(before, after, "chatsite_arrival_seconds_count") <= 20
    assert rise(before, after, "chatsite_connections_opened_total") == 2
    assert after['chatsite_part_ready{part="relay"}'] == 1
    await asyncio.to_thread(
        wait_until, lambda: scrape(server)['chatsite_log_lag_records{group="relay"}'] == 0, "no lag", 10
    )
    await asyncio.to_thread(wait_until, lambda: scrape(server)["chatsite_connections"] == 0, "no connections", 10)


async def test_no_line_holds_what_people_write_or_log_in_with(watched_server: Server) -> None:
    server = watched_server
    ann, bob = [await asyncio.to_thread(Person.register, server) for _ in range(2)]
    word = f"{HUSH}-{secrets.token_hex(8)}"
    before = scrape(server)
    async with ChatClient(server.url, bob.account) as b:
        await b.stop()
    async with ChatClient(server.url, ann.account) as a:
        a.send(bob.user_id, word)
        a.send(bob.user_id, word * 100)  # too long
        await a.wait_for_frame(code="content_too_long")
    async with raw_socket(server.url, token=ann.account.token) as socket:
        await socket.send_text('{"action":"send_message","content":"' + word)
        await socket.receive(code="invalid_json")
    async with ChatClient(server.url, bob.account) as b:
        await b.wait_for(lambda: bool(b.history.shown), "what waited")
    for code in ("content_too_long", "invalid_json"):
        assert rise(before, scrape(server), f'chatsite_errors_total{{code="{code}"}}') == 1
    with server.valkey("log") as log:
        log.xadd(stream_key(0), {"r": '["m","' + word + '"]'}, id="0-*")
        log.xadd(stream_key(0), {"r": word}, id="0-*")
    await asyncio.to_thread(
        wait_until,
        lambda: rise(before, scrape(server), "chatsite_dead_letters_total") == 2,
        "two dead letters",
        30,
    )
    await asyncio.to_thread(ann.open_browser_session)
    output = server.output
    assert "dead letter" in output
    for secret in (word, PASSWORD, ann.username, bob.username, ann.account.token, bob.account.token):
        assert secret not in output


def test_metrics_are_not_shown_to_the_outside(watched_server: Server) -> None:
    answer = httpx.get(f"{watched_server.base_url}/metrics", headers={"X-Forwarded-For": "203.0.112.9"}, timeout=30)
    assert answer.status_code == 404
    assert "chatsite_" not in answer.text


def test_a_gateway_that_was_killed_leaves_its_counts_and_no_connections(watched_server: Server) -> None:
    server = watched_server

    async def hold_and_kill() -> None:
        [ann] = server.add_users(1)
        async with ChatClient(server.url, ann):
            assert scrape(server)["chatsite_connections"] == 1
            old = server.processes.kill("gateway")
            await asyncio.to_thread(server.processes.wait_for_new, "gateway", old)
            await asyncio.to_thread(server.wait_ready)

    before = scrape(server)
    asyncio.run(hold_and_kill())
    wait_until(lambda: scrape(server)["chatsite_connections"] == 0, "no connections", 20)
    assert rise(before, scrape(server), "chatsite_connections_opened_total") >= 1


@contextlib.contextmanager
def beside(server: Server, *command: str) -> Iterator[str]:
    """One more process of the site, on its own; gives the address of its metrics."""
    port = find_free_port()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=PROJECT,
        env={**server.environment, "METRICS_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.terminate()
        process.wait(60)


def fetch(address: str) -> str:
    """The page; empty while nobody answers."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address, timeout=30).raise_for_status().text
    return ""


def test_a_relay_on_its_own_shows_its_metrics_on_a_port(watched_server: Server) -> None:
    with beside(watched_server, "manage.py", "relay") as address:
        text = wait_until(lambda: fetch(address), "metrics of the relay", 60)
    assert 'chatsite_messages_total{stage="stored"} 0.0' in text
    assert "process_resident_memory_bytes" in text


def test_a_spam_scorer_on_its_own_says_on_a_port_that_it_lives(watched_server: Server) -> None:
    with beside(watched_server, "manage.py", "spam") as address:
        text = wait_until(lambda: fetch(address), "metrics of the spam scorer", 60)
    assert "process_resident_memory_bytes" in text


def test_a_worker_on_its_own_shows_what_its_children_did(watched_server: Server) -> None:
    worker = ("-m", "celery", "-A", "chatsite", "worker", "-Q", "sweeps", "-c", "2", "-n", "second@test")
    with beside(watched_server, *worker) as address:
        # Beat sends a task every few seconds; the site's own worker takes most, but not all of them.
        wait_until(lambda: "chatsite_task_seconds_count{" in fetch(address), "a task", 90)
