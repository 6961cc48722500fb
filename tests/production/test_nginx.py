"""The nginx configuration by itself, in front of servers that only say what reached them."""

import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.servers.edge import DOMAIN, Edge, running_edge
from tests.servers.ports import find_server_port

pytestmark = pytest.mark.production

FORGED = "203.0.113.7"


class Backend:
    """A stand-in for a gateway: it answers with what it was asked, or (`drops`) closes without an answer."""

    def __init__(self, *, drops: bool = False) -> None:
        self.requests: list[str] = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(size)
                backend.requests.append(self.command)
                if drops:
                    return
                body = json.dumps({"headers": self.headers.items(), "backend": backend.port}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/css" if self.path.startswith("/static/") else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Strict-Transport-Security", "max-age=1")  # as a gateway does
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 (the name that the library looks for)

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@contextmanager
def running_backends(*backends: Backend) -> Iterator[list[int]]:
    for backend in backends:
        threading.Thread(target=backend.server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield [backend.port for backend in backends]
    finally:
        for backend in backends:
            backend.server.shutdown()
            backend.server.server_close()


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with running_backends(Backend(), Backend(), Backend()) as ports, running_edge(ports) as running:
        yield running


@pytest.fixture
def client(edge: Edge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=edge.origin, verify=edge.tls_context()) as opened:
        yield opened


def headers_seen(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.json()["headers"]}


def test_what_a_client_says_about_forwarding_never_reaches_a_gateway(client: httpx.Client) -> None:
    names = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "Forwarded")
    sent = dict.fromkeys(names, FORGED) | {"X-Forwarded-Proto": "http"}
    seen = headers_seen(client.get("/api/user/me", headers=sent))
    assert FORGED not in seen.values()
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert seen["host"] == client.base_url.netloc.decode()


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/metrics/", "//metrics", "/%6Detrics", "/x/../metrics", "/readyz", "/./readyz", "/readyz?full=1"],
)
def test_what_is_for_operators_is_not_public(client: httpx.Client, edge: Edge, path: str) -> None:
    # http.client sends the path as it stands; httpx would tidy it up.
    connection = http.client.HTTPSConnection(DOMAIN, edge.https_port, context=edge.tls_context())
    connection.request("GET", path)
    assert connection.getresponse().status == httpx.codes.NOT_FOUND
    connection.close()


def test_plain_http_is_sent_to_https(edge: Edge) -> None:
    answer = httpx.get(f"{edge.plain_origin}/login/?next=/")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{edge.origin}/login/?next=/")


def test_browsers_are_told_to_stay_with_tls_and_offered_http_2(client: httpx.Client, edge: Edge) -> None:
    for path in ("/", "/login/", "/static/chat.css", "/readyz"):
        [policy] = client.get(path).headers.get_list("Strict-Transport-Security")
        assert int(policy.removeprefix("max-age=")) >= 31_536_000, path
    context = edge.tls_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", edge.https_port)) as plain,
        context.wrap_socket(plain, server_hostname=DOMAIN) as secured,
    ):
        assert (secured.selected_alpn_protocol(), secured.version()) == ("h2", "TLSv1.3")


def test_a_name_that_is_not_the_sites_gets_no_handshake(edge: Edge) -> None:
    context = edge.tls_context()
    with (
        socket.create_connection(("127.0.0.1", edge.https_port)) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
    ):
        context.wrap_socket(plain, server_hostname="other.example")


def test_a_user_keeps_a_gateway_and_users_are_spread(client: httpx.Client) -> None:
    def ask(user_id: str, number: int) -> int:
        headers = {"Authorization": f"Token {number}"}
        return int(client.get(f"/api/user/me?user={user_id}", headers=headers).json()["backend"])

    users = [f"usr-{number:012x}" for number in range(30)]
    chosen = {user: {ask(user, number) for number in range(3)} for user in users}
    assert all(len(gateways) == 1 for gateways in chosen.values())
    assert len(set().union(*chosen.values())) == 3


