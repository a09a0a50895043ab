"""Forward–backward over histories and automaton states, held against the definition."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from condition_sets import MIXED, MOST, SETS, ByWindows, law

import pofx
from enumerated import complete
from pofx import Contains
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.conditioning.forward_backward import build_product, compute_backward
from pofx.queries.conditioning.token_automaton import TokenAutomaton
from pofx.queries.conditioning.twisting_function import TokenCondition
from toy import ToyLM, log_string


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
