"""What a gateway bounds of HTTP before Django sees it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
import uvicorn

from apps.gateway import http_limits, request_body
from apps.gateway.http_limits import MAX_BODY_BYTES, MAX_HEAD_BYTES, BoundedHttpApplication, BoundedHttpProtocol


def scope(path: str = "/", headers: Iterable[tuple[bytes, bytes]] = ()) -> dict[str, Any]:
    return {"type": "http", "path": path, "headers": list(headers)}


async def ask(application: Any, chunks: Iterable[bytes], request: dict[str, Any]) -> list[Any]:
    """What a client gets that sends these chunks."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await application(request, receive, send)
    return sent


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send(await receive())


async def test_a_body_comes_whole_and_a_longer_one_is_refused() -> None:
    application = BoundedHttpApplication(echo)
    assert await ask(application, [b"a", b"b"], scope()) == [
        {"type": "http.request", "body": b"ab", "more_body": False}
    ]
    start, _ = await ask(application, [b"x" * 65_536] * 17, scope())
    assert start["status"] == 413
    declared = scope(headers=[(b"content-length", str(MAX_BODY_BYTES + 1).encode())])
    start, _ = await ask(application, [], declared)
    assert start["status"] == 413


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.01)
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await BoundedHttpApplication(echo)(scope(), never, send)
    assert sent[0]["status"] == 408


async def test_so_many_run_at_once_and_static_files_and_health_beside_them() -> None:
    running, most, go_on = 0, 0, asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if scope["path"] == "/":
            await go_on.wait()
        running -= 1

    application = BoundedHttpApplication(slow)
    asked = [asyncio.ensure_future(ask(application, [], scope())) for _ in range(http_limits.RUNNING * 2)]
    while running < http_limits.RUNNING:
        await asyncio.sleep(0)
    await ask(application, [], scope("/readyz"))
    await ask(application, [], scope("/static/a.js"))
    go_on.set()
    await asyncio.gather(*asked)
    assert most == http_limits.RUNNING + 1
    assert running == 0


@pytest.mark.parametrize("chunk", [b"a" * 4096, b"a: b\r\n" * 700])
async def test_a_head_without_end_ends_the_connection(chunk: bytes) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("a head that never ends is no request")

    config = uvicorn.Config(application, http=BoundedHttpProtocol, lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    ended, written = asyncio.ensure_future(reader.read()), 0
    while not ended.done() and written < 64 * MAX_HEAD_BYTES:
        writer.write(chunk)
        written += len(chunk)
        await asyncio.sleep(0.001)
    await asyncio.wait([ended], timeout=10)
    assert isinstance(ended.exception(), ConnectionError) or ended.result() == b""
    assert written < 64 * MAX_HEAD_BYTES
    writer.close()
    listening.close()
