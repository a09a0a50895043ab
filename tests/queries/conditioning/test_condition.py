"""p(text | condition): enumeration, forward–backward and particles all say what the definition says."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pofx
from enumerated import Forgetful, Pieces, complete, covered, open_ended, variation
from pofx import Contains, Length, Matches
from pofx.cli.main import main
from pofx.lm.begin import Begin
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.conditioning.conditioned import Conditioned
from pofx.queries.conditioning.conditions import Condition
from pofx.queries.conditioning.forward_backward import build_product, compute_backward
from pofx.queries.conditioning.token_automaton import TokenAutomaton
from pofx.queries.conditioning.twisting_function import TokenCondition, fit_pilot_law
from resampled import relative_errors, two_ways
from toy import ToyLM, ToyVocab, log_string

MOST = 6
SETS: dict[str, tuple[Condition, Callable[[bytes], bool]]] = {
    "contains": (Contains("ab"), lambda w: b"ab" in w),
    "matches": (Matches("a[bc]*c"), lambda w: re.fullmatch(rb"a[bc]*c", w) is not None),
    "length": (Length(4), lambda w: len(w) == 4),
    "both": (Contains(b"aa") & Length(4, "bytes"), lambda w: b"aa" in w and len(w) == 4),
    "three": (
        Contains("a") & Contains("bb") & Matches(".*c"),
        lambda w: b"a" in w and b"bb" in w and w.endswith(b"c"),
    ),
}
MIXED = Pieces(b"a", b"b", b"c", b"ab", b"ca", b"bcb")


class ByWindows(Forgetful):
    """The same law, whose histories are told apart by their last tokens alone."""

    def __init__(self, lm: LM) -> None:
        super().__init__(lm)
        self.memory = lm.memory


@pytest.fixture
def never_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)


def law(found: Conditioned) -> dict[bytes, float]:
    return {o.bytes: o.p for o in found.outcomes}


# --- the numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("lm", [ToyLM(seed=3), ToyLM(MIXED, seed=1)], ids=["letters", "mixed"])
def test_enumeration_is_the_definition(lm: LM, name: str) -> None:
    on, inside = SETS[name]
    most = 4
    truth = complete(lm, most, inside)
    found = pofx.condition(lm, on, max_tokens=most)
    assert found.method == "enumeration" and found.exact and found.se == 0 and found.ess is None
    assert found.log_evidence == pytest.approx(math.log(math.fsum(truth.values())), abs=1e-9)
    z = math.exp(found.log_evidence)
    assert law(found) == pytest.approx({w: p / z for w, p in truth.items()}, abs=1e-9)
    assert found.weights.sum() == pytest.approx(1)


@pytest.mark.usefixtures("never_enumerated")
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("memory", [0, 1, 3])
def test_forward_backward_is_the_definition(name: str, memory: int) -> None:
    on, inside = SETS[name]
    for lm in (ToyLM(seed=memory, memory=max(memory, 1)), ToyLM(MIXED, seed=memory, memory=max(memory, 1))):
        if memory == 0:
            lm = Constant(lm)
        most = MOST if lm.vocab.size == 4 else 4
        truth = math.fsum(complete(lm, most, inside).values())
        found = pofx.condition(lm, on, n=8, max_tokens=most)
        assert found.method == "forward-backward" and found.exact and found.se == 0
        assert found.log_evidence == pytest.approx(math.log(truth), abs=1e-9)


class Constant(LM):
    """The first law of another model, again and again."""

    def __init__(self, lm: LM) -> None:
        self.vocab, self.begin, self.memory = lm.vocab, lm.begin, 0
        self.law = np.asarray(lm.start(1).logp)

    def start(self, n: int) -> State:
        return State(self.law.repeat(n, axis=0))

    def extend(self, state: State, ids: object) -> State:
        return self.start(state.n)


@pytest.mark.usefixtures("never_enumerated")
@pytest.mark.parametrize("smoothing", ["kneser-ney", "additive", "mle"])
def test_histories_of_an_ngram_are_merged_where_they_are_one(smoothing: str) -> None:
    vocab = pofx.CharVocab("abc")
    spec = pofx.NgramSpec(order=4, smoothing=smoothing, vocab=vocab)
    lm = pofx.fit(["abcab", "bcaab", "cabcc", "a", "abbc"], spec)
    for on, inside in SETS.values():
        truth = math.fsum(complete(lm, 5, inside).values())
        if truth == 0:
            with pytest.raises(pofx.Impossible):
                pofx.condition(lm, on, max_tokens=5)
            continue
        found = pofx.condition(lm, on, n=8, max_tokens=5)
        assert found.method == "forward-backward"
        assert found.log_evidence == pytest.approx(math.log(truth), abs=1e-9)
    dfa = Contains("ab").automaton()
    target = TokenCondition(TokenAutomaton(dfa, vocab.token_bytes, vocab.end), vocab.end, 8, None)
    merged = build_product(lm, target)
    windows = build_product(ByWindows(lm), target)
    assert merged is not None and windows is not None
    assert len(merged.q) < len(windows.q) or smoothing == "mle"
    assert compute_backward(merged, target)[0, 0] == pytest.approx(
        compute_backward(windows, target)[0, 0], abs=1e-12
    )


@pytest.mark.usefixtures("never_enumerated")
@pytest.mark.parametrize("lm", [ToyLM(seed=3), ToyLM(MIXED, seed=1, memory=2)], ids=["letters", "mixed"])
def test_moves_in_small_blocks_are_the_same_moves(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    dfa = SETS["contains"][0].automaton()
    target = TokenCondition(TokenAutomaton(dfa, lm.vocab.token_bytes, lm.vocab.end), lm.vocab.end, 8, None)
    together = build_product(lm, target)
    drawn = pofx.condition(lm, SETS["contains"][0], n=50, max_tokens=MOST)
    monkeypatch.setattr("pofx.queries.conditioning.forward_backward.BLOCK", 1)
    apart = build_product(lm, target)
    assert together is not None and apart is not None and len(together.q) > 3
    ours, theirs = compute_backward(together, target), compute_backward(apart, target)
    assert ours[0, 0] == pytest.approx(theirs[0, 0], abs=1e-12)
    assert sorted(ours[0]) == pytest.approx(sorted(theirs[0]), abs=1e-12)
    # The tokens of a move are found again, and add up to it; no token is in two.
    for g in range(len(together.q)):
        moves = range(int(together.first[g]), int(together.first[g + 1]))
        found = [together.tokens(g, int(together.to[m])) for m in moves]
        for m, (_, each) in zip(moves, found):
            assert np.logaddexp.reduce(each) == pytest.approx(together.logp[m])
        every = np.concatenate([token for token, _ in found]) if found else np.zeros(0)
        assert len(set(every.tolist())) == len(every)
    again = pofx.condition(lm, SETS["contains"][0], n=50, max_tokens=MOST)
    assert [d.total for d in again.draws] != [] and again.log_evidence == pytest.approx(drawn.log_evidence)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "additive", "mle"])
def test_what_is_sufficient_is_enough(smoothing: str) -> None:
    vocab = pofx.CharVocab("abc")
    lm = pofx.fit(
        ["abcab", "bcaab", "cabcc", "a", "abbc"], pofx.NgramSpec(order=4, smoothing=smoothing, vocab=vocab)
    )
    for model in (lm, pofx.warp(lm, temperature=0.5), pofx.given(lm, "ab")):
        for length in (0, 1, 3, 5):
            paths = np.array(list(itertools.product(range(3), repeat=length)), dtype=np.int64).reshape(
                3**length, length
            )
            state = model.extend(model.start(len(paths)), paths)
            keys = model.sufficient(state)
            assert keys is not None
            same, which = np.unique(keys, axis=0, return_inverse=True)
            assert len(same) < len(paths) or length < 3
            for token in (None, 0, 2):
                now = state if token is None else model.extend(state, np.full((state.n, 1), token))
                found = model.sufficient(now)
                assert found is not None
                for k in range(len(same)):
                    rows = np.flatnonzero(which.ravel() == k)
                    assert np.ptp(np.exp(now.logp[rows]), axis=0).max() < 1e-12
                    assert (found[rows] == found[rows[0]]).all()


@pytest.mark.usefixtures("never_enumerated")
def test_draws_of_forward_backward_have_the_posterior_frequencies() -> None:
    on, inside = SETS["contains"]
    lm = ToyLM(seed=3)
    found = pofx.condition(lm, on, n=4000, max_tokens=MOST, seed=5)
    truth = complete(lm, MOST, inside)
    z = math.fsum(truth.values())
    seen = Counter(d.bytes for d in found.draws)
    assert sum(seen.values()) == 4000 and found.ess == pytest.approx(4000)
    rare = {w for w in truth if truth[w] / z * 4000 < 8}
    cells = [(seen[w], truth[w] / z * 4000) for w in truth if w not in rare]
    cells.append((sum(seen[w] for w in rare), sum(truth[w] for w in rare) / z * 4000))
    chi2 = sum((o - e) ** 2 / e for o, e in cells)
    # 6 standard deviations of chi-square: 1 false alarm in 10^8
    assert chi2 < len(cells) + 6 * math.sqrt(2 * len(cells))
    for d in found.draws[:40]:
        assert d.total == pytest.approx(log_string(lm, d.tokens.tolist()))
        assert inside(d.bytes) and d.ended and d.terms.end
    # One spelling a string: what was drawn has its exact probability, not its frequency.
    assert law(found) == pytest.approx({w: truth[w] / z for w in seen}, abs=1e-9)


@pytest.mark.usefixtures("never_enumerated")
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("vocab", [None, MIXED], ids=["letters", "mixed"])
def test_particles_estimate_the_evidence_without_bias(name: str, vocab: Pieces | None) -> None:
    on, inside = SETS[name]
    lm = Forgetful(ToyLM(vocab, seed=4))
    most = MOST if vocab is None else 4
    truth = complete(lm, most, inside)
    z = math.fsum(truth.values())
    found = pofx.condition(lm, on, n=200 * 8, runs=200, max_tokens=most, seed=11)
    assert found.method == "smc" and not found.exact and len(found.runs) == 200
    runs = np.exp(found.runs)
    assert abs(runs.mean() - z) < 3 * runs.std(ddof=1) / math.sqrt(200) + 1e-15
    assert found.log_evidence == pytest.approx(math.log(runs.mean()))
    assert found.se == pytest.approx(runs.std(ddof=1) / math.sqrt(200) / runs.mean())
    assert found.se > 0  # eight particles a run leave something out
    # Every text on its own: weights of its draws, run by run, are unbiased for p(text), too.
    for o in found.outcomes[:5]:
        assert abs(o.p - truth[o.bytes] / z) < 4 * o.se + 1e-9
    assert variation(law(found), truth) < 0.12


@pytest.mark.thorough
@pytest.mark.usefixtures("never_enumerated")
def test_a_standard_error_is_what_repetition_shows() -> None:
    lm = Forgetful(ToyLM(seed=4))
    found = [pofx.condition(lm, Contains("ab"), n=64, max_tokens=MOST, seed=s) for s in range(30)]
    spread = np.std([f.log_evidence for f in found])
    claimed = np.sqrt(np.mean([f.se**2 for f in found]))
    assert 0.55 < claimed / spread < 2
    best = found[0].outcomes[0].bytes
    p = [(o.p, o.se) for f in found for o in f.outcomes if o.bytes == best]
    assert 0.5 < np.sqrt(np.mean([se**2 for _, se in p])) / np.std([x for x, _ in p]) < 2


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["contains", "both"])
def test_thinning_is_as_right_as_resampling_and_varies_less(name: str) -> None:
    on, inside = SETS[name]
    lm = ToyLM(seed=4)
    z = math.log(math.fsum(complete(lm, MOST, inside).values()))
    thinning, resampling = two_ways(lm, on, MOST)
    runs = 150
    (bias, spread), (other_bias, other_spread) = (
        relative_errors(run, 16, runs, z) for run in (thinning, resampling)
    )
    assert abs(bias) < 4 * spread / math.sqrt(runs) and abs(other_bias) < 4 * other_spread / math.sqrt(runs)
    assert 0 < spread < 0.5 * other_spread


@pytest.mark.usefixtures("never_enumerated")
def test_more_particles_than_texts_leave_nothing_out() -> None:
    lm = Forgetful(ToyLM(seed=4))
    truth = complete(lm, 4, SETS["length"][1])
    found = pofx.condition(lm, Length(4), n=8 * 100, max_tokens=4)
    assert found.method == "smc" and found.se == pytest.approx(0, abs=1e-12)
    assert found.log_evidence == pytest.approx(math.log(math.fsum(truth.values())), abs=1e-9)
    assert variation(law(found), truth) < 1e-9


@pytest.mark.parametrize("how", ["enumeration", "forward-backward", "smc"])
@pytest.mark.parametrize(
    "vocab", [ToyVocab(), MIXED, ToyVocab(end=False)], ids=["letters", "mixed", "no EOS"]
)
def test_open_ended_the_first_beginning_counts(
    how: str, vocab: ToyVocab | Pieces, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how != "enumeration":
        monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    lm: LM = ToyLM(vocab, seed=2)
    if how == "smc":
        lm = Forgetful(lm)
    most = 5 if vocab.size < 6 else 4
    for on, inside in (SETS["contains"], SETS["matches"], SETS["length"]):
        truth = open_ended(lm, most, inside)
        z = math.fsum(truth.values())
        found = pofx.condition(lm, on, n=2000, max_tokens=most, ends=False, seed=3)
        assert found.method == how
        assert found.log_evidence == pytest.approx(
            math.log(z), abs=1e-9 if how != "smc" else 4 * found.se + 1e-9
        )
        assert set(law(found)) <= set(truth)
        assert (
            variation(law(found), truth) < {"enumeration": 1e-9, "forward-backward": 0.06, "smc": 0.02}[how]
        )
        assert not any(d.ended or d.terms.end for d in found.draws)


def test_so_many_tokens() -> None:
    lm = ToyLM(MIXED, seed=5)
    up_to = [math.fsum(complete(lm, n, lambda w: True).values()) for n in (2, 3)]
    z = up_to[1] - up_to[0]
    found = pofx.condition(lm, Length(3, "tokens"))
    assert found.log_evidence == pytest.approx(math.log(z), abs=1e-9)
    assert {len(d.tokens) for d in found.draws} == {3} and found.max_tokens == 3
    begun = pofx.condition(lm, Length(2, "tokens") & Contains("ab"), ends=False)
    assert all(len(d.tokens) == 2 for d in begun.draws)
    with pytest.raises(pofx.Impossible):
        pofx.condition(lm, Length(3, "tokens") & Length(4, "tokens"))


def test_characters_are_those_of_utf8() -> None:
    lm = pofx.fit(["é", "éa", "aé", "aa", "a"], pofx.NgramSpec(order=2, smoothing="additive", alpha=0.01))
    found = pofx.condition(lm, Length(2, "characters"), n=300, max_tokens=8, seed=1)
    assert found.exact
    assert all(len(o.bytes.decode()) == 2 for o in found.outcomes)
    assert "éa" in {o.text for o in found.outcomes}
    fewer = pofx.condition(lm, Length(3, "bytes") & Length(2), max_tokens=8)
    assert fewer.log_evidence < found.log_evidence


def test_behind_a_prefix() -> None:
    lm = ToyLM(MIXED, seed=5)
    truth = complete(lm, 4, SETS["contains"][1], lm.vocab.encode("ca"))
    found = pofx.condition(lm, Contains("ab"), given="ca", boundary="token", max_tokens=4)
    assert found.given == "ca" and found.log_evidence == pytest.approx(
        math.log(math.fsum(truth.values())), abs=1e-9
    )
    assert all(d.terms.given_bytes == 2 and not d.terms.first for d in found.draws)
    whole = complete(lm, 3, lambda w: w.startswith(b"ca") and b"ab" in w[2:])
    exact = pofx.condition(lm, Contains("ab"), given="ca", max_tokens=2)
    z = math.fsum(whole.values()) / covered(lm, b"ca")
    assert exact.log_evidence == pytest.approx(math.log(z), abs=1e-9)
    assert law(exact) == pytest.approx(
        {w[2:]: p / math.fsum(whole.values()) for w, p in whole.items()}, abs=1e-9
    )
    with pytest.raises(pofx.BadValue, match="boundary='token'"):
        pofx.condition(lm, Length(2, "tokens"), given="ca")
    bare = ToyLM(seed=1, begin=False)
    assert math.isfinite(pofx.condition(bare, Contains("ab"), given="a", max_tokens=4).log_evidence)
    with pytest.raises(pofx.NoBOS):
        pofx.condition(bare, Contains("ab"), max_tokens=4)


def test_a_space_that_opens_texts_is_no_part_of_them() -> None:
    vocab = pofx.WordVocab(["the", "cat", "sat", "a"])
    lm = pofx.fit(["the cat sat", "a cat", "the cat"], pofx.NgramSpec(order=2, vocab=vocab))
    texts = {b" ".join(w): p for w, p in _word_texts(lm, 3)}
    for on, inside in (
        (Matches("the( .*)?"), lambda w: w == b"the" or w.startswith(b"the ")),
        (Length(5), lambda w: len(w) == 5),
        (Contains(" cat"), lambda w: b" cat" in w),
    ):
        truth = {w: p for w, p in texts.items() if inside(w)}
        found = pofx.condition(lm, on, max_tokens=3)
        assert found.log_evidence == pytest.approx(math.log(math.fsum(truth.values())), abs=1e-9)
        assert set(law(found)) <= set(truth)
    # Behind a prefix, too, a text of this vocabulary is words with a space between them.
    behind = pofx.infill(lm, "the", "sat", max_tokens=1)
    assert {o.text for o in behind.outcomes} == {"", "the ", "cat ", "sat ", "a "}


def _word_texts(lm: LM, most: int) -> list[tuple[list[bytes], float]]:
    words = [b.strip() for b in lm.vocab.token_bytes if b]
    paths = [p for n in range(most + 1) for p in itertools.product(range(len(words)), repeat=n)]
    return [([words[i] for i in p], math.exp(log_string(lm, p))) for p in paths]


# --- what stays the same -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("never_enumerated")
def test_same_seed_same_answer() -> None:
    lm = Forgetful(ToyLM(seed=4))
    a, b, c = (pofx.condition(lm, Contains("ab"), n=64, max_tokens=MOST, seed=s) for s in (1, 1, 2))
    assert a.runs == b.runs and [d.bytes for d in a.draws] == [d.bytes for d in b.draws]
    assert a.runs != c.runs


@pytest.mark.usefixtures("never_enumerated")
def test_in_groups_of_runs_as_together(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = Forgetful(ToyLM(seed=4))
    together = pofx.condition(lm, Contains("ab"), n=64, max_tokens=MOST)
    monkeypatch.setattr("pofx.queries.conditioning.particles.NUMBERS", 1)
    apart = pofx.condition(lm, Contains("ab"), n=64, max_tokens=MOST)
    assert together.runs == pytest.approx(apart.runs, abs=1e-12)
    assert law(together) == pytest.approx(law(apart), abs=1e-12)
    assert apart.calls > together.calls  # what runs have in common is computed once


def test_the_crude_law_is_one_and_gives_everything_something() -> None:
    for lm in (ToyLM(seed=1), pofx.fit(["abab", "ab"], pofx.NgramSpec(order=2, smoothing="mle"))):
        dfa = Contains("ab").automaton()
        target = TokenCondition(
            TokenAutomaton(dfa, lm.vocab.token_bytes, lm.vocab.end), lm.vocab.end, 8, None
        )
        crude = fit_pilot_law(lm, target, np.random.default_rng(0)).law
        assert crude.shape == (lm.vocab.size + 1, lm.vocab.size)
        assert np.abs(crude.sum(axis=1) - 1).max() < 1e-12 and crude.min() > 0


EVERY_LM: dict[str, Callable[[], LM]] = {
    "bytes": lambda: pofx.fit(TEXTS, pofx.NgramSpec(order=3)),
    "bpe": lambda: pofx.fit(TEXTS, pofx.NgramSpec(order=2, vocab=pofx.SubwordVocab.learn(TEXTS, 270))),
    "warp": lambda: pofx.warp(pofx.fit(TEXTS, pofx.NgramSpec(order=3)), temperature=0.7),
    "mixture": lambda: pofx.mixture([pofx.fit(TEXTS[:2], SMALL), pofx.fit(TEXTS[2:], SMALL)]),
    "interpolate": lambda: pofx.interpolate(
        [pofx.fit(TEXTS[:2], SMALL), pofx.fit(TEXTS[2:], SMALL)], [0.5, 0.5]
    ),
    "bytewise": lambda: pofx.bytewise(EVERY_LM["bpe"](), beam=4),
    "windowed": lambda: pofx.windowed(pofx.fit(TEXTS, SMALL), context=6),
    "given": lambda: pofx.given(pofx.fit(TEXTS, SMALL), "the "),
    "deterministic": lambda: pofx.deterministic(pofx.fit(TEXTS, SMALL)),
    "transformer": lambda: pofx.fit(
        TEXTS, pofx.TransformerSpec(layers=1, width=16, heads=2, context=32, vocab="bytes", epochs=1, seed=0)
    ),
}
TEXTS = ["the cat sat", "the dog sat", "a cat", "a dog ran", "cats ran"]
SMALL = pofx.NgramSpec(order=3)


@pytest.mark.parametrize("name", EVERY_LM)
def test_every_lm_can_be_conditioned(name: str) -> None:
    lm = EVERY_LM[name]()
    found = pofx.condition(lm, Matches("[a-z ]*at[a-z ]*"), n=32, max_tokens=12, seed=1)
    assert math.isfinite(found.log_evidence) and found.log_evidence < 0
    assert all(re.fullmatch(r"[a-z ]*at[a-z ]*", o.text) for o in found.outcomes)
    scored = pofx.score(lm, [d.bytes for d in found.draws[:5]])
    for d, s in zip(found.draws, scored):
        # d is one spelling of the text: as likely as the canonical one only if it is that one
        if name != "bytewise" and d.tokens.tolist() == s.tokens.tolist():
            assert d.total == pytest.approx(s.total, abs=1e-3)
    whole = (
        found.method != "forward-backward" or not lm.vocab.unambiguous
    )  # else what was not drawn is missing
    assert sum(o.p for o in found.outcomes) <= 1 + 1e-9
    assert not whole or sum(o.p for o in found.outcomes) == pytest.approx(1)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [Contains("x"), Length(99), Matches("a") & Matches("b"), Matches("x+")])
def test_a_condition_of_probability_zero_is_an_error(on: Condition) -> None:
    for lm in (ToyLM(seed=1), Forgetful(ToyLM(seed=1)), ToyLM(MIXED, seed=1)):
        with pytest.raises(
            pofx.Impossible, match=r"expected a condition of positive probability, found P = 0"
        ) as e:
            pofx.condition(lm, on, max_tokens=5)
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("how", ["enumeration", "forward-backward", "smc"])
def test_so_is_one_to_which_the_model_gives_nothing(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how != "enumeration":
        monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
    lm: LM = pofx.fit(["ab", "abab"], pofx.NgramSpec(order=2, smoothing="mle", vocab="chars"))
    if how == "smc":
        lm = pofx.windowed(lm, context=3)
    assert math.isfinite(pofx.condition(lm, Contains("ab"), max_tokens=6).log_evidence)
    with pytest.raises(pofx.Impossible):
        pofx.condition(lm, Contains("ba") & Matches("b.*"), max_tokens=6)


class Trap(LM):
    """Sixteen letters by a fair coin; only behind sixteen b's can the text end."""

    def __init__(self) -> None:
        self.vocab, self.begin = ToyVocab(2), Begin("trained")

    def start(self, n: int) -> State:
        return self._state(np.full(n, -1), np.zeros(n, dtype=np.int64))

    def _state(self, first: np.ndarray, length: np.ndarray) -> State:
        law = np.full((len(first), 3), -np.inf)
        with np.errstate(divide="ignore"):
            for k, (f, n) in enumerate(zip(first, length)):
                law[k] = np.log([0.5, 0.5, 0] if n < 16 else [0, 0, 1] if f else [0.5, 0.5, 0])
        return State(law, (first, length))

    def extend(self, state: State, ids: object) -> State:
        first, length = state.carry
        new = np.asarray(ids, dtype=np.int64).reshape(state.n, -1)
        for token in new.T:  # one a is one too many
            first = np.where((length == 0) | (first == 1), token, first)
            length = length + 1
        return self._state(first, length)


