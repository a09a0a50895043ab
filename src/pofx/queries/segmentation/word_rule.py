"""The rule that cuts a text into words: the runs of characters that are words, and the boundaries between words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from pofx.errors import BadValue
from pofx.queries.segmentation.characters import graphemes, test_characters
from pofx.queries.segmentation.pattern_spans import pattern_spans
from pofx.queries.segmentation.word_spans import WordSpans, region_spans, separated_spans
from pofx.values import check_real_number

Punctuation = Literal["attached", "own", "boundary"]
SECONDS = 10.0
PUNCTUATION = ("attached", "own", "boundary")

# Apostrophes and hyphens count as letters, so "don't" and "well-known" are words. With a boundary inside some words, the
# probabilities of the words at one place would sum to more than 1.
INNER = "'-’‐"
# The first code point above which there are only ideographs, tags and variation selectors.
_LAST = 0x20000


@dataclass(frozen=True)
class WordRule:
    """The rule that cuts texts into words, by the arguments of `words`.

    Attributes:
        how: "words", "graphemes", or a compiled pattern, each match of which is a word.
        punctuation: Whether punctuation is part of words, a word of its own, or a boundary.
        seconds: The longest time for the matches in one text, seconds.
    """

    how: Literal["words", "graphemes"] | re.Pattern[str] = "words"
    punctuation: Punctuation = "attached"
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if isinstance(self.how, re.Pattern):
            if not isinstance(self.how.pattern, str):
                raise BadValue(
                    "expected a pattern over str, got a pattern over bytes",
                    "leave out the b before the pattern",
                    argument="units",
                )
        elif self.how not in ("words", "graphemes"):
            raise BadValue(
                f"expected 'words', 'graphemes', a compiled pattern or regions, got {self.how!r}",
                "pass one of these choices",
                argument="units",
            )
        check_real_number("pattern_seconds", self.seconds, 0, above=True)
        if self.punctuation not in PUNCTUATION:
            raise BadValue(
                f"expected one of {PUNCTUATION}, got {self.punctuation!r}",
                "write one of these words",
                argument="punctuation",
            )
        if self.punctuation != "attached" and self.how != "words":
            raise BadValue(
                f"expected 'attached' for other units than 'words', got {self.punctuation!r}",
                "leave punctuation out",
                argument="punctuation",
            )

    def separates(self, character: str) -> bool:
        """Return whether the character is a boundary: white space, and punctuation unless it is attached to words."""
        return character.isspace() or (self.punctuation != "attached" and is_punctuation(character))

    @property
    def boundary_prefixes(self) -> frozenset[bytes]:
        """The bytes of every boundary, and the beginnings of these bytes, with which a token may end."""
        return _boundary_prefixes(self.punctuation)

    def of(self, text: str) -> WordSpans:
        """Cut a text into words, in order, without overlap."""
        if isinstance(self.how, re.Pattern):
            return region_spans(text, pattern_spans(self.how, text, self.seconds))
        space = test_characters(str.isspace, text)
        if self.how == "graphemes":
            spans = graphemes(text)
            solid = np.append(0, np.cumsum(~space))
            return WordSpans.words(spans[solid[spans[:, 1]] > solid[spans[:, 0]]], False)
        separates = space if self.punctuation == "attached" else test_characters(self.separates, text)
        return separated_spans(separates, separates & ~space & (self.punctuation == "own"))


def is_punctuation(character: str) -> bool:
    """Return whether Unicode's category is P*, apart from apostrophes and hyphens."""
    return unicodedata.category(character)[0] == "P" and character not in INNER


@cache
def _boundary_prefixes(punctuation: Punctuation) -> frozenset[bytes]:
    rule = WordRule("words", punctuation)
    characters = (chr(c) for c in range(_LAST) if not 0xD800 <= c < 0xE000)
    spelled = [c.encode() for c in characters if rule.separates(c)]
    return frozenset(b[:k] for b in spelled for k in range(1, len(b) + 1))
