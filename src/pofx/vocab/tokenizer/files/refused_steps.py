"""Steps of a tokenizer.json that make the tokenizers library panic or run out of memory on some text, refused by name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pofx.errors import BadSource

MOST_GROWTH = 256  # characters that one may become; a character of Unicode becomes 18 at most
_LEAF, _EXTENDED, _HAS_LEAF = 31, 9, 8  # bits of a unit of a double array
_QUIET = {
    *("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "ByteLevel"),
    *("Digits", "Metaspace", "UnicodeScripts", "Punctuation"),
}


def check_steps(
    normalizers: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], name: str
) -> None:
    """Return for steps that no text makes run away; `BadSource`, which names the step, for any other.

    normalizers, others: the steps before the model, each laid out flat. Panics that hang on the text of a regular
    expression, or on how several steps fit, cannot be read off a file: `may_panic` tells of them.

    Right: before any library opens the file. Wrong: as a proof that encoding never fails.
    """
    growth = 1.0
    for step in normalizers:
        growth *= _growth(step, name)
    if growth > MOST_GROWTH:
        raise BadSource(
            f"{name}: expected normalizers that make at most {MOST_GROWTH} characters of one, found steps that "
            f"may make {growth:,.0f}",
            "get the file again, or use another model",
        )
    for step in others:
        if step["type"] == "FixedLength" and step.get("length") == 0:
            raise BadSource(f"{name}: expected pieces of 1 character or more, found FixedLength of 0", None)


def may_panic(steps: Sequence[Mapping[str, Any]], normalizers: int) -> bool:
    """Whether some text could make the library panic in these steps, of which the first so many are normalizers."""
    return normalizers > 1 or any(s["type"] not in _QUIET for s in steps)


def _growth(step: Mapping[str, Any], name: str) -> float:
    """How many characters this step makes of one, at most; text of constant length is not counted."""
    if step["type"] == "Precompiled":
        return _checked_charsmap(step.get("precompiled_charsmap"), name)
    if step["type"] != "Replace":
        return 1.0
    content, literal = len(step["content"]), step["pattern"].get("String")
    return float(content + 1) if not literal else max(1.0, content / len(literal))


def _checked_charsmap(found: object, name: str) -> float:
    """The length of the longest replacement of a map of characters; `BadSource` for one that leads outside of itself.

    It is a double array of 32-bit units, by which texts are looked up byte by byte, and the replacements, each ended by a
    zero byte. The library goes wherever the units point.
    """
    try:
        raw = base64.b64decode(found, validate=True) if isinstance(found, str) else b""
    except binascii.Error:
        raw = b""
    size = int.from_bytes(raw[:4], "little")
    if len(raw) < 8 or size % 4 or not 4 <= size <= len(raw) - 4:
        raise BadSource(
            f"{name}: expected a precompiled_charsmap in base64 with its size before it, found another",
            "get the file again",
        )
    units = np.frombuffer(raw, "<u4", size // 4, 4).astype(np.int64)
    texts = raw[4 + size :]
    nodes = units >> _LEAF == 0
    first = np.arange(len(units)) ^ ((units >> 10) << ((units & (1 << _EXTENDED)) >> 6))
    ends = first[nodes & (units >> _HAS_LEAF & 1 == 1)]  # where the value of each entry lies
    inside = bool((first[nodes] | 0xFF < len(units)).all()) and not nodes[ends].any()
    values = units[ends] & ((1 << _LEAF) - 1) if inside else np.array([-1])
    starts = np.array([0, *(i + 1 for i, b in enumerate(texts) if b == 0)])
    shown = texts.decode("utf-8", "replace")
    if not np.isin(values, starts).all() or shown.encode() != texts:
        raise BadSource(
            f"{name}: expected a precompiled_charsmap whose entries lie within it, found one that leads outside",
            "get the file again",
        )
    return float(max(1, *map(len, shown.split("\0")), 1))
