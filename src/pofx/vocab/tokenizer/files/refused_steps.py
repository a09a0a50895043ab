"""Steps of a tokenizer.json that make the tokenizers library panic or run out of memory on some text, refused by name."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from pofx.errors import BadSource

MOST_GROWTH = (
    256  # the most characters that normalizers may make of one; a normal form of Unicode makes 18 at most
)
_LEAF, _EXTENDED, _HAS_LEAF = 31, 9, 8  # bits of a unit of a double array
_QUIET = {
    *("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "ByteLevel"),
    *("Digits", "Metaspace", "UnicodeScripts", "Punctuation"),
}


# The fields that our own code reads of a step, each a text.
_TEXTS = {"Replace": "content", "Metaspace": "replacement", "Prepend": "prepend"}
_INNER = ("normalizers", "pretokenizers", "decoders")
_MOST_DEPTH = 64


def flat_steps(part: object, name: str, depth: int = 0) -> tuple[Mapping[str, Any], ...]:
    """Return the steps of a normalizer, pre_tokenizer or decoder in order, with each Sequence replaced by its steps.

    Args:
        part: The parsed JSON of the normalizer, pre_tokenizer or decoder; None for no step.
        name: The file, for the message.
        depth: How many Sequences the part lies within.

    Raises:
        BadSource: A step is no object, or a field that our own code reads is missing or of another type.
    """
    if part is None:
        return ()
    if depth > _MOST_DEPTH:
        _refuse(name, f"at most {_MOST_DEPTH} steps, one within the other", "more steps")
    if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
        # Without a type, the library guesses which step is meant.
        _refuse(name, "an object with a type as each step of the pipeline", type(part).__name__)
    kind = part["type"]
    for key in _INNER:
        if kind == "Sequence" and key in part:
            inner = part[key]
            if not isinstance(inner, list | tuple):
                _refuse(name, f"a list of steps for {key}", type(inner).__name__)
            return tuple(step for p in inner for step in flat_steps(p, name, depth + 1))
    if kind in _TEXTS:
        _check_text(part.get(_TEXTS[kind]), f"{_TEXTS[kind]} of {kind}", name)
    if kind == "Replace":
        pattern = part.get("pattern")
        if not isinstance(pattern, Mapping) or pattern.keys() not in ({"String"}, {"Regex"}):
            _refuse(name, "a String or a Regex as the pattern of Replace", type(pattern).__name__)
        for text in pattern.values():
            _check_text(text, "pattern of Replace", name)
    return (part,)


def _check_text(value: object, what: str, name: str) -> None:
    if not isinstance(value, str):
        _refuse(name, f"a text as the {what}", type(value).__name__)
    if has_surrogates(value):
        _refuse(name, f"Unicode text as the {what}", f"lone surrogates in {value!r:.60}")


def has_surrogates(text: str) -> bool:
    """Return whether a text has lone surrogates, which JSON can write and no UTF-8 spells."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _refuse(name: str, expected: str, found: str) -> NoReturn:
    raise BadSource(f"{name}: expected {expected}, got {found}", "fetch it again")


def check_steps(
    normalizers: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], name: str
) -> None:
    """Check that no text makes the steps of a tokenizer run out of memory.

    Panics that depend on the text of a regular expression, or on how several steps fit, cannot be seen in a file:
    `may_panic` says where such a panic is possible.

    Args:
        normalizers: The steps that change a text, with each Sequence replaced by its steps.
        others: The steps that split a text, likewise.
        name: The file, for the message.

    Raises:
        BadSource: A step may make too many characters of one, or pieces of no character.

    Right: before any library opens the file. Wrong: as a proof that encoding never fails.
    """
    growth = 1.0
    for step in normalizers:
        growth *= _growth(step, name)
    if growth > MOST_GROWTH:
        raise BadSource(
            f"{name}: expected normalizers that make at most {MOST_GROWTH} characters of one, got steps that "
            f"may make {growth:,.0f}",
            "get the file again, or use another model",
        )
    for step in others:
        if step["type"] == "FixedLength" and step.get("length") == 0:
            raise BadSource(f"{name}: expected pieces of 1 character or more, got FixedLength of 0", None)


def may_panic(steps: Sequence[Mapping[str, Any]], normalizers: int) -> bool:
    """Return whether a text could make the library panic in the steps, of which the first `normalizers` are normalizers."""
    return normalizers > 1 or any(s["type"] not in _QUIET for s in steps)


def _growth(step: Mapping[str, Any], name: str) -> float:
    """Return the most characters that a step makes of one; text of constant length is not counted."""
    if step["type"] == "Precompiled":
        return _checked_charsmap(step.get("precompiled_charsmap"), name)
    if step["type"] != "Replace":
        return 1.0
    content, literal = len(step["content"]), step["pattern"].get("String")
    return float(content + 1) if not literal else max(1.0, content / len(literal))


def _checked_charsmap(found: object, name: str) -> float:
    """Return the length of the longest replacement in a map of characters; `BadSource` where a unit points outside the map.

    The map is a double array of 32-bit units, in which texts are looked up byte by byte, followed by the replacements, each
    with a zero byte at its end. The library itself does not check where the units point.
    """
    try:
        raw = base64.b64decode(found, validate=True) if isinstance(found, str) else b""
    except binascii.Error:
        raw = b""
    size = int.from_bytes(raw[:4], "little")
    if len(raw) < 8 or size % 4 or not 4 <= size <= len(raw) - 4:
        raise BadSource(
            f"{name}: expected a precompiled_charsmap in base64 with its size before it, got other content",
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
            f"{name}: expected a precompiled_charsmap whose entries lie within it, got an entry that leads outside",
            "get the file again",
        )
    return float(max(1, *map(len, shown.split("\0")), 1))
