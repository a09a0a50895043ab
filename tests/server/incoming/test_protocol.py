"""Slow and greedy connections, at a server in this process whose deadlines are a fraction of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from pofx.server.incoming.protocol import Protocol
from served import Answer, http

# Seconds: of a deadline that must pass, and until a test fails.
SOON, LATE = 0.3, 30.0


class Quick(Protocol):
    seconds, most = SOON, 3


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body, and with 64 MB where the path asks for it."""
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    body = b"%d" % length if scope["path"] != "/much" else bytes(64 << 20)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


def served(test: Callable[[str, int, ServerState], Awaitable[None]]) -> None:
    """Run a test beside a server."""

    async def main() -> None:
        config, state = uvicorn.Config(echo, http=Quick, ws="none", log_config=None), ServerState()
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: Quick(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with asyncio.timeout(LATE):
            await test(*server.sockets[0].getsockname(), state)
            while state.connections:
                await asyncio.sleep(0.01)
        server.close()

    asyncio.run(main())


async def answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
    return Answer(int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"])))


SLOW = {
    "nothing": b"",
    "a part of the headers": b"POST / HTTP/1.1\r\nHost: a\r\nX",
    "no body": http("POST", "/", b"", "Content-Length: 5"),
    "a part of the body": http("POST", "/", b"ab", "Content-Length: 5"),
    "a part of the chunks": http("POST", "/", b"2\r\nab\r\n", "Transfer-Encoding: chunked"),
    "a part of the second request": http("GET", "/") + b"GET / HT",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_a_request_that_is_never_complete_is_refused(sent: bytes) -> None:
    async def test(host: str, port: int, state: ServerState) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        if sent.endswith(b"HT"):
            assert (await answer(reader)).status == 200
        found = await answer(reader)
        assert (found.status, found.error["code"]) == (408, "too_slow")
        assert await reader.read() == b""
        writer.close()

    served(test)


def test_a_byte_at_a_time_is_no_way_around_the_deadline() -> None:
    async def test(host: str, port: int, state: ServerState) -> None:
        _, writer = await asyncio.open_connection(host, port)
        writer.write(http("POST", "/", b"", "Content-Length: 1000000"))
        while not state.connections:
            await asyncio.sleep(0.01)
        while state.connections:
            writer.write(b"x")
            await asyncio.sleep(0.01)
        writer.transport.abort()  # the server has reset the connection, or is about to

    served(test)


def test_a_connection_that_idles_between_two_requests_is_kept() -> None:
    async def test(host: str, port: int, state: ServerState) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(http("POST", "/", b"abc"))
            assert (await answer(reader)).body == b"3"
            await asyncio.sleep(2 * SOON)
        writer.close()

    served(test)


def test_a_client_that_takes_nothing_is_left() -> None:
    async def test(host: str, port: int, state: ServerState) -> None:
        _, writer = await asyncio.open_connection(host, port, limit=1)
        writer.write(http("GET", "/much"))
        while not state.connections:
            await asyncio.sleep(0.01)
        while state.connections:  # the server ends it, although the client keeps it open
            await asyncio.sleep(0.01)
        writer.close()

    served(test)


def test_one_connection_too_many_is_refused() -> None:
    async def test(host: str, port: int, state: ServerState) -> None:
        three = [await asyncio.open_connection(host, port) for _ in range(3)]
        for reader, writer in three:
            writer.write(http("GET", "/"))
            assert (await answer(reader)).status == 200
        reader, writer = await asyncio.open_connection(host, port)
        found = await answer(reader)
        assert (found.status, found.error["code"], found.headers["retry-after"]) == (
            429,
            "too_many_connections",
            "1",
        )
        for _, w in [*three, (reader, writer)]:
            w.close()

    served(test)