@pytest.mark.parametrize("credential", [{"Authorization": "Token {}"}, {"Cookie": "csrftoken=x; sessionid={}"}])
def test_without_a_hint_the_credential_keeps_a_gateway(client: httpx.Client, credential: dict[str, str]) -> None:
    [(name, value)] = credential.items()

    def ask(number: int) -> int:
        return int(client.get("/?user=usr-nonsense", headers={name: value.format(number)}).json()["backend"])

    chosen = [{ask(number) for _ in range(3)} for number in range(30)]
    assert all(len(gateways) == 1 for gateways in chosen)
    assert len(set().union(*chosen)) == 3


def test_only_the_path_of_the_socket_may_change_the_protocol(client: httpx.Client) -> None:
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    for path, protocol in {"/api/user/me": "websocket", "/ws/chat/": "h2c", "/": "h2c"}.items():
        seen = headers_seen(client.get(path, headers=upgrade | {"Upgrade": protocol}))
        assert "upgrade" not in seen, path
    assert headers_seen(client.get("/ws/chat/", headers=upgrade | {"Upgrade": "WebSocket"}))["upgrade"] == "websocket"


def test_files_are_compressed_and_answers_with_secrets_are_not(client: httpx.Client) -> None:
    padding = {"X-Padding": "x" * 2000}
    assert client.get("/static/chat.css", headers=padding).headers.get("Content-Encoding") == "gzip"
    assert "Content-Encoding" not in client.get("/api/user/me", headers=padding).headers


def test_a_body_that_is_too_large_is_refused_before_a_gateway_sees_it(client: httpx.Client) -> None:
    assert client.post("/chat/poll", content=b"x" * 2_000_000).status_code == 413


@pytest.mark.parametrize(
    ("path", "zone"), [("/ws/chat/", "CONNECTION"), ("/login/", "LOGIN"), ("/api/auth/login", "LOGIN")]
)
def test_an_address_that_comes_too_often_is_refused_and_another_is_not(path: str, zone: str) -> None:
    limits = {f"{zone}S_PER_MINUTE": "1", f"{zone}_BURST": "4"}
    with running_backends(Backend()) as ports, running_edge(ports, **limits) as edge:

        def ask(address: str) -> httpx.Response:
            transport = httpx.HTTPTransport(verify=edge.tls_context(), local_address=address)
            with httpx.Client(transport=transport, base_url=edge.origin) as client:
                return client.get(path, headers={"X-Forwarded-For": FORGED})

        answers = [ask("127.0.0.2") for _ in range(7)]
        assert [answer.status_code for answer in answers[:5]] == [200] * 5
        assert answers[-1].status_code == 429
        assert answers[-1].json()["code"] == "throttled"
        assert ask("127.0.0.3").status_code == 200


def test_a_post_is_never_sent_twice_and_a_get_may_be() -> None:
    backends = [Backend(drops=True), Backend(drops=True)]
    with running_backends(*backends) as ports, running_edge(ports) as edge:
        with httpx.Client(base_url=edge.origin, verify=edge.tls_context()) as client:
            answer = client.post("/chat/poll", json={})
            assert (answer.status_code, answer.json()["code"]) == (502, "unavailable")
            client.get("/api/user/me")
        seen = [request for backend in backends for request in backend.requests]
        assert (seen.count("POST"), seen.count("GET")) == (1, 2)


def test_a_request_that_could_not_be_sent_goes_to_the_next_gateway() -> None:
    with (
        running_backends(Backend()) as ports,
        running_edge([*ports, find_server_port(), find_server_port()]) as edge,
        httpx.Client(base_url=edge.origin, verify=edge.tls_context()) as client,
    ):
        for number in range(12):
            answer = client.post(f"/chat/poll?user=usr-{number:012x}", json={})
            assert answer.status_code == 200


def test_no_log_has_a_query_even_when_everything_fails() -> None:
    with running_edge([find_server_port()], CONNECTIONS_PER_MINUTE="1", CONNECTION_BURST="2") as edge:
        with httpx.Client(base_url=edge.origin, verify=edge.tls_context()) as client:
            codes = {client.get("/ws/chat/?ticket=a-secret&user=usr-0123456789ab").status_code for _ in range(6)}
            client.get("/api/invite/a-secret")
            client.get("/api/users?search=a-secret", headers={"Referer": "https://localhost/?ticket=a-secret"})
        edge.nginx.process.stop()
        assert codes == {502, 429}
        assert len(re.findall(r'"path":"/ws/chat/"', edge.logs)) == 6
        assert "a-secret" not in edge.logs
