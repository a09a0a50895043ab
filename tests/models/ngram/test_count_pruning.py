"""Pruning by count: the numbers are those of a slow oracle, rows sum to 1, and both fits write the same bytes."""

from __future__ import annotations

import itertools
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_kneser_ney import BEGIN, SlowKneserNey

import pofx
from pofx.corpus.builtin import builtin_documents
from pofx.models.ngram.external import fit as external
from pofx.models.ngram.smoothing import Histories, find_histories
from pofx.models.saving import fit_and_save
from pofx.models.specs import NgramSpec
from pofx.vocab.spec import vocab_for

TEXTS = st.lists(st.text("abc", max_size=12), min_size=1, max_size=14)
PRUNE = st.lists(st.integers(0, 3), max_size=4).map(lambda steps: (0, *itertools.accumulate(steps)))


@settings(max_examples=60)
@given(texts=TEXTS, order=st.integers(1, 5), prune=PRUNE, begin=st.booleans(), end=st.booleans())
def test_every_number_is_that_of_the_definition(texts, order, prune, begin, end):
    prune = prune[:order]
    spec = NgramSpec(order, vocab="chars", begin=begin, end=end, prune=prune)
    if not any(texts) and not (begin and end):
        return
    lm = pofx.fit(texts, spec)
    vocab = lm.vocab
    closed = [[*vocab.encode(t), *([vocab.end] if end else [])] for t in texts]
    slow = SlowKneserNey(closed, order, vocab.size, prune, begin)
    letters = [i for i in range(vocab.size) if i != vocab.end]
    for n in range(4):
        for ids in itertools.product(letters, repeat=n):
            if not n and not begin:
                continue
            history = [BEGIN, *ids] if begin else list(ids)
            expected = [slow.p(w, history) for w in range(vocab.size)]
            assert math.fsum(expected) == pytest.approx(1, abs=1e-12)
            if begin:
                found = np.exp(lm.extend(lm.start(1), np.array([ids], dtype=np.int64).reshape(1, n)).logp[0])
            else:
                state = lm.extend(lm.start(1), np.array([ids], dtype=np.int64))
                found = np.exp(state.logp[0])
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
            assert found.sum() == pytest.approx(1, abs=1e-12)
    # log p of a text takes another way through the table than whole distributions do.
    given = "" if begin else next((t for t in texts if t), "")
    for text in [*texts, "abcabc", "cc"]:
        if not set(text) <= set("".join(texts)) or not (begin or given):
            continue
        scored = pofx.score(lm, [text], "" if begin else given)[0]
        whole = [
            *([BEGIN] if begin else vocab.encode(given)),
            *vocab.encode(text),
            *([vocab.end] if end else []),
        ]
        start = 1 if begin else len(vocab.encode(given))
        expected = [math.log(slow.p(whole[i], whole[:i])) for i in range(start, len(whole))]
        assert scored.logp == pytest.approx(expected, abs=1e-10)


def test_rare_n_grams_take_no_room(tmp_path: Path) -> None:
    texts = builtin_documents()
    spec = NgramSpec(5, prune=(0, 0, 1, 2, 3))
    whole, pruned = pofx.fit(texts, NgramSpec(5)), pofx.fit(texts, spec)
    for k, threshold in enumerate(spec.prune, 1):
        full = whole.levels.seen[k].sum()
        assert (pruned.levels.seen[k].sum() == full) == (threshold == 0)
    assert len(pruned.table) < len(whole.table) / 2
    # All but histories and padding is seen.
    for k in range(2, 6):
        real = pruned.table.oldest(k) != 0
        assert pruned.levels.seen[k][real].mean() > 0.999
    history = find_histories(pruned.table)
    assert all(np.array_equal(Histories(pruned.table)[k], history[k]) for k in history)


def test_thresholds_of_zero_change_no_bit(tmp_path: Path) -> None:
    texts = builtin_documents()[:100]
    pofx.save(pofx.fit(texts, NgramSpec(4)), tmp_path / "a")
    pofx.save(pofx.fit(texts, NgramSpec(4, prune=(0, 0))), tmp_path / "b")
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def _texts(texts):
    return texts


@settings(max_examples=15)
@given(
    texts=TEXTS,
    order=st.sampled_from([1, 2, 3, 6, 8, 16]),
    prune=PRUNE,
    begin=st.booleans(),
    end=st.booleans(),
    cut=st.integers(0, 12),
    rows=st.integers(1, 9),
)
def test_a_fit_in_bounded_memory_writes_the_same_bytes(
    texts, order, prune, begin, end, cut, rows, tmp_path_factory
):
    home = tmp_path_factory.mktemp("fit")
    spec = NgramSpec(order, begin=begin, end=end, prune=prune[:order])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pofx.models.ngram.external.columns._SMALL", 0)
        patch.setattr(external, "_MOST_ROWS", rows)
        patch.setattr(external, "_LEAST", rows)
        pofx.save(pofx.fit(texts, spec), home / "in-memory")
        units = [partial(_texts, texts[:cut]), partial(_texts, texts[cut:])]
        fit_and_save(units, spec, vocab_for(spec.vocab, texts, end), home / "external", 0)
    for path in sorted((home / "in-memory").iterdir()):
        assert path.read_bytes() == (home / "external" / path.name).read_bytes(), path.name
    pofx.load(home / "external")


def test_a_pruned_model_survives_saving_and_arpa(tmp_path: Path) -> None:
    lm = pofx.fit(builtin_documents(), NgramSpec(4, prune=(0, 1, 2)))
    texts = ["the old harbour", "", "zzz"]
    right = [s.total for s in pofx.score(lm, texts)]
    pofx.save(lm, tmp_path / "model")
    pofx.write_arpa(lm, tmp_path / "lm.arpa")
    assert [s.total for s in pofx.score(pofx.load(tmp_path / "model"), texts)] == right
    assert [s.total for s in pofx.score(pofx.load(tmp_path / "lm.arpa"), texts)] == pytest.approx(
        right, abs=1e-7
    )
    assert lm.termination([1, 5]) is not None


@pytest.mark.parametrize(
    "wrong", [(1,), (0, 2, 1), (0, -1), (0, 0.5), (0, True), 1, "01", (0,) * 9, (0, 1, None), ("0", "1")]
)
def test_thresholds_that_are_none(wrong) -> None:
    with pytest.raises(pofx.BadValue, match="prune"):
        NgramSpec(4, prune=wrong)


def test_only_kneser_ney_gives_left_out_n_grams_a_share() -> None:
    with pytest.raises(pofx.BadValue, match="additive"):
        NgramSpec(4, "additive", prune=(0, 1))
    assert NgramSpec(4, "additive", prune=(0, 0)).prune == (0, 0)
    assert NgramSpec(4, prune=[0, 1]).prune == (0, 1)
