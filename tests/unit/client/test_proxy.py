"""The proxy cuts, stalls and delays connections for real."""

import asyncio
import contextlib
import time

import pytest

from tests.client.proxy import Proxy, running_proxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionResetError), contextlib.closing(writer):
        while data := await reader.read(100):
            writer.write(data)


async def open_echo(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def test_bytes_pass_both_ways_and_a_delay_holds_them_back() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, running_proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await open_echo(proxy)
        proxy.delay = 0.1
        started = time.monotonic()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert time.monotonic() - started >= 0.2
        writer.close()


async def test_a_stalled_proxy_keeps_the_connection_open_and_says_nothing() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, running_proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await open_echo(proxy)
        proxy.stall()
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(5)
        proxy.resume()
        assert await reader.readexactly(5) == b"hello"
        writer.close()


async def test_a_reset_and_a_plain_end_differ_for_the_client() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, running_proxy(server.sockets[0].getsockname()[1]) as proxy:
        for reset in (True, False):
            reader, writer = await open_echo(proxy)
            writer.write(b"x")
            await reader.readexactly(1)
            proxy.cut(reset=reset)
            if reset:
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
            else:
                assert await reader.read(1) == b""
            writer.close()
