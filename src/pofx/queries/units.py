"""Where the words of a text are: runs of characters, and what may stand behind one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pofx.errors import BadValue
from pofx.queries.pattern_spans import pattern_spans
from pofx.values import real

Punctuation = Literal["attached", "own", "boundary"]
SECONDS = 10.0
PUNCTUATION = ("attached", "own", "boundary")

# Apostrophes and hyphens count as letters where other punctuation does not: "don't" and "well-known" are words, and
# a boundary that stood within some words would give the words of one place a sum above 1.
INNER = "'-’‐"
# Behind these planes there are only ideographs, tags and variation selectors.
_LAST = 0x20000


@dataclass(frozen=True, slots=True)
class Unit:
    """Characters `[start, end)` of a text.

    bounded: whether a boundary behind it is part of the event "this word comes now". outside: no word at all, but
    what stands between regions.
    """

    start: int
    end: int
    bounded: bool
    outside: bool = False


@dataclass(frozen=True)
class Units:
    """How texts are cut into words. See `words`, whose arguments they are.

    how: "words", "graphemes", or a pattern, each match of which is a word. seconds: that a pattern may take for a text.
    """

    how: Literal["words", "graphemes"] | re.Pattern[str] = "words"
    punctuation: Punctuation = "attached"
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if isinstance(self.how, re.Pattern):
            if not isinstance(self.how.pattern, str):
                raise BadValue("units: expected a pattern over str, found one over bytes; leave out the b")
        elif self.how not in ("words", "graphemes"):
            raise BadValue(
                f"units: expected 'words', 'graphemes', a compiled pattern or regions, found {self.how!r}"
            )
        real("pattern_seconds", self.seconds, 0, above=True)
        if self.punctuation not in PUNCTUATION:
            raise BadValue(f"punctuation: expected one of {PUNCTUATION}, found {self.punctuation!r}")
        if self.punctuation != "attached" and self.how != "words":
            raise BadValue(
                f"punctuation: expected only with units='words', found {self.punctuation!r} with others"
            )

    def separates(self, character: str) -> bool:
        """Whether the character is a boundary: white space, and punctuation where it is not attached."""
        return character.isspace() or (self.punctuation != "attached" and is_punctuation(character))

    @property
    def openings(self) -> frozenset[bytes]:
        """The bytes of every boundary, whole and in part: what a token may hold of one at its end."""
        return _openings(self.punctuation)

    def of(self, text: str) -> list[Unit]:
        """The words of a text in order; none overlap."""
        if isinstance(self.how, re.Pattern):
            return regions(text, pattern_spans(self.how, text, self.seconds))
        if self.how == "graphemes":
            return [Unit(lo, hi, False) for lo, hi in graphemes(text) if not text[lo:hi].isspace()]
        return list(self._runs(text))

    def _runs(self, text: str) -> Iterator[Unit]:
        separates = _remembered(self.separates)
        lo = None
        for k, c in enumerate(text):
            if not separates(c):
                lo = k if lo is None else lo
                continue
            if lo is not None:
                yield Unit(lo, k, True)
                lo = None
            if self.punctuation == "own" and not c.isspace():
                # One character of punctuation is whole, whatever comes behind it.
                yield Unit(k, k + 1, False)
        if lo is not None:
            yield Unit(lo, len(text), True)


def is_punctuation(character: str) -> bool:
    """Unicode's categories P*, without apostrophes and hyphens."""
    return unicodedata.category(character)[0] == "P" and character not in INNER


def regions(text: str, spans: Sequence[tuple[int, int]]) -> list[Unit]:
    """The given spans, and what stands between them that is not white space, as units of no region.

    A region that ends before white space, or with the text, counts that boundary as a word does; one that ends
    elsewhere may be followed by anything.
    """
    out: list[Unit] = []
    before = 0

    def unit(lo: int, hi: int, outside: bool) -> None:
        out.append(Unit(lo, hi, hi == len(text) or text[hi].isspace(), outside))

    def between(lo: int, hi: int) -> None:
        held = text[lo:hi]
        if held.strip():
            unit(lo + len(held) - len(held.lstrip()), lo + len(held.rstrip()), outside=True)

    for lo, hi in spans:
        if not (before <= lo < hi <= len(text)):
            raise BadValue(
                f"units: expected regions (start, end) in order, none empty, none overlapping, in a text of {len(text)} "
                f"characters, found ({lo}, {hi}) behind {before}"
            )
        between(before, lo)
        unit(lo, hi, outside=False)
        before = hi
    between(before, len(text))
    return out


def graphemes(text: str) -> list[tuple[int, int]]:
    r"""Spans of what a reader sees as one character: \X of the regular expressions that `tokenizers` brings along."""
    from tokenizers import Regex, pre_tokenizers

    # The library's strings are UTF-8: stray bytes stand alone, and no character replaces one less than itself.
    plain = text.encode("utf-8", "replace").decode("utf-8")
    cut = pre_tokenizers.Split(Regex(r"\X"), "isolated").pre_tokenize_str(plain)
    return [span for _, span in cut]


@cache
def _openings(punctuation: Punctuation) -> frozenset[bytes]:
    units = Units("words", punctuation)
    characters = (chr(c) for c in range(_LAST) if not 0xD800 <= c < 0xE000)
    spelled = [c.encode() for c in characters if units.separates(c)]
    return frozenset(b[:k] for b in spelled for k in range(1, len(b) + 1))


def _remembered(test: Callable[[str], bool]) -> Callable[[str], bool]:
    known: dict[str, bool] = {}

    def answer(c: str) -> bool:
        if c not in known:
            known[c] = test(c)
        return known[c]

    return answer
