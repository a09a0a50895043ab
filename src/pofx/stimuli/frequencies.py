"""The frequency of words in a corpus, a predictor of reading times beside surprisal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pofx.errors import BadValue
from pofx.queries.words.word import form_of


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
