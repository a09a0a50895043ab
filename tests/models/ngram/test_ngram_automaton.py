"""The automaton of a table gives the bits of the look-ups in the table, wherever it exists."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.models.ngram import automaton
from pofx.models.ngram.automaton import make_automaton
from pofx.models.ngram.model import NgramLM
from pofx.models.specs import NgramSpec

TEXTS = [
    "the cat sat on the mat",
    "the cat sat",
    "a cat and a mat",
    "",
    "x",
    "on the mat the cat sat on a cat",
    "mat mat mat mat",
]


def _paths(lm: NgramLM, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the fitted texts, and paths of random tokens, of which some are empty."""
    rng = np.random.default_rng(seed)
    known = [np.append(lm.vocab.encode(t), lm.vocab.end) for t in TEXTS]
    # Most tokens of a random path are common, so that histories of all lengths are found.
    common = np.unique(np.concatenate(known))
    drawn = [
        np.where(rng.random(n) < 0.9, rng.choice(common, n), rng.integers(0, lm.vocab.size, n))
        for n in rng.integers(0, 30, 60)
    ]
    paths = [*known, *drawn]
    return np.concatenate(paths).astype(np.int64), np.array([len(p) for p in paths])


def _check(lm: NgramLM) -> None:
    made = make_automaton(lm.backoff, lm.codes.begin)
    assert made is not None
    ids, lengths = _paths(lm, 1)
    expected = pofx.LM.log_probs(lm, ids, lengths)
    np.testing.assert_array_equal(made.log_probs(ids, lengths), expected)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "mle"])
@pytest.mark.parametrize("order", [1, 2, 5, 9])
def test_the_automaton_has_the_bits_of_the_table(order: int, smoothing: str) -> None:
    _check(pofx.fit(TEXTS, NgramSpec(order, smoothing=smoothing)))


@pytest.mark.parametrize(
    "spec", [NgramSpec(5, prune=(0, 0, 1)), NgramSpec(4, quantize=8), NgramSpec(3, vocab="chars")]
)
def test_pruned_and_rounded_numbers_are_read_as_they_are(spec: NgramSpec) -> None:
    _check(pofx.fit(TEXTS, spec))


def test_an_arpa_file_of_words_that_lacks_histories(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(
        "\\data\\\nngram 1=5\nngram 2=3\nngram 3=1\n\n"
        "\\1-grams:\n-1\t<s>\t-0.5\n-0.7\tcat\t-0.2\n-0.7\tmat\t-0.3\n-0.6\tthe\n-0.5\t</s>\n\n"
        "\\2-grams:\n-0.3\t<s> cat\t-0.1\n-0.4\tcat mat\n-0.2\tmat </s>\n\n"
        "\\3-grams:\n-0.1\tthe cat mat\n\n\\end\\\n"
    )
    lm = pofx.load(tmp_path / "lm.arpa")
    made = make_automaton(lm.backoff, lm.codes.begin)
    texts = ["cat mat", "the cat mat", "mat the cat mat the", "the", "mat cat"]
    ids, lengths = lm.vocab.encode_joined(texts)
    np.testing.assert_array_equal(made.log_probs(ids, lengths), pofx.LM.log_probs(lm, ids, lengths))


def test_a_loaded_model_has_the_automaton_of_the_saved_one(tmp_path: Path) -> None:
    lm = pofx.fit(TEXTS, NgramSpec(4, quantize=8))
    pofx.save(lm, tmp_path / "model")
    back = pofx.load(tmp_path / "model")
    made, expected = (make_automaton(m.backoff, m.codes.begin) for m in (back, lm))
    for name in ("slots", "root_logp", "root_next", "weights", "suffixes", "start"):
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name))
    assert "_found" not in vars(back.levels.history)


def test_lanes_and_blocks_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = pofx.fit(TEXTS, NgramSpec(5))
    made = make_automaton(lm.backoff, lm.codes.begin)
    ids, lengths = _paths(lm, 2)
    expected = pofx.LM.log_probs(lm, ids, lengths)
    for lanes, block in ((1, 1 << 20), (3, 7), (16, 1), (16, 100)):
        monkeypatch.setattr(automaton, "LANES", lanes)
        monkeypatch.setattr(automaton, "BLOCK", block)
        np.testing.assert_array_equal(made.log_probs(ids, lengths), expected)
    for none in (np.zeros(0, dtype=np.int64), np.zeros(3, dtype=np.int64)):
        assert len(made.log_probs(np.zeros(0, dtype=np.int64), none)) == 0


def test_a_model_reads_by_the_automaton_from_some_number_of_tokens_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lm = pofx.fit(TEXTS, NgramSpec(4))
    monkeypatch.setattr(automaton, "LEAST", 1000)
    ids, lengths = _paths(lm, 3)
    expected = pofx.LM.log_probs(lm, ids, lengths)
    seen = []
    real = automaton.BackoffAutomaton.log_probs
    monkeypatch.setattr(automaton.BackoffAutomaton, "log_probs", lambda *a: seen.append(a[0]) or real(*a))
    for _ in range(4):
        np.testing.assert_array_equal(lm.log_probs(ids, lengths), expected)
    # `_paths` has about 1,000 tokens, and the table fewer than 300 rows.
    assert 0 < len(seen) < 4
    assert all(a is seen[0] for a in seen)


def test_a_model_without_numba_reads_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automaton, "LEAST", 0)
    monkeypatch.setattr(automaton, "find_spec", lambda name: None)
    lm = pofx.fit(TEXTS, NgramSpec(4))
    ids, lengths = _paths(lm, 3)
    monkeypatch.setattr(automaton, "make_automaton", None)  # a call would fail
    for _ in range(2):
        np.testing.assert_array_equal(lm.log_probs(ids, lengths), pofx.LM.log_probs(lm, ids, lengths))


def test_no_automaton_without_a_chain_of_histories_or_with_a_history_that_the_table_lacks() -> None:
    additive = pofx.fit(TEXTS, NgramSpec(3, smoothing="additive"))
    assert make_automaton(additive.backoff, additive.codes.begin) is None
    lm = pofx.fit(TEXTS, NgramSpec(3))
    history = {k: h.copy() for k, h in lm.levels.history.items()}
    history[3] = np.roll(history[3], 1)
    damaged = dataclasses.replace(lm.levels, history=history)
    assert make_automaton(NgramLM(lm.vocab, lm.table, damaged, True).backoff, lm.codes.begin) is None
