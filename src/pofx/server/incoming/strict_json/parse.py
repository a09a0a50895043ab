"""The parsing of JSON text: a value, or a fault and its byte."""

from __future__ import annotations

import re
from typing import Any

import orjson

from pofx.server.incoming.strict_json.structure import Fault, structural_fault

_BOM = b"\xef\xbb\xbf"
# What orjson says, and what that means to a person who wrote the text.
_WORDS = {
    "no low surrogate in string": ("Unicode text", "a lone surrogate"),
    "no high surrogate in string": ("Unicode text", "a lone surrogate"),
    "number is infinity when parsed as double": ("a number below 1.8e308", "a larger one"),
    "unexpected end of data": ("JSON", "its beginning alone"),
    "unexpected content after document": ("one JSON value", "more text after it"),
    "unexpected control character in string": ("an escape, such as \\n", "a control character"),
}
_NO_NUMBER = re.compile(rb"-?(NaN|nan|Infinity|inf)")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(text: bytes) -> tuple[Any, Fault | None]:
    """Return the value of JSON text, or its fault; the other of the two is None.

    Args:
        text: The text, as it was sent.
    """
    if not text.strip():
        return None, Fault(0, "JSON", "an empty body")
    if text.startswith(_BOM):
        return None, Fault(0, "JSON in UTF-8 without a byte order mark", "one")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as e:
        return None, Fault(e.start, "UTF-8", f"the byte 0x{text[e.start]:02x}")
    fault = structural_fault(text)
    if fault is not None:
        return None, fault
    try:
        return orjson.loads(text), None
    except orjson.JSONDecodeError as e:
        # The library counts characters; clients send bytes.
        at = len(e.doc[: e.pos].encode("utf-8"))
        if text[at - 1 : at] == b"-" and _NO_NUMBER.match(text, at):
            at -= 1
        expected, got = _WORDS.get(e.msg.split(":")[0], ("JSON", ""))
        if not got and _SURROGATE.match(text, at):
            expected, got = "Unicode text", "a lone surrogate"
        return None, Fault(at, expected, got or _found(text, at))


def _found(text: bytes, at: int) -> str:
    number = _NO_NUMBER.match(text, at)
    if number is not None:
        return number[0].decode()
    return repr(text[at : at + 20].decode("utf-8", "replace")[:10]) if at < len(text) else "its end"
