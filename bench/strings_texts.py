"""What bench/strings.py gives every tool: prefixes of English documents, and sentences by the word.

All from `pofx.builtin_documents()`, the docstrings of Python's standard library, white space made single, ASCII.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from score_texts import Cutter, plain, sentences, sliced


@dataclass(frozen=True)
class Sizes:
    """A repetition of `single` does one prefix, one of `batch` all `batch` side by side, one of `words` a slice."""

    single: int = 5  # prefixes
    single_bytes: int = 200
    batch: int = 16
    batch_bytes: int = 100
    words: int = 2000
    slices: int = 5


QUICK = Sizes(single=2, single_bytes=60, batch=4, batch_bytes=40, words=200, slices=2)  # a look, not a result


def make(cutter: Cutter, documents: list[str], sizes: Sizes, seed: int = 0) -> dict:
    """`single`, `batch`, `words`: lists of slices of texts."""
    documents = plain(documents)
    random.Random(seed).shuffle(documents)
    found = prefixes(documents, sizes.single_bytes)
    single = [next(found) for _ in range(sizes.single)]
    batch = [text[: sizes.batch_bytes] for text in (next(found) for _ in range(sizes.batch))]
    return {
        "single": [[text] for text in single],
        "batch": [batch],
        "words": sliced(by_words(documents, cutter, sizes.words), sizes.slices),
    }


def prefixes(documents: list[str], n: int):
    """The first n bytes of documents, which may end within a word: a distribution over bytes has an answer there, too.

    Prose only: a letter first, and no more than a tenth other than letters and spaces.
    """
    for d in documents:
        text = " ".join(d.split())[:n]
        prose = sum(c.isalpha() or c == " " for c in text)
        if len(text) == n and text.isascii() and text[0].isalpha() and prose >= 0.9 * n:
            yield text


def by_words(documents: list[str], cutter: Cutter, words: int) -> list[str]:
    """Sentences of `words` words in all, the last one cut short."""
    out: list[str] = []
    for text in sentences(documents, cutter, words // 6):
        found = text.split()
        out.append(" ".join(found[:words]))
        words -= len(found)
        if words <= 0:
            return out
    raise SystemExit(f"the built-in documents have {words} words too few in sentences of 3 to 60 tokens")
