"""A server in a process of its own, and raw sockets to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

# Seconds until a server that does not answer is a failure.
DEADLINE = 60.0
# A client a connection: an answer leaves nothing open at the server.
CLIENT = httpx.Client(timeout=DEADLINE, trust_env=False, verify=False, headers={"Connection": "close"})


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        process: Its process.
        url: Where it answers, such as http://127.0.0.1:40001.
        models: Where each of its models lies, by its name.
        errors: The file of its standard error.
        banner: What it wrote when it was ready.
    """

    process: subprocess.Popen[bytes]
    url: str
    models: Mapping[str, str]
    errors: Path
    banner: str

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return CLIENT.get(self.url + path, **options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return CLIENT.post(self.url + path, json=body, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return CLIENT.request(method, self.url + path, **options)

    def metric(self, name: str) -> float:
        """A number of `/metrics`, by its name with labels."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return self.metric("pofx_queue_tokens") == 0 and self.metric("pofx_running") == 0

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def resident(self) -> int:
        """Bytes of memory that it holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(DEADLINE)


def until(holds: Any, what: str = "the condition") -> None:
    """Ask until something holds; the deadline is a failure."""
    stop = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < stop, f"{what} never held"
        time.sleep(0.01)


@contextlib.contextmanager
def serving(
    home: Path, models: Mapping[str, str], *options: str, port: int = 0, **environment: str
) -> Iterator[Server]:
    """Start a server, by default on a free port, and end it."""
    errors = home / "errors.txt"
    named = [word for name, model in models.items() for word in ("-m", f"{name}={model}")]
    with errors.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "pofx", "serve", "--port", str(port), *named, *options],
            stdout=subprocess.PIPE,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
    try:
        assert process.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith(b"Ctrl-C"):
            lines.append(process.stdout.readline())
            assert lines[-1], errors.read_text()
        banner = b"".join(lines).decode()
        url = re.search(r"http://[^\s/]+:\d+", banner)
        assert url is not None
        yield Server(process, url[0], models, errors, banner)
    finally:
        process.kill()
        process.wait(DEADLINE)
        assert process.stdout is not None
        process.stdout.close()


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(server.address, DEADLINE) as s:
        yield s


def http(method: str, path: str, body: bytes = b"", *headers: str, host: str = "127.0.0.1") -> bytes:
    """A request as bytes; a body says that it is JSON unless a header says otherwise."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if body and not any(h.lower().startswith("content-type") for h in headers):
        lines.append("Content-Type: application/json")
    if body and not any(h.lower().startswith(("content-length", "transfer-encoding")) for h in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        out: dict[str, Any] = json.loads(self.body)["error"]
        return out


def read_answer(stream: Any) -> Answer | None:
    """The next answer of a connection; None where it is closed."""
    first = stream.readline()
    if not first:
        return None
    headers = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Answer(int(first.split()[1]), headers, stream.read(int(headers.get("content-length", 0))))


def ask(server: Server, request: bytes) -> Answer | None:
    """Send bytes on a connection of their own, and read one answer."""
    with connected(server) as s, s.makefile("rb") as stream:
        with contextlib.suppress(OSError):  # it may answer and close before it has read all
            s.sendall(request)
        return read_answer(stream)


SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
