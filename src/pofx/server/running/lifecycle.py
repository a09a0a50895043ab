"""The life of a server: it takes an address, answers, and ends at a signal."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from pofx.errors import Argument, BadValue
from pofx.server.incoming.protocol import Protocol
from pofx.server.settings import Settings
from pofx.server.work import Desk

# Work that is stopped ends at its next pass. If a pass takes longer than so many seconds, the process ends without it.
LAST_PASS = 10.0
# How many seconds a connection may idle between two requests. Clients keep connections for longer than uvicorn's 5 s, and
# a request that meets the end of the connection fails.
KEEP_ALIVE = 75
# How many connections the system holds until they are accepted.
_BACKLOG = 512


def bind(host: str, port: int) -> socket.socket:
    """Take an address before models are loaded, so that a port in use is an error at once.

    The socket does not listen yet, so that a client that reaches the server finds all models loaded.

    Args:
        host: A name or an address.
        port: The port; 0 for a free one.

    Returns:
        The bound socket, which does not listen.

    Raises:
        BadValue: This machine does not have the address, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        out = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as e:
        raise BadValue(
            f"expected an address of this machine, got {host!r:.60} ({getattr(e, 'strerror', None) or e})",
            "write an address, such as 127.0.0.1",
            Argument("host", "--host"),
        ) from None
    try:
        out.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a server that was killed is followed at once
        out.bind(address)
    except OSError as e:
        out.close()
        raise _not_free(e, host, port) from None
    return out


def _not_free(error: OSError, host: str, port: int) -> BadValue:
    if error.errno == errno.EADDRNOTAVAIL:
        return BadValue(
            f"expected an address of this machine, got {host!r:.60}",
            "write an address, such as 127.0.0.1",
            Argument("host", "--host"),
        )
    why = "a port that is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return BadValue(
        f"expected a free port, got {port} ({why})", "choose another, or 0", Argument("port", "--port")
    )


def run(app: Starlette, at: socket.socket, settings: Settings, ready: Callable[[int], None]) -> None:
    """Answer until a signal, then finish the admitted requests.

    Args:
        app: The application.
        at: The socket that `bind` returned.
        settings: The settings, of which `host` and `grace` are read.
        ready: A function that is called with the port as soon as clients can connect.

    Raises:
        BadValue: Another process took the port while the models were loaded.
    """
    port = at.getsockname()[1]
    try:
        at.listen(_BACKLOG)
    except OSError as e:
        raise _not_free(e, settings.host, port) from None
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # our bugs, with their tracebacks
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.grace + LAST_PASS),
        backlog=_BACKLOG,
        loop="asyncio",
    )
    _Server(config, app.state.desk, settings.grace, lambda: ready(port)).run([at])


class _Server(uvicorn.Server):
    """A server that ends with exit code 0 at a signal."""

    def __init__(self, config: uvicorn.Config, desk: Desk, grace: float, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._desk, self._grace, self._ready = desk, grace, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the admitted requests; a request that takes longer than the grace stops at its next pass."""
        self._desk.close()
        asyncio.get_running_loop().call_later(self._grace, self._desk.stop)
        last = threading.Timer(self._grace + LAST_PASS, _leave)
        last.daemon = True
        last.start()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the server; a second signal stops the admitted requests at their next pass.

        uvicorn's own handler would also raise the signal once more at the end, and so replace the exit code.
        """
        if self.should_exit:
            self._desk.stop()
        self._desk.close()
        self.should_exit = True


def _leave() -> None:
    """End the process, even where a thread still computes."""
    sys.stderr.flush()
    os._exit(0)
