"""Scores: log p is the definition, term by term."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pofx
from pofx import NoBOS, NoEOS
from pofx.lm.trace import Want
from small_models import BYTES, CORPUS, MLE, NO_BEGIN, NO_END, TOY, ngram
from toy import log_prefix, log_string, texts


def test_score_is_the_definition() -> None:
    for lm in (TOY, pofx.given(TOY, "ab"), pofx.warp(TOY, temperature=0.5)):
        for path in texts(lm.vocab, 3):
            text = lm.vocab.decode(path)
            scored = pofx.score(lm, [text])[0]
            assert scored.total == pytest.approx(log_string(lm, path), abs=1e-12)
            assert scored.prefix_total == pytest.approx(log_prefix(lm, path), abs=1e-12)
            assert pofx.log_prob(lm, text) == scored.total
            assert pofx.prefix_log_prob(lm, text) == scored.prefix_total
            assert scored.interval == (scored.total, scored.total)


def test_order_is_kept_and_duplicates_agree() -> None:
    many = ["dogs", "", "a", "dogs", b"a", "the dog", ""]
    scored = pofx.score(BYTES, many)
    assert [s.text for s in scored] == many
    alone = [pofx.score(BYTES, [t])[0].total for t in many]
    assert [s.total for s in scored] == alone
    assert scored[0].total == scored[3].total
    assert scored[2].total == scored[4].total


def test_no_texts_no_numbers() -> None:
    assert pofx.score(BYTES, []) == []
    assert pofx.score(BYTES, [], []) == []
    assert pofx.score(BYTES, [], "the") == []


def test_any_iterable_of_texts() -> None:
    assert [s.text for s in pofx.score(BYTES, iter(["a", "b"]))] == ["a", "b"]  # type: ignore[arg-type]


def test_one_prefix_or_one_a_text() -> None:
    same = pofx.score(BYTES, [" cat", " dog"], "the")
    each = pofx.score(BYTES, [" cat", " dog", "the"], ["the", b"the", ""])
    assert [s.total for s in same] == [s.total for s in each[:2]]
    assert each[2].total == pofx.log_prob(BYTES, "the")
    assert [s.given for s in each] == ["the", b"the", ""]
    joint = pofx.prefix_log_prob(BYTES, "the") + same[0].total
    assert pofx.log_prob(BYTES, "the cat") == pytest.approx(joint, abs=1e-12)


def test_the_given_of_a_model_without_x0() -> None:
    free = pofx.score(NO_BEGIN, ["b", ""], "a")
    assert free[0].prefix_total == pytest.approx(log_prefix(NO_BEGIN, [1], [0]))
    assert free[1].total == pytest.approx(log_string(NO_BEGIN, [], [0]))
    mixed: list[str] = ["a", ""]
    with pytest.raises(NoBOS):
        pofx.score(NO_BEGIN, ["b", "b"], mixed)


def test_terms_are_the_small_print() -> None:
    s = pofx.score(BYTES, ["é"], "the")[0].terms
    assert (s.begin, s.begin_known, s.first, s.end) == ("<s>", "trained", False, True)
    assert (s.given_bytes, s.tokens, s.bytes, s.dtype, s.kind) == (3, 2, 2, "float64", "exact")
    assert str(s) == (
        "x0 <s> (trained), after 3 given bytes, EOS included; 2 tokens, 2 bytes; "
        "n-gram: the last 2 tokens; float64, exact"
    )
    assert "1 token, 1 byte;" in str(pofx.score(BYTES, ["a"])[0].terms)
    assert "p(x1|x0) included" in str(pofx.score(BYTES, ["a"])[0].terms)
    assert "no EOS" in str(pofx.score(NO_END, ["a"])[0].terms)
    assert str(pofx.score(NO_BEGIN, ["a"], "b")[0].terms).startswith("no x0, after 1 given byte,")


def test_subwords_are_canonical_bytes_are_exact() -> None:
    documents = CORPUS * 3
    assert pofx.score(ngram(documents, vocab="bpe:260"), ["the"])[0].terms.kind == "canonical"
    assert pofx.score(ngram(documents, vocab="chars"), ["the"])[0].terms.kind == "exact"


def test_want_is_what_the_laws_say() -> None:
    plain = pofx.score(TOY, ["ab"])[0]
    assert plain.entropy is plain.rank is plain.top_ids is plain.top_logp is None
    full = pofx.score(TOY, ["ab"], want=Want(entropy=True, rank=True, top=2))[0]
    assert full.entropy is not None
    assert full.rank is not None
    assert full.top_ids is not None
    assert full.top_logp is not None
    np.testing.assert_allclose(full.logp, plain.logp)
    for i, token in enumerate([0, 1, TOY.vocab.end]):
        law = TOY.row([0, 1][:i])
        assert full.entropy[i] == pytest.approx(-np.sum(np.exp(law) * law))
        assert full.rank[i] == 1 + np.sum(law > law[token])
        assert list(full.top_ids[i]) == list(np.argsort(-law)[:2])
        np.testing.assert_allclose(full.top_logp[i], np.sort(law)[::-1][:2])


def test_probability_zero_is_minus_infinity_without_a_warning() -> None:
    impossible = pofx.score(MLE, ["zz", "a", "the cat sat"], want=Want(entropy=True, rank=True, top=3))
    assert impossible[0].total == impossible[0].prefix_total == -math.inf
    assert math.isfinite(impossible[1].total)
    assert math.isfinite(impossible[2].total)
    assert pofx.log_prob(MLE, "zz") == -math.inf
    assert pofx.prefix_log_prob(pofx.mixture([MLE, MLE]), "zz") == -math.inf
    assert not any(np.isnan(s.logp).any() for s in impossible)


def test_no_end_has_prefixes_only() -> None:
    scored = pofx.score(NO_END, ["ab"])[0]
    assert len(scored.logp) == 2
    assert scored.prefix_total == pytest.approx(log_prefix(NO_END, [0, 1]))
    with pytest.raises(NoEOS):
        _ = scored.total
    with pytest.raises(NoEOS):
        _ = scored.interval
