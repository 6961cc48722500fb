"""The product's own processes, with the command lines of the containers."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from tests.client.site import PROJECT
from tests.servers.ports import find_server_port
from tests.servers.process import ServerProcess

MANAGE = (sys.executable, str(PROJECT / "manage.py"))
CELERY = (sys.executable, "-m", "celery", "--workdir", str(PROJECT), "-A", "chatsite")
WORKER_QUEUES = "gaps,drain,fan_out,counts,sweeps"
# More than the ten seconds in which each of them finishes what it took.
STOP_TIMEOUT = 25.0


class Gateway(ServerProcess):
    """One chat server on a port of its own."""

    def __init__(self, number: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.port = find_server_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        command = [*MANAGE, "gateway", "--host", "127.0.0.1", "--port", str(self.port)]
        super().__init__(
            f"gateway-{number}",
            command,
            folder,
            partial(_is_healthy, self.base_url),
            environment=environment,
            stop_timeout=STOP_TIMEOUT,
        )

    def find_missing_parts(self) -> dict[str, str]:
        """What its `/readyz` says is not well: part and detail; "gateway" where it does not answer at all."""
        try:
            answer = httpx.get(f"{self.base_url}/readyz", timeout=5)
        except httpx.TransportError as error:
            return {"gateway": f"{self.name} does not answer ({error})"}
        parts = answer.json()["parts"]
        return {name: part["detail"] for name, part in parts.items() if not part["ok"]}


def build_relay(number: int, folder: Path, environment: Mapping[str, str]) -> ServerProcess:
    """One relay; when it reads, `/readyz` of a gateway tells."""
    return _build(f"relay-{number}", [*MANAGE, "relay"], folder, environment)


def build_worker(number: int, folder: Path, environment: Mapping[str, str]) -> ServerProcess:
    """One Celery worker with two children."""
    # Two workers on one host need different names.
    command = [*CELERY, "worker", "-n", f"worker-{number}@%h", "-Q", WORKER_QUEUES, "-c", "2", "-l", "WARNING"]
    return _build(f"worker-{number}", command, folder, environment)


def build_beat(folder: Path, environment: Mapping[str, str]) -> ServerProcess:
    """The one Celery beat."""
    return _build("beat", [*CELERY, "beat", "-l", "WARNING"], folder, environment)


def _build(name: str, command: list[str], folder: Path, environment: Mapping[str, str]) -> ServerProcess:
    return ServerProcess(name, command, folder, lambda: True, environment=environment, stop_timeout=STOP_TIMEOUT)


def _is_healthy(base_url: str) -> bool:
    try:
        return httpx.get(f"{base_url}/healthz", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
