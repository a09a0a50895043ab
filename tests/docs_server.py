"""`pofx serve … &`, `curl` and `kill %1` of the pages: a server in a process of its own, on a free port.

A page shows port 8000. The server listens at a free port, and the two are exchanged in commands and in what they print.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SHOWN = "127.0.0.1:8000"
SECONDS = 60


class PageServer:
    """The server of a page, while it runs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._address = SHOWN

    def start(self, arguments: list[str]) -> str:
        """Start a server; answers what it says when it is ready."""
        assert self._process is None, "a page has one server at a time"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pofx", *arguments, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ},
        )
        assert self._process.stdout is not None
        said = ""
        while not said.splitlines()[-1:] or not said.splitlines()[-1].startswith("Ctrl-C"):
            line = self._process.stdout.readline()
            assert line, f"the server ended: {said}"
            said += line
        found = re.search(r"127\.0\.0\.1:\d+", said)
        assert found is not None
        self._address = found[0]
        return self.shown(said)

    def real(self, text: str) -> str:
        """A command or program of the page, with the port that is meant."""
        return text.replace(SHOWN, self._address)

    def shown(self, text: str) -> str:
        """What was printed, with the port of the page."""
        return text.replace(self._address, SHOWN)

    def curl(self, arguments: list[str]) -> str:
        """Just enough of curl: `curl [-s] [--json BODY] [--data-binary @FILE] [-H HEADER]… URL`."""
        import httpx2

        body: str | bytes | None = None
        url, headers = "", {}
        rest = iter(arguments)
        for word in rest:
            if word == "--json":
                body = next(rest)
                headers["Content-Type"] = "application/json"
            elif word == "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            elif word == "--data-binary":
                body = Path(next(rest).removeprefix("@")).read_bytes()
            elif word == "-d":
                body = next(rest)
                headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            elif word != "-s":
                url = self.real(word)
        method = "GET" if body is None else "POST"
        answer = httpx2.request(method, url, content=body, headers=headers, timeout=SECONDS, trust_env=False)
        return self.shown(answer.text) + "\n"

    def stop(self) -> None:
        """End the server as `kill` does; it must end with 0."""
        if self._process is not None:
            self._process.terminate()
            code = self._process.wait(SECONDS)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process, self._address = None, SHOWN
            assert code == 0, code
