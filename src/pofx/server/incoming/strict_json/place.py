"""The byte of JSON text at which the value at a path of the parsed JSON stands."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PLAIN = re.compile(rb"[^\s,\]}]++")
_INSIDE = re.compile(rb'(?s)(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}])')


def offset_of(text: bytes, path: Sequence[int | str]) -> int:
    """Return the byte at which the value at a path begins.

    Args:
        text: JSON text that a parser has accepted, with no key twice.
        path: Keys and indices. Where the value has no such part, the offset is that of the last part that exists.

    Right: `offset_of(b'{"a": [1, 2]}', ["a", 1])`, which is 10. Wrong: text that is no JSON.
    """
    at = _space(text, 0)
    for step in path:
        inner = _space(text, at + 1)
        if text[at : at + 1] == b"{" and isinstance(step, str):
            while text[inner : inner + 1] == b'"':
                key = _STRING.match(text, inner)
                if key is None:
                    return at
                value = _space(text, _space(text, key.end()) + 1)
                if orjson.loads(key[0]) == step:
                    at = value
                    break
                inner = _after_comma(text, _skip(text, value))
            else:
                return at
        elif text[at : at + 1] == b"[" and isinstance(step, int):
            for _ in range(step):
                inner = _after_comma(text, _skip(text, inner))
            at = inner
        else:
            return at
    return at


def _space(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _after_comma(text: bytes, at: int) -> int:
    at = _space(text, at)
    return _space(text, at + 1) if text[at : at + 1] == b"," else at


def _skip(text: bytes, at: int) -> int:
    """Return the end of the value that begins at `at`."""
    first = text[at : at + 1]
    if first == b'"':
        found = _STRING.match(text, at)
    elif first in (b"{", b"["):
        depth = 0
        while True:
            found = _INSIDE.match(text, at)
            if found is None:
                break
            at = found.end()
            depth += 1 if found[1] in b"[{" else -1
            if not depth:
                return at
    else:
        found = _PLAIN.match(text, at)
    return len(text) if found is None else found.end()
