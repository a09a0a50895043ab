"""The entropy of the next word, against every word of a small model, one after the other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from enumerated import Pieces
from pofx.lm.model import LM
from pofx.queries.segmentation.word_rule import WordRule
from pofx.queries.words.boundaries import BoundaryTokens
from pofx.queries.words.word_entropy import WordEntropy, next_word_entropy
from small_models import BYTES
from toy import ToyLM

TOY = ToyLM(Pieces(b"a", b" ", b" b", b"a b", b"."), seed=2)
BOUND = {1, 2, 5}  # the tokens that begin with a space, and EOS


def outcomes(prefix: list[int], bounded: bool, most: int) -> dict[tuple[int, ...], float]:
    """P of every next word after a prefix: its tokens, then −1 where a boundary ends it."""
    out: dict[tuple[int, ...], float] = {}

    def follow(path: list[int], p: float) -> None:
        law = np.exp(TOY.row([*prefix, *path]))
        if not path and bounded:
            law = law * [k in BOUND for k in range(len(law))]
            law = law / law.sum()
        inside = b"".join(TOY.vocab.token_bytes[t] for t in path).strip() != b""
        for token, share in enumerate(law.tolist()):
            q = p * share
            if q == 0:
                continue
            if inside and token in BOUND:
                key: tuple[int, ...] = (*path, -1)
            else:
                key = (*path, token)
                data = b"".join(TOY.vocab.token_bytes[t] or b"" for t in key)
                if token != 5 and len(key) < most and b" " not in data.lstrip():
                    follow(list(key), q)
                    continue
            out[key] = out.get(key, 0.0) + q

    follow([], 1.0)
    assert math.fsum(out.values()) == pytest.approx(1)
    return out


def estimate(lm: LM, prefix: list[int], bounded: bool, draws: int, seed: int, most: int = 5) -> WordEntropy:
    state = lm.start(1)
    if prefix:
        state = lm.extend(state, [prefix])
    boundaries = BoundaryTokens(lm.vocab, WordRule("words"))
    return next_word_entropy(lm, boundaries, state, bounded, draws, np.random.default_rng(seed), most)


@pytest.mark.parametrize(("prefix", "bounded"), [([], False), ([0], True), ([4, 0], True), ([0, 2, 0], True)])
def test_the_estimate_is_near_the_entropy_of_all_words(prefix: list[int], bounded: bool) -> None:
    exact = -math.fsum(p * math.log(p) for p in outcomes(prefix, bounded, 5).values())
    found = [estimate(TOY, prefix, bounded, 400, seed) for seed in range(12)]
    gaps = np.array([(f.value - exact) / f.error for f in found])
    assert np.abs(gaps).max() < 4
    assert abs(gaps.mean()) < 4 / math.sqrt(12)
    assert 0.3 < gaps.std() < 2  # the errors are neither much too small nor much too large


def test_more_draws_make_a_smaller_error_and_a_seed_repeats_itself() -> None:
    few, many = (estimate(BYTES, [], False, n, 3, 32) for n in (50, 5000))
    assert many.error == pytest.approx(few.error / 10, rel=0.5)
    assert abs(few.value - many.value) < 4 * math.hypot(few.error, many.error)
    assert estimate(BYTES, [], False, 50, 3, 32) == few
