"""A JSON object from a file that somebody else wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pofx.errors import BadSource


def read_object(path: Path, most: int) -> dict[str, Any]:
    """The object in a JSON file of at most so many bytes; `BadSource` in one line for anything else.

    Refused: no file (a pipe, a directory), too large, no UTF-8, cut off, nested too deeply, a key twice, numbers
    of thousands of digits.

    Right: `read_object(directory / "config.json", 1 << 22)`. Wrong: on what must be an array.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadSource(f"{path}: expected a JSON file, found a directory or a device", None)
        with path.open("rb") as f:
            raw = f.read(most + 1)
    except OSError as e:
        raise BadSource(
            f"{path}: expected a readable JSON file, found: {e.strerror or e}", "check its permissions"
        ) from None
    if len(raw) > most:
        raise BadSource(
            f"{path}: expected at most {most >> 10:,} KiB of JSON, found more", "is it the right file?"
        )
    return parse_object(raw, str(path))


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """The object that bytes spell; `BadSource` names `where`."""
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise BadSource(f"{where}: expected a JSON object, found one nested too deeply", None) from None
    except ValueError as e:  # no JSON, no UTF-8, a key twice, a number of thousands of digits
        why = " ".join(str(e).split())
        raise BadSource(
            f"{where}: expected a JSON object, found: {why:.100}", "copy or download it again"
        ) from None
    if not isinstance(found, dict):
        raise BadSource(f"{where}: expected a JSON object, found a {type(found).__name__}", None)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        seen: set[str] = set()
        twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} twice")
    return out
