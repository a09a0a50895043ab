"""Programs of other people, small: each fault that an audit must find, and an honest twin of each."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[3]


@lru_cache
def proverbs() -> tuple[str, ...]:
    """Lines of small letters and spaces."""
    lines = (ROOT / "docs" / "proverbs.txt").read_text(encoding="utf-8").splitlines()
    clean = (" ".join(re.findall("[a-z]+", line.lower())) for line in lines)
    joined = list(clean)
    return tuple(" ".join(joined[i : i + 4]) for i in range(0, len(joined), 4))


# A cache of n-grams that is hashed ----------------------------------------------------------------------------

CHARACTERS = "".join(chr(0x4E00 + i) for i in range(278))


def ideograms(n: int, seed: int) -> list[str]:
    """Documents of 278 characters, some of which are likelier than others."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, 279)
    return ["".join(rng.choice(list(CHARACTERS), 60, p=weights / weights.sum())) for _ in range(n)]


class HashedCache:
    """Counts of pairs of characters. In few buckets each pair counts what all the pairs of its bucket have together."""

    def __init__(self, buckets: int | None) -> None:
        self.buckets = buckets
        self.context: Counter[int | str] = Counter()
        self.pair: Counter[int | str] = Counter()
        for text in ideograms(60, seed=1):
            for a, b in zip("^" + text, text):
                self.context[self.slot(a)] += 1
                self.pair[self.slot(a + b)] += 1

    def slot(self, key: str) -> int | str:
        return key if self.buckets is None else zlib.crc32(key.encode()) % self.buckets

    def law(self, last: str) -> np.ndarray:
        """p(c | last) of every character: what the cache says, or with honest counts the normalised rule."""
        seen = np.array([self.pair[self.slot(last + c)] for c in CHARACTERS], dtype=float)
        if self.buckets is None:
            return (seen + 0.1) / (seen.sum() + 0.1 * len(CHARACTERS))
        return np.minimum((seen + 0.5) / (self.context[self.slot(last)] + 1.0), 0.999)

    @lru_cache  # noqa: B019  (a toy lives as long as its test)
    def logs(self, last: str) -> np.ndarray:
        return np.log(self.law(last))

    def score(self, text: str) -> list[float]:
        return [float(self.logs(a)[CHARACTERS.index(c)]) for a, c in zip("^" + text, text)]

    def next_logprobs(self, ids: list[int]) -> np.ndarray:
        return self.logs(CHARACTERS[ids[-1]] if ids else "^")


# A model that adapts ------------------------------------------------------------------------------------------


class Adaptive:
    """Counts of letters after the last two, learned along the text; with `peeks` a letter is counted before it is scored."""

    alphabet = "abcdefghijklmnopqrstuvwxyz "

    def __init__(self, peeks: bool) -> None:
        self.peeks = peeks

    def score(self, text: str) -> list[float]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        out = []
        for i, c in enumerate(text):
            seen = counts[text[max(i - 2, 0) : i]]
            if self.peeks:
                seen[c] += 1
            out.append(math.log((seen[c] + 0.05) / (sum(seen.values()) + 0.05 * len(self.alphabet))))
            if not self.peeks:
                seen[c] += 1
        return out


# A model that mixes units -------------------------------------------------------------------------------------


class TokenModel:
    """Words and letters as tokens; with `bytes` half of p of a token is p of its first byte by a model over bytes."""

    def __init__(self, bytes: bool) -> None:
        self.bytes = bytes
        words = Counter(w for text in proverbs() for w in text.split())
        self.words = {w for w in words if len(w) > 1}
        single = Counter(dict.fromkeys(Adaptive.alphabet, 3))
        single[" "] = sum(words.values())
        counts = Counter({w: n for w, n in words.items() if len(w) > 1}) + single
        self.token = {t: n / counts.total() for t, n in counts.items()}
        first = Counter(c for text in proverbs() for c in text)
        self.byte = {c: n / first.total() for c, n in first.items()}

    def pieces(self, text: str) -> list[str]:
        return [t for w in re.findall("[a-z]+| ", text) for t in ([w] if w in self.words else list(w))]

    def p(self, token: str) -> float:
        other = self.byte.get(token[0], 0.0) if self.bytes else 1 / len(self.token)
        return 0.5 * self.token[token] + 0.5 * other

    def score(self, text: str) -> list[float]:
        return [math.log(self.p(t)) for t in self.pieces(text)]
