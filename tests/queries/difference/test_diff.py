"""Two models compared: every number by enumeration over toys and n-grams, and the laws of a difference."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.errors import BadValue, NoBOS
from pofx.lm.model import LM
from pofx.queries.difference.laws import divergences
from pofx.queries.difference.text_difference import text_differences
from toy import ToyLM, ToyVocab

LINES = ["the cat sat", "the dog ran", "a cat ran", "the cat ran", "a dog sat"]
TEXTS = ["the cat sat", "", "a dog ran far", "ran ran"]


def kl_by_hand(a: LM, b: LM, text: str) -> float:
    """KL(A‖B) summed over the positions of a text, one outcome at a time."""
    total = 0.0
    states = [m.start(1) for m in (a, b)]
    for i in [*a.vocab.encode(text), None]:
        la, lb = (s.logp[0].tolist() for s in states)
        total += math.fsum(math.exp(x) * (x - y) for x, y in zip(la, lb) if x > -math.inf)
        if i is not None:
            states = [m.extend(s, [[i]]) for m, s in zip((a, b), states)]
    return total


@pytest.fixture(scope="module")
def grams() -> tuple[LM, LM]:
    return pofx.fit(LINES, pofx.NgramSpec(order=3)), pofx.fit(LINES[:3], pofx.NgramSpec(order=2))


def test_kl_of_two_ngrams_is_the_sum_over_outcomes(grams: tuple[LM, LM]) -> None:
    a, b = grams
    found = pofx.diff(a, b, TEXTS)
    for text, kl, back in zip(TEXTS, found.kl, found.kl_back):
        assert kl == pytest.approx(kl_by_hand(a, b, text), abs=1e-12)
        assert back == pytest.approx(kl_by_hand(b, a, text), abs=1e-12)
    assert (found.kl > 0).all()
    assert found.tokens.tolist() == [len(t) + 1 for t in TEXTS]


def test_kl_of_the_texts_is_the_expected_sum_over_positions() -> None:
    """Σ_x p_A(x) Σ_i KL_i(x), over all prefixes of up to L tokens, is KL of the first L + 1 tokens: the chain rule."""
    a, b, most = ToyLM(seed=1), ToyLM(seed=2), 4
    k = a.vocab.size - 1
    through, direct = 0.0, 0.0
    for n in range(most + 1):
        for path in itertools.product(range(k), repeat=n):
            text = bytes(97 + i for i in path)
            (one,) = text_differences(a, b, [text])
            assert one.laws is not None
            # The law after this prefix counts with the mass of A on the prefix.
            through += math.exp(one.laws.log_a[:n].sum()) * one.laws.kl[n]
            if n == most:  # every outcome of the next token
                (la, lb) = (m.row(path) for m in (a, b))
                heads = [one.laws.log_a[:n].sum() + la, one.laws.log_b[:n].sum() + lb]
                direct += float(np.sum(np.exp(heads[0]) * (heads[0] - heads[1])))
            else:  # the text ends here
                ends = one.laws.log_a.sum(), one.laws.log_b.sum()
                direct += math.exp(ends[0]) * (ends[0] - ends[1])
    assert through == pytest.approx(direct, abs=1e-12)


def test_totals_are_those_of_score_and_the_difference_changes_sign(grams: tuple[LM, LM]) -> None:
    a, b = grams
    there, back = pofx.diff(a, b, TEXTS), pofx.diff(b, a, TEXTS)
    for lm, totals in ((a, there.log_a), (b, there.log_b)):
        assert totals == pytest.approx([s.total for s in pofx.score(lm, TEXTS)], abs=1e-10)
    assert there.differences == pytest.approx(-back.differences, abs=1e-12)
    assert there.per_byte.value == pytest.approx(-back.per_byte.value, abs=1e-12)
    assert there.per_byte.low <= there.per_byte.value <= there.per_byte.high
    assert there.kl == pytest.approx(back.kl_back, abs=1e-12)
    assert [p.difference for p in there.words] == pytest.approx([-p.difference for p in back.words])


def test_a_model_and_itself_differ_by_exactly_nothing(grams: tuple[LM, LM]) -> None:
    found = pofx.diff(grams[0], grams[0], iter(TEXTS))
    assert not found.differences.any()
    assert not found.kl.any()
    assert found.per_text == pofx.diff(grams[0], grams[0], TEXTS).per_text
    assert (found.per_text.low, found.per_text.high) == (0.0, 0.0)


def test_other_vocabularies_are_compared_between_common_cuts() -> None:
    a = pofx.fit(LINES, pofx.NgramSpec(order=3, vocab="bpe:270"))
    b = pofx.fit(LINES, pofx.NgramSpec(order=3))
    found = pofx.diff(a, b, TEXTS)
    for lm, totals in ((a, found.log_a), (b, found.log_b)):
        assert totals == pytest.approx([s.total for s in pofx.score(lm, TEXTS)], abs=1e-10)
    assert found.per_token is None
    assert math.isnan(found.kl_a_token)
    (one,) = text_differences(a, b, TEXTS[:1])
    spans = pofx.score(a, TEXTS[:1])[0].spans
    assert one.edges[:-1].tolist() == spans.tolist()  # each byte is a cut of B
    edges, values = one.words
    assert [TEXTS[0].encode()[lo:hi].split() for lo, hi in edges] == [[w.encode()] for w in TEXTS[0].split()]
    assert values.sum() + one.differences[-1] == pytest.approx(one.total_a - one.total_b)


def test_as_strings_kl_is_of_bytes_and_exact() -> None:
    a, b = (
        pofx.bytewise(pofx.fit(lines, pofx.NgramSpec(order=2, vocab="bpe:265")))
        for lines in (LINES, LINES[1:])
    )
    found = pofx.diff(a, b, TEXTS)
    for text, kl, back in zip(TEXTS, found.kl, found.kl_back):
        assert kl == pytest.approx(kl_by_hand(a, b, text), abs=1e-12)
        assert back == pytest.approx(kl_by_hand(b, a, text), abs=1e-12)
    assert (found.kl > 0).all()
    assert found.bounds_per_byte is None
    assert found.log_a == pytest.approx([pofx.log_prob(a, t) for t in TEXTS], abs=1e-10)


@pytest.mark.parametrize("beams", [(1, None), (None, 1), (1, 2)])
def test_the_difference_of_strings_lies_within_the_bounds(beams: tuple[int | None, int | None]) -> None:
    lms = [
        pofx.fit(LINES, pofx.NgramSpec(order=2, vocab="bpe:265")),
        pofx.fit(LINES[1:], pofx.NgramSpec(order=3, vocab="bpe:262")),
    ]
    exact = pofx.diff(*map(pofx.bytewise, lms), TEXTS)
    found = pofx.diff(*(pofx.bytewise(m, k) for m, k in zip(lms, beams)), TEXTS)
    assert (found.low <= exact.differences + 1e-12).all()
    assert (exact.differences - 1e-12 <= found.high).all()
    assert (found.low < found.high).any()
    bounds = found.bounds_per_byte
    assert bounds is not None
    assert bounds[0] <= exact.per_byte.value <= bounds[1]
    assert not found.tokens.any()  # the distributions of a beam are not those of the model
    back = pofx.diff(*(pofx.bytewise(m, k) for m, k in zip(lms[::-1], beams[::-1])), TEXTS)
    assert back.low == pytest.approx(-found.high, abs=1e-12)


def test_regions_and_words_that_differ_most_are_named_first(grams: tuple[LM, LM]) -> None:
    a, b = grams
    found = pofx.diff(a, b, TEXTS, most=3)
    every = np.concatenate([t.differences for t in text_differences(a, b, TEXTS)])
    assert [abs(p.difference) for p in found.regions] == sorted(np.abs(every), reverse=True)[:3]
    place = found.words[0]
    assert TEXTS[place.text].encode()[place.start : place.stop].decode().replace(" ", "␣") == place.spelled
    assert found.most(1) == [int(np.argmax(np.abs(found.differences)))]


def test_kl_of_rounded_laws_is_not_negative() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 400)).astype(np.float32)
    other = logits + np.float32(1e-5) * rng.normal(size=logits.shape).astype(np.float32)
    laws = [np.log(np.exp(x) / np.exp(x).sum(1, keepdims=True, dtype=np.float32)) for x in (logits, other)]
    found = divergences(*laws)[:, 1:]
    # The true numbers are about 5e-11; without the terms −p + q they are off by the rounding of float32, some 1e-8.
    assert (found > 0).all()
    assert (found < 1e-9).all()
    p, q = np.array([[0.5, 0.5, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    with np.errstate(divide="ignore"):
        impossible = divergences(np.log(p), np.log(q))
    assert impossible[0, 1] == math.inf
    assert impossible[0, 2] == pytest.approx(math.log(2))


def test_refusals() -> None:
    bare = ToyLM(begin=False)
    with pytest.raises(NoBOS):
        pofx.diff(bare, ToyLM(), ["a"])
    with pytest.raises(BadValue, match="one text"):
        pofx.diff(ToyLM(), ToyLM(), "a")
    with pytest.raises(BadValue, match="at least one"):
        pofx.diff(ToyLM(), ToyLM(), [])
    # A model without EOS: the texts are prefixes for both.
    found = pofx.diff(ToyLM(ToyVocab(end=False)), ToyLM(), ["ab"])
    assert not found.end
    assert found.log_b[0] == pytest.approx(pofx.prefix_log_prob(ToyLM(), "ab"))


def test_a_path_longer_than_the_window_is_read_by_its_rule(tmp_path: Path) -> None:
    a, b = ToyLM(seed=1), pofx.windowed(ToyLM(seed=2), 4)
    texts = ["abcabcabcab", "ab"]
    found = pofx.diff(a, b, texts)
    assert found.log_b == pytest.approx([s.total for s in pofx.score(b, texts)], abs=1e-10)
