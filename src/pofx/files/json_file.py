"""The one reader of a JSON object from a file, which limits the size of the file, and refuses anything else in one line."""

# The reader uses plain `json`, since msgspec and pydantic are no dependencies. Most of these files come from strangers and
# have no declared type, and each file of pofx has a seal. The hooks see a number of 5,000 digits or a key twice.

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pofx.errors import Advice, BadSource


def read_object(
    path: Path,
    most: int,
    noun: str = "a JSON object",
    advice: str | Advice = "copy or download it again",
    infinite: bool = False,
) -> dict[str, Any]:
    """Read the JSON object in a file.

    Args:
        path: the file; a link is followed, and a pipe or a device is refused before it is opened.
        most: the largest size of the file, in bytes.
        noun: the noun of the expected content, for the message.
        advice: the advice about a file with other content.
        infinite: whether NaN, Infinity and numbers beyond a float's range are read, which Python's json writes.

    Raises:
        BadSource: the file is missing, unreadable, too large, or its content is refused by `parse_object`.

    Right: `read_object(directory / "config.json", 1 << 22)`. Wrong: `read_object(corpus, 1 << 22)`, since a corpus may be
    an array of objects.
    """
    refuse = partial(_refuse, str(path), noun, advice)
    try:
        if path.exists() and not path.is_file():
            refuse("a directory or a device")
        with path.open("rb") as f:
            raw = f.read(most + 1)
        if not raw:
            refuse("an empty file")
        if len(raw) > most:
            size = f"{most >> 20:,} MiB" if most >> 20 else f"{most >> 10:,} KiB"
            found = f"more: {path.stat().st_size:,} bytes"
            _refuse(str(path), f"{noun} of at most {size}", advice, found)
    except OSError as e:
        # Neither a copy nor a download mends a file that may not be read.
        _refuse(str(path), noun, "check the path and its permissions", e.strerror or str(e))
    return parse_object(raw, str(path), noun, advice, infinite)


def find_object(
    path: Path,
    most: int,
    noun: str = "a JSON object",
    advice: str | Advice = "copy or download it again",
    infinite: bool = False,
) -> dict[str, Any] | None:
    """Read the JSON object in a file as `read_object` does; None where there is no file of that name."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # `read_object` raises the error with its reason
    return read_object(path, most, noun, advice, infinite)


def parse_object(
    raw: bytes,
    where: str,
    noun: str = "a JSON object",
    advice: str | Advice = "copy or download it again",
    infinite: bool = False,
) -> dict[str, Any]:
    """Parse bytes as one JSON object in UTF-8. Arguments are those of `read_object`; `where` names the bytes.

    Raises:
        BadSource: the bytes are no UTF-8, no JSON or no object, or are nested too deeply. Or an object has a key twice, or
            Python does not read a number.
    """
    refuse = partial(_refuse, where, noun, advice)
    checked: dict[str, Any] = {} if infinite else {"parse_constant": _no_number, "parse_float": _finite}
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, **checked)
    except RecursionError:
        refuse("JSON nested too deeply")
    except UnicodeDecodeError as e:
        refuse(f"no UTF-8: the byte 0x{raw[e.start]:02x} at byte {e.start + 1:,}")
    except json.JSONDecodeError as e:
        refuse(f"no JSON: {e.msg} at line {e.lineno}, column {e.colno}; the file may be truncated")
    except ValueError as e:
        refuse(unreadable(e))
    if not isinstance(found, dict):
        refuse(json_kind(found))
    return found


def json_kind(value: object) -> str:
    """Return the kind of a value in the words of JSON, for a message."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return {**names, dict: "an object", str: "a string"}.get(type(value), type(value).__name__)


def key_twice(pairs: Sequence[tuple[str, Any]]) -> str | None:
    """Return the first key that an object has twice, for a message; None where each key occurs once."""
    if len({key for key, _ in pairs}) == len(pairs):
        return None
    seen: set[str] = set()
    twice = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
    return f"the key {twice[:60]!r} twice"


def unreadable(e: ValueError) -> str:
    """Return the reason why valid JSON is refused, for a message; invalid JSON raises `JSONDecodeError` instead."""
    if isinstance(e, _Unreadable):
        return str(e)
    # The only other error is Python's own, whose message advises a call of Python.
    return f"a whole number of more than {sys.get_int_max_str_digits():,} digits"


class _Unreadable(ValueError):
    """A value that a hook refuses."""


def _refuse(where: str, noun: str, advice: str | Advice, found: str) -> NoReturn:
    raise BadSource(f"{where}: expected {noun}, got {found}", advice) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = key_twice(pairs)
    if twice is not None:
        raise _Unreadable(twice)
    return dict(pairs)


def _no_number(name: str) -> NoReturn:
    raise _Unreadable(f"{name}, which is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Unreadable(f"the number {text[:40]}, which no float holds")
    return value


def seal_of(record: Mapping[str, Any]) -> str:
    """Return a hash of a record, which is saved with the record, so that a reader detects any changed digit."""
    plain = json.dumps(record, sort_keys=True).encode("ascii")
    return hashlib.blake2b(plain, digest_size=16).hexdigest()
