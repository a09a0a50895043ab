"""Whether a path is a URL (`s3://bucket/a.txt`), and the refusal to write to a URL."""

from __future__ import annotations

import os
import re

from pofx.errors import BadValue

# At least two letters: "C:" is a drive of Windows.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(path: str) -> bool:
    """Return whether a path begins with a protocol. A local file of such a name is reached as `./s3://…`."""
    return _URL.match(path) is not None


def check_local(path: str | os.PathLike[str], argument: str | None = None) -> None:
    """Raise `BadValue` where an output path is a URL, since each output is first written beside its path, then renamed."""
    if is_url(os.fspath(path)):
        raise BadValue(
            f"expected a path on this machine, got the URL {os.fspath(path)!r}",
            "write to a local path, and copy the result",
            argument,
        )


def local_path(path: str) -> str:
    """Return the path on this machine that `file://…` names; any other path as it is."""
    protocol, _, rest = path.partition("://")
    return rest if protocol.lower() in ("file", "local") else path
