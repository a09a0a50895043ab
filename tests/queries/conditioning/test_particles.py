"""Sequential Monte Carlo: unbiased evidence, honest standard errors, and the pilot law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from condition_sets import MIXED, MOST, SETS, law

import pofx
from enumerated import Forgetful, Pieces, complete, variation
from pofx import Contains, Length
from pofx.queries.conditioning.token_automaton import TokenAutomaton
from pofx.queries.conditioning.twisting_function import TokenCondition, fit_pilot
from resampled import relative_errors, two_ways
from toy import ToyLM


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
        crude = fit_pilot(lm, target, np.random.default_rng(0)).p
        assert crude.shape == (lm.vocab.size + 1, lm.vocab.size)
        assert np.abs(crude.sum(axis=1) - 1).max() < 1e-12 and crude.min() > 0
