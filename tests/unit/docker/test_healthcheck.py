"""The container's health check, as Docker runs it."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.servers.compose import DOCKER
from tests.servers.ports import find_server_port


class Site(http.server.BaseHTTPRequestHandler):
    """Well at /healthz and /metrics, and only under its own name."""

    def do_GET(self) -> None:
        well = self.path in ("/healthz", "/metrics") and self.headers["Host"] == "chat.example.org"
        self.send_response(200 if well else 400)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def run_check(*arguments: str, **environment: str | int) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, str(DOCKER / "healthcheck.py"), *arguments],
        env={name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stderr


def test_a_process_that_answers_is_healthy(port: int) -> None:
    hosts = "chat.example.org, gateway-1"
    assert run_check("gateway", CHAT_PORT=port, ALLOWED_HOSTS=hosts) == (0, "")
    assert run_check("metrics", METRICS_PORT=port, ALLOWED_HOSTS=hosts) == (0, "")


def test_a_process_that_answers_with_an_error_is_not(port: int) -> None:
    code, text = run_check("gateway", CHAT_PORT=port, ALLOWED_HOSTS="*")
    assert (code, text) == (1, f"/healthz on port {port} answers 400\n")


def test_a_process_that_does_not_answer_is_not() -> None:
    port = find_server_port()
    code, text = run_check("metrics", METRICS_PORT=port)
    assert code == 1
    assert text.startswith(f"no answer on port {port}: ")


@pytest.mark.parametrize(
    ("arguments", "environment"), [([], {}), (["relay"], {}), (["metrics"], {}), (["gateway"], {"CHAT_PORT": "a"})]
)
def test_a_check_that_is_asked_for_wrongly_says_so(arguments: list[str], environment: dict[str, str]) -> None:
    code, text = run_check(*arguments, **environment)
    assert code == 1
    assert text.startswith("cannot check ")
    assert text.count("\n") == 1
