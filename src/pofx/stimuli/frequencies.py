"""The frequency of words in a corpus, a predictor of reading times beside surprisal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pofx.errors import BadValue, MissingExtra, require
from pofx.queries.words.word import form_of

# The name of the lists of the package wordfreq, before a colon and a language.
LISTS = "wordfreq"
# A word that the list of a language lacks counts as once in 10⁹ words, which is 0 on the scale of Zipf.
_LEAST = 1e-9


class HasLogFrequency(Protocol):
    """Something that knows how frequent words are."""

    def log_frequency(self, region: str) -> float:
        """Return the log of the relative frequency of a word, nats; of several words the mean."""


def frequencies_of(given: Iterable[str]) -> HasLogFrequency:
    """Return the frequencies of words in documents, or in a list of the package wordfreq.

    Args:
        given: The documents, or the name of a list: `wordfreq:` and the code of a language, such as "wordfreq:en".

    Raises:
        BadValue: There is no word, or no list of the language.
        MissingExtra: The list needs a package that is not installed.
    """
    if not isinstance(given, str):
        return WordFrequencies.of(given)
    name, colon, language = given.partition(":")
    if name != LISTS or not colon:
        raise BadValue(
            f"expected a list of documents, or 'wordfreq:en', got {given!r:.60}",
            "write a list",
            argument="frequencies",
        )
    return ListedFrequencies(language)


class ListedFrequencies:
    """The frequencies of a list of the package wordfreq (Speer 2022): of books, subtitles, news, the web and more.

    Args:
        language: The code of the language, such as "en".

    Raises:
        BadValue: There is no list of the language.
        MissingExtra: wordfreq is not installed, or a package that it needs for words of the language.
    """

    def __init__(self, language: str) -> None:
        self._wordfreq: Any = require("wordfreq", "frequencies", "a list of frequencies")
        known = self._wordfreq.available_languages()
        if language not in known:
            raise BadValue(
                f"expected a language of wordfreq, got {language!r:.40}",
                f"name one of {', '.join(sorted(known))}",
                argument="frequencies",
            )
        self.language = language
        try:
            self.log_frequency({"zh": "猫", "ja": "猫", "ko": "집"}.get(language, "a"))
        except ImportError as e:
            raise MissingExtra(
                f"words of {language!r} need another package of wordfreq: {str(e).splitlines()[0]}",
                "install it with: pip install 'wordfreq[cjk]'",
            ) from None

    def log_frequency(self, region: str) -> float:
        """Return the log of the frequency of a word, at least log(1e-9), nats; of several words the mean.

        Args:
            region: The word, or several words with white space between; not empty.
        """
        found = [self._wordfreq.word_frequency(form_of(w), self.language) for w in region.split()]
        return math.fsum(math.log(max(f, _LEAST)) for f in found) / len(found)


@dataclass(frozen=True)
class WordFrequencies:
    """The number of times that a corpus has each word.

    Words are runs without white space, in lower case and without punctuation at their ends.

    Attributes:
        counts: The number of times of each word.
        total: The number of words, each as often as it occurs.
    """

    counts: Mapping[str, int]
    total: int

    @classmethod
    def of(cls, documents: Iterable[str]) -> WordFrequencies:
        """Count the words of documents.

        Args:
            documents: The documents, which are read once.

        Raises:
            BadValue: There is no word.
        """
        counts: Counter[str] = Counter()
        for text in documents:
            counts.update(form_of(word) for word in text.split())
        if not counts:
            raise BadValue(
                "expected a corpus with words, got none", "name another corpus", argument="frequencies"
            )
        return cls(counts, counts.total())

    def log_frequency(self, region: str) -> float:
        """Return log((c + 1) / (N + V + 1)) for a word that occurs c times among N, nats; of several words the mean.

        V is the number of different words. All words that the corpus lacks share the share of one word of count 0.

        Args:
            region: The word, or several words with white space between; not empty.
        """
        all_ = self.total + len(self.counts) + 1
        logs = [math.log((self.counts.get(form_of(w), 0) + 1) / all_) for w in region.split()]
        return math.fsum(logs) / len(logs)
