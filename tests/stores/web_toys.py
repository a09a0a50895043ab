"""Stand-ins of a few lines for a server of files and for the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from store_toys import FOLDERS  # isort: skip  (finds the module below)

from loopback import Received, Reply

assert FOLDERS


@dataclass
class Web:
    """A server of files that can only be read.

    Attributes:
        files: The content of each path.
        ranges: Whether the server gives ranges.
        says: Whether a server without ranges says so.
        tags: Whether the server gives an ETag, which is then the hash of the content.
        seen: The requests that came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    says: bool = True
    tags: bool = True
    seen: list[Received] = field(default_factory=list)

    def answer(self, request: Received) -> Reply:
        self.seen.append(request)
        if request.method not in ("GET", "HEAD"):
            return Reply(405, b"")
        return self.file(request, unquote(urlsplit(request.path).path).removeprefix("/"))

    def file(self, request: Received, path: str) -> Reply:
        """Answer with a file, or with the asked range of it."""
        data = self.files.get(path)
        if data is None:
            return Reply(404, b"")
        headers = {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'} if self.tags else {}
        if self.says:
            headers["Accept-Ranges"] = "bytes" if self.ranges else "none"
        if request.method == "HEAD":
            return Reply(200, b"", {**headers, "Content-Length": str(len(data))})
        found = re.fullmatch(
            r"bytes=(\d+)-(\d*)", request.headers.get("Range", request.headers.get("range", ""))
        )
        if found is None or not self.ranges:
            return Reply(200, data, headers)
        start, stop = int(found[1]), min(int(found[2] or len(data)) + 1, len(data))
        if start >= len(data):
            return Reply(416, b"", headers)
        return Reply(
            206, data[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        )


REPOSITORY = "datasets/someone/texts"


@dataclass
class Hub(Web):
    """The endpoints of the Hugging Face Hub by which `HfFileSystem` lists and reads the one repository `REPOSITORY`."""

    def answer(self, request: Received) -> Reply:
        self.seen.append(request)
        path = unquote(urlsplit(request.path).path).removeprefix("/")
        if request.method == "POST" or not path.removeprefix("api/").startswith(REPOSITORY):
            return Reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if path.startswith(f"{REPOSITORY}/resolve/main/"):
            return self.file(request, path.removeprefix(f"{REPOSITORY}/resolve/main/"))
        if path.startswith(f"api/{REPOSITORY}/tree/main"):
            below = path.removeprefix(f"api/{REPOSITORY}/tree/main").strip("/")
            return self.tree(f"{below}/" if below else "", "recursive=true" in request.path.lower())
        return Reply(200, json.dumps({"id": REPOSITORY.removeprefix("datasets/"), "sha": "0" * 40}).encode())

    def tree(self, below: str, recursive: bool) -> Reply:
        """Answer with the files and folders below a folder."""
        found: dict[str, dict[str, object]] = {}
        for path, data in self.files.items():
            if not path.startswith(below):
                continue
            first, *rest = path.removeprefix(below).split("/")
            if rest:
                name = below + first
                found[name] = {
                    "type": "directory",
                    "path": name,
                    "oid": hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(),
                    "size": 0,
                }
            if not rest or recursive:
                code = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
                found[path] = {"type": "file", "path": path, "oid": code, "size": len(data)}
        if not found:
            return Reply(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        return Reply(200, json.dumps(list(found.values())).encode())
