"""Bytes that a vocabulary cannot spell."""

from __future__ import annotations

import itertools

import numpy as np
from compressible import PROVERBS

from pofx.queries.compression.compress import compress, compression
from pofx.queries.compression.decompress import decompress
from pofx.queries.compression.unencodable import SHORTEST, split_pieces
from pofx.vocab.vocabulary import CharVocab
from toy import ToyLM, ToyVocab


def test_pieces_are_the_data_and_the_texts_are_texts() -> None:
    vocab = CharVocab.learn([PROVERBS])
    rng = np.random.default_rng(0)
    for stray in (b"\xff", "é".encode(), b"\xe2\x82", "\u2603\u2603".encode()):
        for _ in range(20):
            at = sorted(int(a) for a in rng.integers(0, 3000, 3))
            cuts = [PROVERBS[a:b].encode() for a, b in itertools.pairwise([0, *at, 3000])]
            data = stray.join(cuts)
            found = split_pieces(vocab, data)
            assert b"".join(p.data for p in found) == data
            assert all(vocab.decode(vocab.encode(p.data)) == p.data for p in found if p.text)
            assert not any(a.text == b.text is False for a, b in itertools.pairwise(found))
            escaped = sum(len(p.data) for p in found if not p.text)
            assert escaped <= 3 * (len(stray) + 2 * SHORTEST)


def test_a_vocabulary_that_changes_texts_is_not_believed() -> None:
    class Lower(ToyVocab):
        def encode(self, text: str | bytes) -> list[int]:
            return super().encode(text.lower())

    lm = ToyLM(Lower(3))
    for data in (b"abcabc", b"ABC", b"abc" * 30 + b"ABC" + b"cba" * 30):
        made = compression(lm, data)
        assert decompress(lm, made.blob) == data
        assert (made.tokens > 0) == (data != b"ABC")


def test_letters_that_a_toy_does_not_have() -> None:
    lm = ToyLM(ToyVocab(3))
    assert decompress(lm, compress(lm, b"abcxyzabc")) == b"abcxyzabc"
