"""Every container of ours runs its own command as a process, with its own environment, on servers of the same kinds.

There is no container engine here: the image is not built, and what runs in it is this checkout. What is taken from
compose.yml as it stands is each command line, each environment, each health check and the time each has to stop.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest
import redis

from tests.client.chat_client import ChatClient
from tests.client.processes import wait_until
from tests.client.site import PROJECT, Site, build_environment
from tests.faults.checker import check
from tests.servers.compose import Service, read_compose, read_env_file
from tests.servers.kafka import KafkaCluster
from tests.servers.mongo import MongoServer
from tests.servers.ports import find_server_port
from tests.servers.postgresql import PostgresqlServer
from tests.servers.process import ServerProcess, running, server_folder
from tests.servers.valkey import ValkeyServer, running_valkey

FILLED_IN = {"CHAT_DOMAIN": "localhost", "SECRET_KEY": "s" * 50, "POSTGRES_PASSWORD": "p", "VALKEY_PASSWORD": "v"}
VARIABLES = read_env_file(".env.example") | FILLED_IN
SERVICES = read_compose("compose.yml", VARIABLES)
GATEWAYS = ("gateway-1", "gateway-2")
LONG_RUNNING = (*GATEWAYS, "relay", "worker", "spam", "beat")
# On so small a machine more of them only make smaller batches.
PARTITIONS = "12"


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="module")
def here(
    kafka_cluster: KafkaCluster, mongo: MongoServer, postgresql: PostgresqlServer, valkey: ValkeyServer
) -> Mapping[str, str]:
    """The addresses that are other ones here than in the containers' network."""
    return {
        "EVENT_LOG_URL": kafka_cluster.url,
        "MESSAGE_STORE_URL": f"{mongo.url}/containers",
        "DATABASE_URL": postgresql.create_database(),
        "REDIS_URL": valkey.url,
        "LOG_PARTITIONS": PARTITIONS,
        "TRUSTED_PROXIES": "127.0.0.1",
    }


class Container(ServerProcess):
    """A service's command as a process, with its own data folder, port for metrics and, for gateways, port."""

    def __init__(self, service: Service, folder: Path, here: Mapping[str, str]) -> None:
        home = folder / service.name
        home.mkdir()
        self.service = service
        self.port = find_server_port()
        environment = build_environment(home, self.port, {**service.environment, **here})
        # What the image sets, and where its commands find python and celery.
        environment |= {"CHAT_HOST": "127.0.0.1", "METRICS_PORT": str(find_server_port())}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        self.environment = environment
        super().__init__(
            service.name,
            ["sh", "-c", 'cd "$0" && exec "$@"', str(PROJECT), *service.command],
            home,
            partial(is_healthy, service, environment),
            environment=environment,
            stop_timeout=float(service.whole["stop_grace_period"].removesuffix("s")),
        )


def is_healthy(service: Service, environment: Mapping[str, str]) -> bool:
    """What the container's own health check says; a service without one is healthy."""
    check = service.whole.get("healthcheck", {"test": ["CMD", "python", "docker/healthcheck.py", "gateway"]})
    if check.get("disable"):
        return True
    kind, *command = check["test"]
    assert kind == "CMD"
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True).returncode == 0


class ContainerSite(Site):
    """The site as its first gateway serves it."""

    def __init__(self, gateway: Container, valkey: ValkeyServer) -> None:
        super().__init__(address_of(gateway), gateway.environment)
        self._valkey = valkey

    def cache(self) -> contextlib.AbstractContextManager[redis.Redis]:
        """A client of the Valkey of inboxes and registry."""
        return self._valkey.client()


def address_of(gateway: Container) -> str:
    # Not 127.0.0.1, which is no name of the site in compose.yml.
    return f"http://localhost:{gateway.port}"


def test_the_set_up_job_may_run_at_every_deployment(here: Mapping[str, str]) -> None:
    with server_folder("set-up") as folder:
        job = Container(SERVICES["set-up"], folder, here)
        for _ in range(2):
            job.start()
            assert job.wait(timeout=120) == 0, job.output


async def test_people_chat_over_processes_started_as_the_containers_start_them(
    here: Mapping[str, str], valkey: ValkeyServer
) -> None:
    with server_folder("containers") as folder:
        job = Container(SERVICES["set-up"], folder, here)
        job.start()
        assert job.wait(timeout=120) == 0, job.output
        containers = {name: Container(SERVICES[name], folder, here) for name in LONG_RUNNING}
        with running(*containers.values()):
            gateways = [containers[name] for name in GATEWAYS]
            await asyncio.to_thread(wait_until, partial(all_ready, gateways), "/readyz with 200", 60)
            await chat(ContainerSite(gateways[0], valkey), gateways)
            for name in ("gateway-1", "relay", "worker", "spam"):
                assert "chatsite_" in scrape(containers[name]), name
            exit_codes = {name: container.stop() for name, container in containers.items()}
    assert -signal.SIGKILL not in exit_codes.values(), f"one had to be killed: {exit_codes}"


def all_ready(gateways: Sequence[Container]) -> bool:
    return all(httpx.get(f"{address_of(gateway)}/readyz", timeout=5).status_code == 200 for gateway in gateways)


async def chat(site: Site, gateways: Sequence[Container]) -> None:
    accounts = await asyncio.to_thread(site.add_users, 2)
    urls = [f"ws://localhost:{gateway.port}/ws/chat/" for gateway in gateways]
    async with ChatClient(urls[0], accounts[0]) as ann, ChatClient(urls[1], accounts[1]) as bob:
        for number in range(20):
            ann.send(bob.user_id, f"from Ann {number}")
            bob.send(ann.user_id, f"from Bob {number}")
        await ann.wait_delivered(60)
        await bob.wait_delivered(60)
        await bob.stop()
        ann.send(bob.user_id, "while Bob was away")
        await ann.wait_for(lambda: all(message.is_acknowledged for message in ann.history.sent.values()), "✓", 60)
        await bob.start()
        await ann.wait_delivered(60)
    report = check([ann.history, bob.history])
    assert report.is_clean, report.text()
    assert report.counts["delivered"] == 41


def scrape(container: Container) -> str:
    """The metrics of a container as Prometheus asks for them, by the name that it uses in the containers' network."""
    is_gateway = container.service.name in GATEWAYS
    port = container.port if is_gateway else int(container.environment["METRICS_PORT"])
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"Host": f"{container.service.name}:{port}"})
    return answer.raise_for_status().text
