"""Small corpora of random words."""

from __future__ import annotations

import numpy as np

import pofx
from pofx.queries.corpus_audit.record import Corpus, CorpusReport

WORDS = [
    *(
        "the",
        "river",
        "ran",
        "past",
        "an",
        "old",
        "mill",
        "where",
        "nobody",
        "had",
        "lived",
        "since",
        "winter",
    ),
    *("and", "every", "door", "stood", "open", "to", "rain", "so", "children", "played", "inside", "until"),
    *("their", "mothers", "called", "them", "home", "across", "fields", "of", "barley"),
]


def documents(n: int, seed: int, words: int = 30) -> list[str]:
    """Independent documents, each a sentence of random words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)).capitalize() + "." for _ in range(n)]


def corpus(some: list[str], held_out: float = 0.0, source: list[int] | None = None) -> Corpus:
    n = len(some)
    places = np.zeros(n, dtype=np.int64) if source is None else np.array(source)
    aside = np.random.default_rng(3).random(n) < held_out
    names = tuple(map(str, range(int(places.max()) + 1)))
    return Corpus(tuple(some), tuple(map(str, range(n))), places, aside, names)


def finding(report: CorpusReport, check: str) -> pofx.Finding:
    return next(f for f in report.findings if f.check == check)


def edited(text: str, changes: int, rng: np.random.Generator) -> str:
    words = text.split()
    for k in rng.integers(len(words), size=changes):
        words[k] = "zebra"
    return " ".join(words)
