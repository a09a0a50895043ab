"""HTTP on a socket, by uvicorn, with deadlines for slow clients and refusals in the server's own shape."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from pofx.server.incoming.errors import RequestError, refusal
from pofx.server.work import shutting_down

# How many seconds a client has to send a request, and to take what is written to it. 8 MiB in 60 s is 1.1 Mbit/s.
SECONDS = 60.0
# The most connections at once. Each holds a file descriptor, of which a process has 1,024.
CONNECTIONS = 512


class Protocol(H11Protocol):
    """One connection.

    A request must be complete `SECONDS` after its first byte, headers and body together; so a client that sends a byte a
    minute cannot hold a connection. Between two requests uvicorn's own deadline holds.
    """

    seconds, most = SECONDS, CONNECTIONS
    _sending: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch the first request, or refuse the connection where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(
                RequestError(
                    429,
                    "too_many_connections",
                    f"expected at most {self.most} connections, got more",
                    advice=("close some connections", "ask again later"),
                    headers={"Retry-After": "1"},
                )
            )
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock of the connection."""
        for timer in (self._sending, self._taking):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read the bytes that have come."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """Begin the next request, whose bytes may have come already."""
        super().on_response_complete()
        self._watch()

    def shutdown(self) -> None:
        """End after the admitted requests; a request that is still being sent is not admitted."""
        if self.conn.their_state is h11.SEND_BODY:
            self._refuse(shutting_down())
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Give a client that reads nothing some time to go on."""
        super().pause_writing()
        self._taking = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the clock of a client that reads again."""
        if self._taking is not None:
            self._taking.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP."""
        self._refuse(
            RequestError(400, "invalid_http", "expected an HTTP/1.1 request, got bytes that are none")
        )

    def _watch(self) -> None:
        """Start the clock with the first byte of a request, and stop it with the last."""
        state = self.conn.their_state
        first = self.cycle is None
        begun = state is h11.SEND_BODY or (state is h11.IDLE and (first or bool(self.conn.trailing_data[0])))
        if begun and self._sending is None:
            self._sending = self.loop.call_later(self.seconds, self._too_slow)
        elif not begun and self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _too_slow(self) -> None:
        self._refuse(
            RequestError(
                408,
                "too_slow",
                f"expected a complete request within {self.seconds:g} s, got a part",
                advice=("send the request faster", "split the request"),
            )
        )

    def _refuse(self, error: RequestError) -> None:
        """Refuse the request where no answer has begun, and close the connection."""
        if not self.transport.is_closing() and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = refusal(error)
            headers: list[Any] = [*answer.raw_headers, (b"connection", b"close")]
            events: list[Any] = [
                h11.Response(
                    status_code=error.status, headers=headers, reason=HTTPStatus(error.status).phrase.encode()
                ),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ]
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # the application has nobody to answer
            self.cycle.message_event.set()
        self.transport.close()
