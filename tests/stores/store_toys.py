"""A door to a store, which can refuse, change and lose requests."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FOLDERS = tuple(str(Path(__file__).parents[1] / name) for name in ("", "jobs/sharded"))
sys.path[:0] = [f for f in FOLDERS if f not in sys.path]

from loopback import Received, Reply  # noqa: E402

KEYS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass
class Door:
    """What stands between the store and its users.

    Attributes:
        address: Where users knock.
        behind: The address of the store.
        rule: A function that may answer a request, change it, or break the connection by an error; None passes it on.
        seen: The requests that came.
    """

    behind: str
    address: str = ""
    rule: Callable[[Received], Reply | Received | None] = lambda request: None
    seen: list[Received] = field(default_factory=list)

    def answer(self, request: Received) -> Reply:
        self.seen.append(request)
        ruled = self.rule(request)
        return ruled if isinstance(ruled, Reply) else self.passed_on(ruled or request)

    def passed_on(self, request: Received) -> Reply:
        to = http.client.HTTPConnection(self.behind)
        headers = {k: v for k, v in request.headers.items() if k.lower() != "connection"}
        to.request(request.method, request.path, request.body, headers)
        got = to.getresponse()
        body = got.read()
        left_out = {"connection", "transfer-encoding", "server", "date"}
        if request.method != "HEAD":
            left_out.add("content-length")
        reply = {k: v for k, v in got.getheaders() if k.lower() not in left_out}
        to.close()
        return Reply(got.status, body, reply)