def test_no_particle_alive_is_not_the_same_as_impossible() -> None:
    lm = Trap()
    with pytest.raises(pofx.Unreached, match=r"found none among 16; whether any text does is not known") as e:
        pofx.condition(lm, Length(16), n=16, max_tokens=16)
    assert "\n" not in str(e.value) and not isinstance(e.value, pofx.Impossible)
    with pytest.raises(pofx.Impossible):  # every branch was followed
        pofx.condition(Trap(), Contains("a") & Length(8), max_tokens=8)


def test_arguments_outside_their_domain() -> None:
    lm = ToyLM(seed=1)
    for wrong, match in (
        ({"n": 3}, "n: expected"),
        ({"runs": 2}, "runs: expected a whole number of at least 8"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens: expected at most 100,000"),
        ({"seed": -1}, "seed"),
        ({"boundary": "none"}, "boundary"),
    ):
        with pytest.raises(pofx.BadValue, match=match):
            pofx.condition(lm, Contains("a"), **wrong)  # type: ignore[arg-type]
    with pytest.raises(pofx.BadValue, match="on: expected a condition"):
        pofx.condition(lm, "a")  # type: ignore[arg-type]
    with pytest.raises(pofx.BadValue, match="length"):
        Length(-1)
    with pytest.raises(pofx.BadValue, match="unit"):
        Length(1, "words")  # type: ignore[arg-type]
    with pytest.raises(pofx.NotText):
        Contains("\ud800")
    with pytest.raises(pofx.NoEOS, match="ends=False"):
        pofx.condition(ToyLM(ToyVocab(end=False)), Contains("a"))


def test_conditions_are_values() -> None:
    assert Contains("a") == Contains("a") and hash(Length(2)) == hash(Length(2, "characters"))
    assert str(Contains("a\n") & Length(1, "bytes")) == "contains 'a⏎' and is 1 byte long"


# --- on the command line --------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("model") / "m")
    pofx.save(pofx.fit(TEXTS, SMALL), path)
    return path


def test_the_verb(capsys: pytest.CaptureFixture[str], model: str) -> None:
    code, out, err = run(capsys, "condition", "--contains", "cat", "--length", "5", "-n", "64", "-m", model)
    assert code == 0 and not err
    assert "log P(the text contains 'cat' and is 5 characters long) = " in out and "forward–backward" in out
    code, out, _ = run(
        capsys, "condition", "--matches", "[a-z]*", "--given", "the ", "-m", model, "--json", "-n", "16"
    )
    found = json.loads(out)
    same = pofx.condition(pofx.load(model), Matches("[a-z]*"), given="the ", n=16)
    assert found["log_evidence_nats"] == pytest.approx(same.log_evidence)
    assert found["given"] == "the " and found["exact"] and found["method"] == same.method
    assert sum(d["weight"] for d in found["draws"]) == pytest.approx(1)
    assert [o["text"] for o in found["outcomes"]] == [o.text for o in same.outcomes]
    code, out, _ = run(capsys, "condition", "--contains", "dog", "--open", "-m", model)
    assert code == 0 and "dog" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "expected --contains, --matches or --length, found none"),
        (("--matches", "(a"), "expected a regular expression"),
        (("--matches", "(?=a)a"), "without look-around"),
        (("--unit", "bytes", "--contains", "a"), "--unit: expected with --length"),
        (("--length", "-1"), "--length"),
        (("--contains", "a", "-n", "1"), "'-n': expected"),
        (("--matches", "ab", "--length", "3"), "found P = 0"),
    ],
)
def test_what_the_verb_refuses(
    capsys: pytest.CaptureFixture[str], model: str, arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = run(capsys, "condition", *arguments, "-m", model)
    assert code == 2 and not out
    assert says in err and err.startswith("pofx: error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "wrong", [{"n": 1}, {"runs": 2}, {"seed": -1}, {"max_tokens": -1}, {"boundary": "word"}]
)
def test_options_are_checked_before_a_condition_is_compiled(
    wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Matches) -> None:
        raise AssertionError("it is compiled")

    monkeypatch.setattr(Matches, "automaton", never)
    for ask in (
        lambda: pofx.condition(ToyLM(), Matches("a"), **wrong),
        lambda: pofx.infill(ToyLM(), "", "b", middle=Matches("a"), **wrong),
    ):
        with pytest.raises(pofx.BadValue, match=f"^{next(iter(wrong))}: expected"):
            ask()
