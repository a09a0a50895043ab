"""A server of the standard library on a free loopback port, whose answers are a function of the requests."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """A request.

    Attributes:
        method: Its method.
        path: Its path, with the query.
        headers: Its headers.
        body: Its body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer; a `Content-Length` in its headers stands in place of the length of the body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def answering(answer: Callable[[Received], Reply], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers in threads of its own, by TLS where `tls` has a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.reply(b"")

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers["Content-Length"])))

        do_HEAD = do_DELETE = do_GET  # noqa: N815
        do_PUT = do_POST  # noqa: N815

        def reply(self, body: bytes) -> None:
            out = answer(Received(self.command, self.path, dict(self.headers), body))
            self.send_response(out.status)
            for name, value in {"Content-Length": str(len(out.body)), **out.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(out.body)
            self.close_connection = self.close_connection or "Content-Length" in out.headers

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
