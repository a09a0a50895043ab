"""Mixtures of whole-string distributions: sums by enumeration, posteriors, vocabularies that differ, bounds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import pofx
from byte_toys import Brute, toy
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.transforms.bytewise.bytewise import bytewise
from pofx.transforms.mixture import Mixture, mixture
from pofx.vocab.vocabulary import ByteVocab
from toy import ToyLM, ToyVocab, log_prefix, texts

PARTS = [ToyLM(seed=1), ToyLM(seed=2), ToyLM(seed=3)]
WEIGHTS = [0.5, 0.2, 0.3]
# Two ways to spell strings of a, b and c: with tokens that overlap, and with others.
ONE = (b"a", b"b", b"c", b"ab", b"bc", b"abc", None)
OTHER = (b"a", b"b", b"ba", b"c", b"cab", None, None)
STRINGS = [bytes(t) for n in range(4) for t in itertools.product(b"abc", repeat=n)]


def two(**options: object) -> list[pofx.LM]:
    return [toy(ONE, 6, seed=1, memory=2, **options), toy(OTHER, 5, seed=2, memory=2, **options)]


def exact(brutes: list[Brute], pi: list[float], text: bytes, whole: bool = True) -> float:
    """log Σ π_c p_c(x), each p_c summed over every token sequence that spells x."""
    terms = [w * (b.string(text) if whole else b.prefix(text)) for w, b in zip(pi, brutes)]
    return math.log(math.fsum(terms))


# ----------------------------------------------------------------------------------------------- one vocabulary


def test_the_product_of_the_laws_is_the_weighted_sum_of_strings() -> None:
    """The sequential predictive product, law by law, against log Σ π p_c(x)."""
    lm = mixture(PARTS, WEIGHTS)
    end = lm.vocab.end
    assert end is not None
    for path in texts(lm.vocab, 4):
        whole = [*path, end]
        sum_of_strings = math.log(
            math.fsum(w * math.exp(log_prefix(m, whole)) for w, m in zip(WEIGHTS, PARTS))
        )
        assert log_prefix(lm, whole) == pytest.approx(sum_of_strings, abs=1e-12)
        assert float(lm.forward([whole]).logp[0].sum()) == pytest.approx(sum_of_strings, abs=1e-12)


def test_regret_is_bounded_by_the_prior() -> None:
    lm = mixture(PARTS, WEIGHTS)
    some = [lm.vocab.decode(p) for p in texts(lm.vocab, 4)]
    seen = set()
    for record in pofx.posterior(lm, some):
        seen.add(record.best)
        assert record.regret <= -math.log(WEIGHTS[record.best]) + 1e-12
        assert record.total == pytest.approx(pofx.log_prob(lm, record.text), abs=1e-12)
    assert seen == {0, 1, 2}
    assert all(r.regret <= math.log(3) + 1e-12 for r in pofx.posterior(mixture(PARTS), some))


def test_the_posterior_is_bayes_rule() -> None:
    lm = mixture(PARTS, WEIGHTS)
    for path in texts(lm.vocab, 3):
        text = lm.vocab.decode(path)
        (record,) = pofx.posterior(lm, [text])
        joint = [w * math.exp(pofx.log_prob(m, text)) for w, m in zip(WEIGHTS, PARTS)]
        assert np.exp(record.posterior) == pytest.approx(np.array(joint) / sum(joint), abs=1e-12)
        assert record.evidence == pytest.approx([pofx.log_prob(m, text) for m in PARTS], abs=1e-12)
        for i in range(len(path) + 1):  # after each prefix
            joint = [w * math.exp(log_prefix(m, path[:i])) for w, m in zip(WEIGHTS, PARTS)]
            assert np.exp(record.path[i]) == pytest.approx(np.array(joint) / sum(joint), abs=1e-12)
        assert len(record.path) == len(path) + 2
        assert record.intervals == pytest.approx(np.stack([record.posterior] * 2, axis=1), abs=1e-12)
        assert record.terms.end
        assert record.terms.bytes == len(text)


def test_the_next_law_is_weighed_by_the_posterior() -> None:
    lm = mixture(PARTS, WEIGHTS)
    (record,) = pofx.posterior(lm, ["ab"])
    law = lm.extend(lm.start(1), [[0, 1]]).logp[0]
    parts = np.array([m.extend(m.start(1), [[0, 1]]).logp[0] for m in PARTS])
    assert np.exp(law) == pytest.approx(np.exp(record.path[2]) @ np.exp(parts), abs=1e-12)


def test_weight_zero_is_absence() -> None:
    lm = mixture([PARTS[0], PARTS[1]], [1, 0])
    (record,) = pofx.posterior(lm, ["abc"])
    assert record.posterior.tolist() == pytest.approx([0.0, -math.inf])
    assert record.total == pytest.approx(pofx.log_prob(PARTS[0], "abc"), abs=1e-12)


def test_a_model_that_rules_a_text_out_drops_out() -> None:
    strict = pofx.fit(["ab", "ba"], pofx.NgramSpec(order=3, smoothing="mle"))
    soft = pofx.fit(["ab", "cc"], pofx.NgramSpec(order=3))
    lm = mixture([strict, soft], [0.9, 0.1])
    (record,) = pofx.posterior(lm, ["cc"])
    assert record.evidence[0] == -math.inf
    assert record.posterior.tolist() == pytest.approx([-math.inf, 0.0])
    assert record.total == pytest.approx(math.log(0.1) + pofx.log_prob(soft, "cc"), abs=1e-12)
    assert record.regret == pytest.approx(-math.log(0.1), abs=1e-12)
    both = mixture([strict, strict], [0.4, 0.6])
    (none,) = pofx.posterior(both, ["zz"])
    assert (none.total, none.regret) == (-math.inf, 0.0)
    assert np.exp(none.posterior) == pytest.approx([0.4, 0.6])


# --------------------------------------------------------------------------------------- different vocabularies


def test_vocabularies_meet_at_bytes() -> None:
    """Against brute force over all token sequences of either model."""
    lms = two()
    brutes = [Brute(m, 3) for m in lms]
    lm = mixture(lms, [0.7, 0.3])
    assert isinstance(lm.vocab, ByteVocab)
    assert not lm.interval
    for text in STRINGS:
        assert pofx.log_prob(lm, text) == pytest.approx(exact(brutes, [0.7, 0.3], text), abs=1e-9)
        assert pofx.prefix_log_prob(lm, text) == pytest.approx(
            exact(brutes, [0.7, 0.3], text, whole=False), abs=1e-9
        )
    records = pofx.posterior(lm, STRINGS)
    for record in records:
        each = np.log([0.7, 0.3]) + np.log([b.string(record.text) for b in brutes])
        assert record.posterior == pytest.approx(each - np.logaddexp.reduce(each), abs=1e-9)
    assert len({r.best for r in records}) == 2


def test_bytes_and_tokens_mix() -> None:
    tokens = toy(ONE, 6, seed=4, memory=2)
    raw = pofx.fit(["abc", "bca", "cab"], pofx.NgramSpec(order=2))
    lm = mixture([tokens, raw])
    brute = Brute(tokens, 3)
    for text in STRINGS:
        both = 0.5 * brute.string(text) + 0.5 * math.exp(pofx.log_prob(raw, text))
        assert pofx.log_prob(lm, text) == pytest.approx(math.log(both), abs=1e-9)


def test_one_vocabulary_is_left_as_it_is() -> None:
    lm = mixture([ToyLM(seed=1), ToyLM(ToyVocab(), seed=2)])
    assert lm.vocab.size == 4
    assert lm.vocab is not None
    assert not isinstance(lm.vocab, ByteVocab)


@pytest.mark.parametrize("beam", [None, 2])
def test_laws_across_vocabularies(beam: int | None) -> None:
    lm = mixture(two(), [0.7, 0.3], beam=beam)
    state = lm.extend(lm.start(3), [[97, 98], [99, 97], [98, 98]])
    assert np.exp(state.logp).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-12)
    assert state.take([2, 0]).logp == pytest.approx(state.logp[[2, 0]], abs=1e-12)
    assert state.cat(state.take([1])).logp[3] == pytest.approx(state.logp[1], abs=1e-12)
    paths = [[*t, 256] for t in STRINGS]
    slow, fast = forward_by_extension(lm, paths, Want(top=2)), lm.forward(paths)
    rows = lm.forward(paths, Want(top=2))
    for i in range(len(paths)):
        assert fast.logp[i] == pytest.approx(slow.logp[i], abs=1e-9)
        assert rows.logp[i] == pytest.approx(slow.logp[i], abs=1e-9)
    total = math.fsum(math.exp(pofx.log_prob(lm, t)) for t in STRINGS)
    alive = math.fsum(
        math.exp(p) for p in (pofx.prefix_log_prob(lm, bytes(t)) for t in itertools.product(b"abc", repeat=4))
    )
    assert total + alive == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("beam", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_bounds_of_a_mixture_hold(beam: int, seed: int) -> None:
    lms = [toy(ONE, 6, seed=seed, memory=2), toy(OTHER, 5, seed=seed + 10, memory=2)]
    brutes = [Brute(m, 3) for m in lms]
    lm = mixture(lms, [0.4, 0.6], beam=beam)
    assert lm.interval
    wide = 0
    for s in pofx.score(lm, STRINGS):
        lo, hi = s.interval
        value = exact(brutes, [0.4, 0.6], s.text)
        assert s.terms.kind == "interval"
        assert lo - 1e-12 <= value <= hi + 1e-12
        assert lo <= s.total <= hi
        plo, phi = s.prefix_interval
        assert plo - 1e-12 <= exact(brutes, [0.4, 0.6], s.text, whole=False) <= phi + 1e-12
        wide += math.isfinite(lo) and hi - lo > 1e-6
    assert wide > (5 if beam == 1 else 0)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(4))
def test_bounds_of_a_mixture_hold_behind_a_prefix(seed: int) -> None:
    lms = [toy(ONE, 6, seed=seed, memory=2), toy(OTHER, 5, seed=seed + 10, memory=2)]
    truth, lm = mixture(lms, [0.4, 0.6]), mixture(lms, [0.4, 0.6], beam=1)
    wide = 0
    for x, y in itertools.product([b"ab", b"abca", b"cabab", b"bcbabc"], [b"", b"b", b"ca", b"abab"]):
        value = pofx.log_prob(truth, x + y) - pofx.prefix_log_prob(truth, x)
        assert pofx.log_prob(truth, y, given=x) == pytest.approx(value, abs=1e-9)
        for s in pofx.score(lm, [y], x) + pofx.score(lm, [y], x, Want(entropy=True)):
            assert s.low is not None
            assert s.high is not None
            assert s.low.sum() - 1e-12 <= min(value, s.total)
            assert max(value, s.total) <= s.high.sum() + 1e-12
            assert math.isfinite(s.low.sum())
            wide += s.high.sum() - s.low.sum() > 1e-6
    assert wide > 10


@pytest.mark.parametrize("seed", range(3))
def test_bounds_of_a_posterior_hold(seed: int) -> None:
    lms = [toy(ONE, 6, seed=seed, memory=2), toy(OTHER, 5, seed=seed + 10, memory=2)]
    truth = pofx.posterior(mixture(lms), STRINGS)
    wide = 0
    for a, b in zip(truth, pofx.posterior(mixture(lms, beam=1), STRINGS)):
        assert np.all(b.low - 1e-12 <= a.evidence)
        assert np.all(a.evidence <= b.high + 1e-12)
        for p, mine, (lo, hi) in zip(a.posterior, b.posterior, b.intervals):
            assert lo - 1e-12 <= p <= hi + 1e-12
            assert lo - 1e-12 <= mine <= hi + 1e-12
            wide += math.isfinite(lo) and hi - lo > 1e-6
    assert wide > 5


def test_an_interval_of_unknown_width_is_bounded_by_the_others() -> None:
    unknown = pofx.interpolate(
        [bytewise(toy(ONE, 6, seed=1), 1), bytewise(toy(ONE, 6, seed=2), 1)], [0.5, 0.5]
    )
    known = pofx.fit(["abc", "bca"], pofx.NgramSpec(order=2))
    lm = mixture([unknown, known], [0.3, 0.7])
    (s,) = pofx.score(lm, ["ab"])
    assert s.interval[0] == pytest.approx(math.log(0.7) + pofx.log_prob(known, "ab"), abs=1e-12)
    assert s.interval[1] == pytest.approx(
        math.log(0.3 + 0.7 * math.exp(pofx.log_prob(known, "ab"))), abs=1e-12
    )


def test_a_leak_is_weighed_by_the_posterior() -> None:
    lms = [bytewise(m) for m in two()]
    lm = mixture(lms, [0.7, 0.3])
    for want in (Want(), Want(rank=True)):
        path = lm.vocab.encode("ca")
        trace = lm.forward([path], want)
        assert trace.leak is not None
        (record,) = pofx.posterior(lm, ["ca"])
        parts = [m.forward([path]).leak for m in lms]
        for i in range(2):
            mixed = sum(math.exp(record.path[i, c]) * p[0][i] for c, p in enumerate(parts) if p is not None)
            assert trace.leak[0][i] == pytest.approx(mixed, abs=1e-12)
    assert record.terms.leak == pytest.approx(pofx.score(lm, ["ca"])[0].terms.leak, abs=1e-12)


def test_mixtures_of_mixtures() -> None:
    inner = mixture(two(), [0.4, 0.6], beam=1)
    raw = pofx.fit(["abc", "bca"], pofx.NgramSpec(order=2))
    outer = mixture([inner, raw], [0.5, 0.5])
    brutes = [Brute(m, 3) for m in two()]
    for text in STRINGS[:12]:
        (s,) = pofx.score(outer, [text])
        inside = math.exp(exact(brutes, [0.4, 0.6], text))
        value = math.log(0.5 * inside + 0.5 * math.exp(pofx.log_prob(raw, text)))
        assert s.interval[0] - 1e-12 <= value <= s.interval[1] + 1e-12
        assert s.interval[1] - s.interval[0] < 2


# ---------------------------------------------------------------------------------------------------- refusals


NO_BEGIN = pofx.fit(["ab"], pofx.NgramSpec(order=2, begin=False))
NO_END = pofx.fit(["ab"], pofx.NgramSpec(order=2, end=False))
BYTES = pofx.fit(["ab"], pofx.NgramSpec(order=2))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mixture([BYTES, NO_END]), pofx.BadValue, ["EOS", "got both", "end="]),
        (lambda: mixture([toy(), NO_END]), pofx.BadValue, ["EOS", "got both", "end="]),
        (lambda: mixture([BYTES, NO_BEGIN]), pofx.BadValue, ["x0", "got both", "begin="]),
        (lambda: mixture([toy(), NO_BEGIN]), pofx.BadValue, ["x0", "got both", "begin="]),
        (lambda: mixture([toy(begin=False), NO_BEGIN]), pofx.NoBOS, ["distribution over bytes"]),
        (
            lambda: mixture([BYTES, BYTES], beam=3),
            pofx.BadValue,
            ["beam", "one vocabulary", "leave beam out"],
        ),
        (lambda: mixture([BYTES, toy()], beam=0), pofx.BadValue, ["beam", "at least 1"]),
        (lambda: pofx.interpolate([BYTES, toy()], [1, 1]), pofx.BadValue, ["one vocabulary", "same vocab"]),
        (lambda: pofx.posterior(BYTES, ["a"]), pofx.BadValue, ["a mixture", "got"]),
        (lambda: pofx.posterior(mixture([BYTES]), "a"), pofx.BadValue, ["list of texts", "[text]"]),
        (lambda: pofx.posterior(mixture([NO_BEGIN]), ["a"]), pofx.NoBOS, ["likelihood"]),
    ],
)
def test_refusals(call: object, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        call()  # type: ignore[operator]
    assert all(w in str(raised.value) for w in words)
    assert "\n" not in str(raised.value)


def test_without_eos_the_evidence_is_of_prefixes() -> None:
    other = pofx.fit(["bb", "ba"], pofx.NgramSpec(order=2, end=False))
    (record,) = pofx.posterior(Mixture([NO_END, other], np.log([0.5, 0.5])), ["ab"])
    assert record.evidence == pytest.approx([pofx.prefix_log_prob(m, "ab") for m in (NO_END, other)])
    assert not record.terms.end
