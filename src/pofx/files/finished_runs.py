"""The finished output files, remembered in the cache, so that a repeated run can tell that it has nothing to do."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.atomic import write_atomically
from pofx.files.cache import FINISHED, cache_dir
from pofx.files.json_file import find_object, seal_of

MOST = 1024  # files that are remembered
MOST_BYTES = 1 << 20


def remember(target: Path, parts: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Note in the cache that the run of these `parts` made the file, and its last `state`; errors of writing are ignored."""
    place = _place(target)
    with suppress(OSError):
        record = {"run": seal_of(parts), "file": _stamp(target), "state": dict(state)}
        old = list(place.parent.iterdir()) if place.parent.is_dir() else []
        if len(old) >= MOST:
            for path in old:
                path.unlink(missing_ok=True)
        write_atomically(place, json.dumps({**record, "seal": seal_of(record)}).encode("ascii"))


def is_known(target: Path) -> bool:
    """Return whether the file has the size, the time and the inode with which a remembered run left it."""
    return _record(target) is not None


def final_state(target: Path, parts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the last state of the run of these parts that made the file; None where no such run is known."""
    record = _record(target)
    if record is None or record["run"] != seal_of(parts):
        return None
    found: dict[str, Any] = record["state"]
    return found


def _record(target: Path) -> dict[str, Any] | None:
    try:
        record = find_object(_place(target), MOST_BYTES, infinite=True)
        stamp = _stamp(target)
    except (OSError, BadSource):
        return None
    if record is None or record.pop("seal", None) != seal_of(record) or record["file"] != stamp:
        return None
    return record


def _place(target: Path) -> Path:
    name = hashlib.blake2b(os.fsencode(os.path.realpath(target)), digest_size=16).hexdigest()
    return cache_dir() / FINISHED / f"{name}.json"


def _stamp(target: Path) -> list[int]:
    found = target.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]
