"""`pofx serve` in a process of its own, and clients that keep a connection open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from score_run import environment

COMPUTED = "pofx_pass_seconds_sum"


class Server:
    """`pofx serve` in a process of its own."""

    def __init__(self, source: str, *options: str, threads: int = 1, **more: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "pofx", "serve", "-m", source, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**environment(threads), **more},
        )
        assert self.child.stdout is not None
        self.port = 0
        for line in self.child.stdout:
            if "http://127.0.0.1:" in line:
                self.port = int(line.split("http://127.0.0.1:")[1].split("/")[0].split()[0].rstrip(".,"))
                break
        assert self.port, "the server said no port"
        stop = time.monotonic() + 120
        while self.get("/ready")[0] != 200:
            assert time.monotonic() < stop, "the server is not ready"
            time.sleep(0.1)

    def get(self, path: str) -> tuple[int, bytes]:
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def connect(self) -> HTTPConnection:
        """A connection of its own, not yet open."""
        return HTTPConnection("127.0.0.1", self.port, timeout=600)

    def memory(self) -> int:
        """Resident bytes."""
        for line in Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def computed(self) -> float:
        """Seconds that the server has computed so far."""
        return self.metric(COMPUTED)

    def metric(self, name: str) -> float:
        """A number of /metrics."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.child.pid}/task"))

    def connections(self) -> int:
        """How many connections of clients the server holds, those included that are still closing.

        The kernel lists all sockets of the machine: the address at this end has the port of the server. A socket that
        listens has the state 0A, and a socket that no process holds has the inode 0.
        """
        rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        end = f":{self.port:04X}"
        return sum(r[1].endswith(end) and r[3] != "0A" and r[9] != "0" for r in rows)

    def quiet(self) -> None:
        """Wait until the server works on nothing and holds no connection."""
        stop = time.monotonic() + 120
        while self.metric("pofx_queue_tokens") or self.metric("pofx_running") or self.connections():
            assert time.monotonic() < stop, "the server does not come to rest"
            time.sleep(0.02)

    def close(self) -> None:
        self.child.terminate()
        assert self.child.wait(timeout=60) == 0


class Client:
    """One connection, kept open."""

    def __init__(self, server: Server) -> None:
        self.connection = server.connect()

    def close(self) -> None:
        self.connection.close()

    def post(self, path: str, body: dict) -> dict:
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data[:300]
        return json.loads(data)

    def total(self, text: str, given: str = "") -> float:
        asked = {"texts": [text], "given": given, "boundary": "token"} if given else {"texts": [text]}
        return self.post("/v1/score", asked)["scores"][0]["total_nats"]


def by_clients(
    server: Server, texts: list[str], clients: int, given: str | list[str] = ""
) -> tuple[float, list[float]]:
    """Wall seconds and numbers of texts that so many clients ask for, one text a request.

    `given` is the context of every text, or a list with the context of each text.
    """
    contexts = [given] * len(texts) if isinstance(given, str) else given
    pairs = list(zip(range(len(texts)), texts, contexts, strict=True))
    found: dict[int, float] = {}

    def ask(mine: list[tuple[int, str, str]]) -> None:
        with closing(Client(server)) as client:
            for k, text, context in mine:
                found[k] = client.total(text, context)

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, [pairs[k::clients] for k in range(clients)]))
    return time.perf_counter() - start, [found[k] for k in range(len(texts))]
