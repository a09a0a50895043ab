"""Token models whose tokens overlap, and the sums over all their token sequences."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cached_property

import numpy as np
import pytest

from pofx.errors import NotText
from pofx.lm.model import LM
from pofx.vocab.vocabulary import Vocab
from toy import ToyLM

# Overlapping tokens, two that spell the same, halves of a character, dead ends (c and d stand in no other token),
# control tokens, EOS in the midst.
TOKENS = (b"a", None, b"b", b"ab", b"ab", b"aba", None, b"bcd", b"\xc3", b"\xc3\xa9", b"\xa9", b"ba", None)
END = 6


class Pieces(Vocab):
    def __init__(self, tokens=TOKENS, end=END) -> None:
        self.size, self.end, self.token_bytes = len(tokens), end, tuple(tokens)

    def encode(self, text):
        """The longest token first."""
        data = text.encode() if isinstance(text, str) else text
        ids = []
        while data:
            fit = [i for i, b in enumerate(self.token_bytes) if b and data.startswith(b)]
            if not fit:
                raise NotText(f"expected tokens, got {data!r}")
            i = max(fit, key=lambda i: len(self.token_bytes[i]))
            ids.append(i)
            data = data[len(self.token_bytes[i]) :]
        return ids


class Toy(ToyLM):
    """Draws each of its laws once."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.drawn = {}

    def row(self, history):
        recent = tuple(int(h) for h in history)[-self.memory :]
        if recent not in self.drawn:
            self.drawn[recent] = super().row(recent)
        return self.drawn[recent]


def toy(tokens=TOKENS, end=END, **options) -> LM:
    return Toy(Pieces(tokens, end), **{"memory": 2, **options})


class Brute:
    """Sums over every token sequence of at most `longest` tokens, control tokens renormalised away.

    The sums are made when first asked for, so that a test module is imported without them.
    """

    def __init__(self, lm: ToyLM, longest: int) -> None:
        self._lm, self._longest = lm, longest

    @property
    def prefixes(self) -> Counter[bytes]:
        return self._sums[0]

    @property
    def strings(self) -> Counter[bytes]:
        return self._sums[1]

    @cached_property
    def _sums(self) -> tuple[Counter[bytes], Counter[bytes]]:
        lm, longest = self._lm, self._longest
        vocab = lm.vocab
        silent = [i for i, b in enumerate(vocab.token_bytes) if b is None and i != vocab.end]
        letters = [i for i, b in enumerate(vocab.token_bytes) if b is not None]
        # A sequence covers what ends within its last token; else each would be counted with all that goes on from it.
        prefixes: Counter[bytes] = Counter({b"": 1.0})
        strings: Counter[bytes] = Counter()
        layer = {(): 1.0}
        for n in range(longest + 1):
            following = {}
            for path, p in layer.items():
                law = np.exp(lm.row(path))
                law[silent] = 0
                law /= law.sum()
                spelled = b"".join(vocab.token_bytes[i] for i in path)
                if vocab.end is not None:
                    strings[spelled] += p * law[vocab.end]
                if n < longest:
                    for i in letters:
                        following[(*path, i)] = p * law[i]
                        longer = spelled + vocab.token_bytes[i]
                        for end in range(len(spelled) + 1, len(longer) + 1):
                            prefixes[longer[:end]] += p * law[i]
            layer = following
        return prefixes, strings

    def prefix(self, x: bytes) -> float:
        return self.prefixes[x]

    def string(self, x: bytes) -> float:
        return self.strings[x]


class NoSpace(Pieces):
    """A space that is put before every text, as SentencePiece does, and is no part of it."""

    opening = True

    def pieces(self, ids):
        out = super().pieces(ids)
        return [out[0].removeprefix(b" "), *out[1:]] if out else out

    def encode(self, text):
        data = text.encode() if isinstance(text, str) else text
        return super().encode(b" " + data) if data else []


OPENING = (b" ", b" a", b"a", b"b", b" ab", None)


def leave_unread(patched: pytest.MonkeyPatch) -> None:
    """Most that is closed stays unread, until nothing else goes on."""
    patched.setattr("pofx.transforms.bytewise.pruning.worth", lambda beam: -0.1)


# The length of the strings that are enumerated, and strings up to it, some of them no UTF-8.
LONGEST = 4
SHORT_TEXTS = [bytes(t) for n in range(LONGEST + 1) for t in itertools.product(b"abc", repeat=n)]
SHORT_TEXTS += [
    "é".encode(),
    b"\xc3",
    b"\xa9",
    "aé".encode(),
    "éb".encode(),
    b"a\xc3",
    b"\xc3\xc3",
    b"bcd",
    b"bcda",
    b"x",
]
