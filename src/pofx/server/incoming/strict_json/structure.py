"""The brackets and keys of JSON text, read before the text is parsed: depth, size, and keys that stand twice."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

# The next bracket or key of an object. Strings that are no keys, numbers and commas are skipped by the expression alone,
# so a long text or a long list of ids costs no step. The quantifiers are possessive, and a search ends at a bracket, a key
# or the end of the text: no input makes a search go back, or begin twice.
_NEXT = re.compile(
    rb"""(?xs)
    (?: [^"\[\]{}]++ | "(?:[^"\\]++|\\.)*+(?:"|\\?\Z)(?!\s*+:) )*+
    (?: (?P<key> "(?:[^"\\]++|\\.)*+" ) | (?P<bracket> [\[\]{}]) | \Z )
    """
)

# A request has at most a few lists in lists, of 256 prompts. Lists and objects beyond these bounds are refused before any
# is made: 8 MiB of "[]," would make 2.8 million lists, 160 MB.
DEPTH, CONTAINERS, KEYS = 32, 4096, 4096


@dataclass(frozen=True)
class Fault:
    """A fault of JSON text.

    Attributes:
        offset: The byte at which the fault stands.
        expected: The noun that the text should have there.
        got: The noun that the text has there.
    """

    offset: int
    expected: str
    got: str


def structural_fault(text: bytes) -> Fault | None:
    """Return the fault of the first bracket or key beyond the limits; None without such a fault. The text may be no JSON.

    Args:
        text: The text, as it was sent.
    """
    open_keys: list[set[bytes]] = []
    containers = keys = 0
    for found in _NEXT.finditer(text):
        bracket = found["bracket"]
        if found["key"] is not None:
            keys += 1
            if keys > KEYS:
                return Fault(found.start("key"), f"at most {KEYS} keys", "more")
            if open_keys:
                key = _spelled(found["key"])
                if key in open_keys[-1]:
                    return Fault(found.start("key"), "each key once", f"{_shown(key)} twice")
                open_keys[-1].add(key)
        elif bracket is None:
            break
        elif bracket in b"[{":
            containers += 1
            if len(open_keys) >= DEPTH:
                return Fault(found.start("bracket"), f"at most {DEPTH} levels of lists and objects", "more")
            if containers > CONTAINERS:
                return Fault(found.start("bracket"), f"at most {CONTAINERS} lists and objects in all", "more")
            open_keys.append(set())
        elif open_keys:
            open_keys.pop()
    return None


def _spelled(key: bytes) -> bytes:
    r"""Return a key without its escapes: `"\u0061"` is the key `"a"`."""
    if b"\\" not in key:
        return key[1:-1]
    try:
        return str(orjson.loads(key)).encode("utf-8")
    except orjson.JSONDecodeError:  # refused later, by the parser of the whole
        return key[1:-1]


def _shown(key: bytes) -> str:
    text = repr(key.decode("utf-8", "replace"))
    return text if len(text) <= 40 else text[:37] + "…'"
