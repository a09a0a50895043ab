"""Marginals: against enumeration of every tokenisation; estimates against their own standard errors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

import pofx
from enumerated import Pieces
from pofx.cli.main import pofx as command
from pofx.errors import BadValue, NoBOS, NoEOS, PofxError
from pofx.lm.model import LM
from pofx.models.specs import NgramSpec
from pofx.queries.marginal.exact import sum_by_state
from pofx.queries.marginal.lattice import build_lattice
from pofx.queries.marginal.marginal import Marginal, marginal
from pofx.queries.marginal.tokenisation_beam import find_likeliest
from pofx.queries.marginal.tokenisation_draws import build_tree, draw_unknown
from pofx.transforms.with_begin import with_begin
from pofx.vocab.vocabulary import ByteVocab, Vocab
from pofx.vocab.words import WordVocab
from toy import ToyLM, log_prefix, log_string

# Overlapping tokens, two of the same bytes, and "ca", after which only "b" leads on: a dead end for most texts.
VOCAB = Pieces(b"a", b"b", b"ab", b"ba", b"aba", b"a", b"ca", b"bb")
TEXTS = ["", "a", "ab", "aba", "abab", "babba", "caba", "abaaabab"]


class Forgetful(ToyLM):
    """The toy model as one of which it is not known how far it looks back."""

    def __init__(self, *a: Any, **k: Any) -> None:
        super().__init__(*a, **k)
        self.far, self.memory = self.memory, None  # type: ignore[assignment]
        self.rows: dict[tuple[int, ...], np.ndarray] = {}

    def row(self, history: Any) -> np.ndarray:
        key = tuple(int(h) for h in history)[-self.far :]
        if key not in self.rows:
            self.memory = self.far
            self.rows[key] = super().row(key)
            self.memory = None  # type: ignore[assignment]
        return self.rows[key]

    def start(self, n: int) -> Any:
        return self._state(np.full((n, self.far), -1))

    def extend(self, state: Any, ids: Any) -> Any:
        new = np.asarray(ids, dtype=np.int64).reshape(state.n, -1)
        return self._state(np.concatenate([state.carry, new], axis=1)[:, -self.far :])


def tokenisations(vocab: Vocab, data: bytes) -> Iterator[tuple[int, ...]]:
    if not data:
        yield ()
    for i, b in enumerate(vocab.token_bytes):
        if b and data.startswith(b):
            yield from ((i, *rest) for rest in tokenisations(vocab, data[len(b) :]))


def brute(lm: LM, text: str) -> float:
    """log Σ p(t), by enumeration."""
    return math.log(math.fsum(math.exp(log_string(lm, t)) for t in tokenisations(lm.vocab, text.encode())))


def prefix_mass(lm: LM, data: bytes, behind: tuple[int, ...] = ()) -> float:
    """P(a text begins with `data`), of all tokenisations."""
    if not data:
        return math.exp(log_prefix(lm, behind))
    return sum(
        prefix_mass(lm, data[len(b) :], (*behind, v))
        for v, b in enumerate(lm.vocab.token_bytes)
        if b and (b.startswith(data) or data.startswith(b))
    )


# --- exact -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [1, 2, 3])
@pytest.mark.parametrize("text", TEXTS)
def test_with_a_short_memory_it_is_the_sum_over_all(text: str, memory: int) -> None:
    lm = ToyLM(VOCAB, seed=4, memory=memory)
    found = pofx.marginal(lm, text)
    assert found.kind == found.terms.kind == "exact"
    assert found.estimate == found.lower == found.total == pytest.approx(brute(lm, text), abs=1e-9)
    assert found.interval == (found.lower, pytest.approx(found.lower))
    assert found.found == len(list(tokenisations(VOCAB, text.encode())))
    assert (found.se, found.draws) == (0, 0)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_n_grams_over_subwords(order: int) -> None:
    texts = ["abab", "baba", "ab", "aab", "abba"] * 3
    vocab = pofx.SubwordVocab.learn(texts, 262)
    lm = pofx.fit(texts, NgramSpec(order=order, vocab=vocab))
    assert lm.memory == order - 1
    for text in ["abab", "abba", "ababab", ""]:
        found = marginal(lm, text)
        assert found.kind == "exact"
        assert found.total == pytest.approx(brute(lm, text), abs=1e-9)
        assert found.canonical == pofx.log_prob(lm, text)


def test_a_memory_too_short_for_the_law_is_seen() -> None:
    lm = ToyLM(VOCAB, seed=4, memory=3)
    spelled = build_lattice(VOCAB, VOCAB.encode("abaaabab"))
    right, wrong = sum_by_state(lm, spelled, 3), sum_by_state(lm, spelled, 1)
    assert right is not None
    assert wrong is not None
    assert abs(right[0] - wrong[0]) > 1e-3


def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = ToyLM(VOCAB, seed=4, memory=2)
    whole = marginal(lm, "abaaabab")
    for edges in (1, 3, 7):
        monkeypatch.setattr("pofx.queries.marginal.exact.EDGES", edges)
        assert marginal(lm, "abaaabab").total == pytest.approx(whole.total, abs=1e-12)


def test_too_many_histories_are_left_to_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.queries.marginal.exact.WIDEST", 3)
    lm = ToyLM(VOCAB, seed=4, memory=3)
    assert marginal(lm, "abaaabababbab", beam=2).kind == "estimate"


def test_a_beam_that_keeps_all_is_exact() -> None:
    lm = Forgetful(VOCAB, seed=4)
    for text in TEXTS:
        found = marginal(lm, text, beam=1000)
        assert found.kind == "exact"
        assert found.total == pytest.approx(brute(lm, text), abs=1e-9)


def test_over_bytes_there_is_one_spelling() -> None:
    lm = ToyLM(ByteVocab(), seed=1)
    for text in ("", "a", "naïve"):
        found = marginal(lm, text)
        assert found.kind == "exact"
        assert found.total == found.canonical == pofx.log_prob(lm, text)
        assert found.gap_bits == 0
    words = ToyLM(WordVocab(["a", "b"]))
    assert marginal(words, "a b").total == pofx.log_prob(words, "a b")


def test_the_canonical_tokenisation_need_not_be_the_best() -> None:
    # After "ab" this law expects "ab" again; "aba", the longest token, it hardly knows.
    class Law(ToyLM):
        def row(self, history: Any) -> np.ndarray:
            p = np.array([0.02, 0.02, 0.6, 0.02, 0.02, 0.02, 0.02, 0.02, 0.26])
            return np.log(p / p.sum())

    lm = Law(VOCAB, memory=1)
    assert VOCAB.encode("abab") == [4, 1]
    found = marginal(lm, "abab")
    best = max(log_string(lm, t) for t in tokenisations(VOCAB, b"abab"))
    assert best == pytest.approx(log_string(lm, [2, 2]))
    assert found.canonical < best - 5
    assert found.gap_bits == pytest.approx((brute(lm, "abab") - found.canonical) / math.log(2))


# --- bounds and estimates ----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@over(st.text("ab", max_size=7), st.integers(0, 5), st.integers(1, 3), st.integers(0, 8))
def test_canonical_is_at_most_lower_at_most_the_sum_at_most_the_prefix(
    text: str, seed: int, beam: int, draws: int
) -> None:
    lm = Forgetful(VOCAB, seed=seed)
    found = marginal(lm, text, beam=beam, draws=draws, seed=seed)
    exact = brute(lm, text)
    assert found.canonical <= found.lower <= exact + 1e-9
    assert found.lower <= found.total
    assert exact <= math.log(prefix_mass(lm, text.encode())) + 1e-9
    assert found.interval[0] >= found.lower
    if found.kind == "exact":
        assert found.total == pytest.approx(exact, abs=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("beam", [1, 3])
def test_estimates_are_unbiased_and_their_intervals_cover(beam: int) -> None:
    lm = Forgetful(VOCAB, seed=7)
    text = "abaaababba"
    exact = brute(lm, text)
    runs = [marginal(lm, text, beam=beam, draws=48, seed=s) for s in range(200)]
    assert {r.kind for r in runs} == {"estimate"}
    p = np.array([math.exp(r.estimate - exact) for r in runs if r.estimate is not None])
    assert abs(p.mean() - 1) < 3 * p.std(ddof=1) / math.sqrt(len(p))
    claimed = np.array([r.se for r in runs], dtype=np.float64)
    assert np.mean(claimed) == pytest.approx(p.std(ddof=1), rel=0.3)
    covered = np.mean([r.interval[0] <= exact + 1e-12 and exact <= r.interval[1] + 1e-12 for r in runs])
    assert covered >= 0.85
    assert all(r.ess is not None and 1 <= r.ess <= 48 + 1e-9 for r in runs)


@pytest.mark.thorough
@pytest.mark.parametrize(("seed", "text", "beam"), [(3, "abbabaabab", 1), (7, "abaaababba", 2)])
def test_intervals_cover_with_few_draws_too(seed: int, text: str, beam: int) -> None:
    lm = Forgetful(VOCAB, seed=seed)
    exact = brute(lm, text)
    for draws in (8, 24):
        runs = [marginal(lm, text, beam=beam, draws=draws, seed=s) for s in range(60)]
        covered = np.mean([r.interval[0] <= exact + 1e-12 and exact <= r.interval[1] + 1e-12 for r in runs])
        assert covered >= 0.85
        assert np.median([r.interval[1] - r.interval[0] for r in runs]) < 40


@pytest.mark.thorough
def test_draws_follow_the_law_without_what_was_kept() -> None:
    lm = Forgetful(VOCAB, seed=7)
    text = "abaaab"
    spelled = build_lattice(VOCAB, VOCAB.encode(text))
    kept = find_likeliest(lm, spelled, VOCAB.encode(text), 2, lambda: True)
    assert kept is not None
    every = list(tokenisations(VOCAB, text.encode()))
    q = {}
    for t in every:
        q[t], at = 1.0, 0
        for k, v in enumerate(t):
            fits = {int(i): math.exp(log_prefix(lm, [i], t[:k])) for i in spelled.ids[at]}
            q[t] *= fits[v] / sum(fits.values())
            at += len(VOCAB.token_bytes[v] or b"")
    assert math.fsum(q.values()) == pytest.approx(1)
    others = {t: v for t, v in q.items() if t not in {row.tokens for row in kept.rows}}
    root = build_tree(kept.rows, spelled)
    assert root.missing == pytest.approx(math.fsum(others.values()), abs=1e-12)
    n = 3000
    rows, log_w, _ = draw_unknown(lm, spelled, root, n, np.random.default_rng(0))
    drawn = [row.tokens for row in rows]
    for t, v in others.items():
        share, found = v / root.missing, sum(d == t for d in drawn) / n
        assert abs(found - share) < 4.5 * math.sqrt(share * (1 - share) / n) + 1e-9
    assert set(drawn) <= set(others)
    for row, weight in list(zip(rows, log_w))[:50]:
        assert row.logp == pytest.approx(log_string(lm, row.tokens))
        assert weight == pytest.approx(log_string(lm, row.tokens) - math.log(q[row.tokens]))
    assert build_tree([], spelled).missing == 1


def test_every_step_is_one_call_for_all_particles() -> None:
    calls: list[int] = []

    class Counted(Forgetful):
        def extend(self, state: Any, ids: Any) -> Any:
            calls.append(state.n)
            return super().extend(state, ids)

    lm = Counted(VOCAB, seed=7)
    found = marginal(lm, "abaaababba", beam=2, draws=32)
    beam = [n for n in calls if n <= 3]
    assert len(beam) >= 10  # an offset of the text each
    assert max(calls) == 16
    assert len(calls) <= 10 + 3 * 11  # batches of 8, 16 and 8
    assert found.draws == 32


def test_a_budget_and_a_seed() -> None:
    lm = Forgetful(VOCAB, seed=7)
    text = "abaaababba"
    full = marginal(lm, text, beam=2, seed=3)
    assert full == marginal(lm, text, beam=2, seed=3)
    assert full.estimate != marginal(lm, text, beam=2, seed=4).estimate
    one = marginal(lm, text, beam=2, calls=1)
    assert (one.kind, one.lower, one.estimate, one.calls) == ("lower", one.canonical, None, 1)
    assert one.interval == (one.lower, math.inf)
    some = marginal(lm, text, beam=2, calls=20, seed=3)
    assert some.calls <= 20 + 11  # a particle on its way is not stopped
    assert 0 < some.draws < full.draws
    assert marginal(lm, text, beam=2, seconds=1e-9).kind == "lower"
    assert marginal(lm, text, beam=2, seconds=60, seed=3).estimate == full.estimate


@pytest.mark.thorough
def test_without_a_beam_the_draws_alone_are_unbiased() -> None:
    lm = Forgetful(VOCAB, seed=7)
    text = "abaaab"
    # 3 calls do not take the beam to the text's end; the clock is what stops the draws.
    spelled = build_lattice(VOCAB, VOCAB.encode(text))
    granted = iter([True, True, False])
    assert find_likeliest(lm, spelled, VOCAB.encode(text), 2, lambda: next(granted)) is None
    _, log_w, _ = draw_unknown(lm, spelled, build_tree([], spelled), 4000, np.random.default_rng(1))
    w = np.exp(log_w - brute(lm, text))
    assert abs(w.mean() - 1) < 4 * w.std(ddof=1) / math.sqrt(len(w))


def test_what_is_impossible() -> None:
    lm = pofx.fit(["ab"], NgramSpec(order=2, smoothing="mle", vocab=pofx.SubwordVocab.learn(["ab"] * 9, 257)))
    found = marginal(lm, "ba")
    assert (found.total, found.canonical, found.gap_bits) == (-math.inf, -math.inf, 0)

    class Never(Forgetful):
        def row(self, history: Any) -> np.ndarray:
            out = super().row(history).copy()
            out[[1, 2, 3, 4, 7]] = -np.inf
            return np.asarray(out - np.log(np.exp(out).sum()))

    for beam in (1, 50):
        assert marginal(Never(VOCAB), "abab", beam=beam).total == -math.inf


@pytest.mark.thorough
def test_a_text_of_twenty_kilobytes() -> None:
    vocab = pofx.SubwordVocab.learn(["abab abba"] * 9, 265)
    lm = pofx.fit(["abab abba"] * 9, NgramSpec(order=3, vocab=vocab))
    found = marginal(lm, "abab abba " * 2000)
    assert found.kind == "exact"
    assert found.total > found.canonical


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [{"beam": 0}, {"draws": -1}, {"calls": 0}, {"seconds": 0.0}, {"seconds": float("nan")}]
)
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="expected"):
        marginal(ToyLM(VOCAB), "a", **arguments)


def test_models_that_cannot_answer() -> None:
    with pytest.raises(NoBOS):
        marginal(ToyLM(VOCAB, begin=False), "ab")
    with pytest.raises(NoEOS):
        marginal(pofx.fit(["ab"], NgramSpec(order=2, end=False)), "ab")
    with pytest.raises(PofxError, match="got"):
        marginal(ToyLM(VOCAB), "xyz")
    assert isinstance(marginal(with_begin(ToyLM(VOCAB, begin=False), 0, known="assumed"), "ab"), Marginal)


def test_from_the_command_line(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["abab", "abba", "aab"] * 4
    pofx.save(pofx.fit(lines, NgramSpec(order=2, vocab=pofx.SubwordVocab.learn(lines, 260))), "m")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command, ["marginal", *arguments, "-m", "m"])

    ran = run("--text", "abab", "--text", "", "--json", "--calls", "9", "--beam", "2")
    assert ran.exit_code == 0, ran.output
    first, empty = map(json.loads, ran.stdout.splitlines())
    found = marginal(pofx.load("m"), "abab")
    assert first["total_nats"] == first["lower_nats"] == found.total
    assert (first["kind"], first["canonical_nats"], first["gap_bits"]) == (
        "exact",
        found.canonical,
        found.gap_bits,
    )
    assert empty["text"] == ""
    shown = run("--text", "abab").stdout
    assert f"{found.total:.3f}" in shown
    assert "exact" in shown
    assert "(empty)" in run("--text", "").stdout
    for option, value in (
        ("--beam", "0"),
        ("-n", "-1"),
        ("--calls", "0"),
        ("--seconds", "0"),
        ("--seed", "-1"),
    ):
        refused = run("--text", "abab", option, value)
        assert refused.exit_code == 2
        assert f"Invalid value for '{option}'" in refused.output
