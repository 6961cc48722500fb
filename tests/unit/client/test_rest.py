"""REST calls of a client that does not give up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.client.rest import NoAnswer, RestClient


@contextlib.asynccontextmanager
async def scripted_server(answers: Sequence[bytes]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Give one answer to each request, the last to all further ones; b"" is a cut instead. Also what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(head)
        if answer:
            writer.write(b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" % answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_a_call_is_asked_again_until_it_is_answered() -> None:
    answers = [b"", b"503 Service Unavailable", b"429 Too Many Requests", b"201 Created"]
    async with scripted_server(answers) as (url, asked), RestClient(url) as rest:
        answer = await rest.ask("POST", "blocks", {"user_id": "usr-a"}, token="secret")
    assert answer.status_code == 201
    assert len(asked) == 4
    assert all(head.startswith(b"POST /api/blocks HTTP/1.1") for head in asked)
    assert all(b"Token secret" in head for head in asked)


async def test_a_refusal_is_an_answer() -> None:
    async with scripted_server([b"404 Not Found"]) as (url, asked), RestClient(url) as rest:
        assert (await rest.ask("DELETE", "blocks/usr-a")).status_code == 404
    assert len(asked) == 1


async def test_a_server_that_never_answers_is_told_of() -> None:
    async with scripted_server([b"502 Bad Gateway"]) as (url, _), RestClient(url, patience=0.5) as rest:
        with pytest.raises(NoAnswer, match=r"GET user/me had no answer .*502"):
            await rest.ask("GET", "user/me")
