"""Scores, draws and next-token laws, and the transforms they are asked of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pofx
from pofx import BadValue, Impossible, NoBOS, NoEOS, NotText
from pofx.lm.model import LM
from pofx.lm.trace import Want
from pofx.transforms.interpolate import interpolation_weights
from pofx.transforms.with_begin import with_begin
from pofx.transforms.with_end import with_end
from toy import ToyLM, ToyVocab, log_prefix, log_string, texts

TOY = ToyLM()
NO_BEGIN = ToyLM(begin=False)
NO_END = ToyLM(ToyVocab(3, end=False))
CORPUS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "a"]


def ngram(documents: list[str] = CORPUS, **options: Any) -> LM:
    return pofx.fit(documents, pofx.NgramSpec(**{"order": 3, **options}))


BYTES = ngram()
MLE = ngram(smoothing="mle")


# ------------------------------------------------------------------------------ arguments outside their domain

BAD: dict[str, tuple[Callable[[], object], type[Exception], str, str]] = {
    # name: (call, error, what is named, what is offered)
    "one text to score": (lambda: pofx.score(BYTES, "a"), BadValue, "texts: expected", "score(lm, [text])"),
    "one bytes to score": (lambda: pofx.score(BYTES, b"a"), BadValue, "texts: expected", "log_prob"),
    "too few prefixes": (
        lambda: pofx.score(BYTES, ["a", "b"], ["c"]),
        BadValue,
        "given: expected",
        "found 1",
    ),
    "no text at all": (lambda: pofx.score(BYTES, [7]), NotText, "expected a text", "found int"),  # type: ignore[list-item]
    "a lone surrogate": (lambda: pofx.score(BYTES, ["a\ud800"]), NotText, "U+D800", "pass bytes"),
    "a surrogate given": (lambda: pofx.score(BYTES, ["a"], "\udc80"), NotText, "U+DC80", "pass bytes"),
    "fewer than no draws": (lambda: pofx.sample(BYTES, -1), BadValue, "n: expected", "found -1"),
    "draws of no token": (
        lambda: pofx.sample(BYTES, 1, max_tokens=0),
        BadValue,
        "max_tokens: expected",
        "found 0",
    ),
    "a negative seed": (lambda: pofx.sample(BYTES, 1, seed=-7), BadValue, "seed: expected", "found -7"),
    "no next token": (
        lambda: pofx.next(BYTES, k=0),
        BadValue,
        "k: expected a whole number of at least 1",
        "found 0",
    ),
    "temperature 0": (lambda: pofx.warp(BYTES, temperature=0), BadValue, "temperature: expected", "top_k=1"),
    "temperature nan": (
        lambda: pofx.warp(BYTES, temperature=math.nan),
        BadValue,
        "temperature: expected",
        "nan",
    ),
    "temperature inf": (
        lambda: pofx.warp(BYTES, temperature=math.inf),
        BadValue,
        "temperature: expected",
        "inf",
    ),
    "top-k 0": (lambda: pofx.warp(BYTES, top_k=0), BadValue, "top_k: expected", "found 0"),
    "top-p 0": (lambda: pofx.warp(BYTES, top_p=0.0), BadValue, "top_p: expected", "found 0.0"),
    "top-p nan": (lambda: pofx.warp(BYTES, top_p=math.nan), BadValue, "top_p: expected", "nan"),
    "a mixture of nothing": (lambda: pofx.mixture([]), BadValue, "at least one model", "found none"),
    "negative weights": (
        lambda: pofx.mixture([TOY, TOY], [1, -1]),
        BadValue,
        "weights: expected 2",
        "[1, -1]",
    ),
    "weights of nothing": (lambda: pofx.mixture([TOY, TOY], [0, 0]), BadValue, "not all zero", "[0, 0]"),
    "weights nan": (lambda: pofx.mixture([TOY, TOY], [1, math.nan]), BadValue, "weights: expected 2", "nan"),
    "too few weights": (lambda: pofx.mixture([TOY, TOY], [1]), BadValue, "weights: expected 2", "[1]"),
    "two vocabularies": (
        lambda: pofx.interpolate([TOY, BYTES], [1, 1]),
        BadValue,
        "one vocabulary",
        "same vocab",
    ),
    "with and without x0": (lambda: pofx.mixture([TOY, NO_BEGIN]), BadValue, "x0", "fit them alike"),
    "no weights": (lambda: pofx.interpolate([TOY, TOY]), BadValue, "either weights or held_out", "neither"),
    "weights twice": (
        lambda: pofx.interpolate([TOY], [1], ["a"]),
        BadValue,
        "either weights or held_out",
        "both",
    ),
    "no held-out text": (
        lambda: pofx.interpolate([NO_END], held_out=[]),
        BadValue,
        "at least one text",
        "none",
    ),
    "interpolation of nothing": (
        lambda: pofx.interpolate([], held_out=["a"]),
        BadValue,
        "at least one",
        "none",
    ),
    "x0 twice": (lambda: with_begin(TOY, "a"), BadValue, "begin: expected no other x0", "leave begin out"),
    "x0 of two tokens": (lambda: with_begin(NO_BEGIN, "ab"), BadValue, "single token", "2 tokens"),
    "x0 of no token": (lambda: with_begin(NO_BEGIN, ""), BadValue, "single token", "0 tokens"),
    "x0 of no id": (lambda: with_begin(NO_BEGIN, 99), BadValue, "token id in [0, 4)", "found 99"),
    "x0 of a negative id": (lambda: with_begin(NO_BEGIN, -1), BadValue, "token id in [0, 4)", "found -1"),
    "EOS twice": (lambda: with_end(TOY, "a"), BadValue, "end: expected no other EOS", "leave end out"),
    "EOS of two tokens": (lambda: with_end(NO_END, "ab"), BadValue, "single token", "2 tokens"),
    "impossible given": (lambda: pofx.given(MLE, "zz"), Impossible, "'zz'", "smoothed"),
    "impossible given, scored": (lambda: pofx.score(MLE, ["a"], "zz"), Impossible, "'zz'", "smoothed"),
    "impossible given, drawn": (lambda: pofx.sample(MLE, 1, "zz"), Impossible, "'zz'", "smoothed"),
    "no x0": (lambda: pofx.log_prob(NO_BEGIN, "a"), NoBOS, "x0", "given="),
    "no x0, drawn": (lambda: pofx.sample(NO_BEGIN, 1), NoBOS, "x0", "given="),
    "no x0, next": (lambda: pofx.next(NO_BEGIN), NoBOS, "x0", "given="),
    "no EOS": (lambda: pofx.log_prob(NO_END, "a"), NoEOS, "EOS", "prefix_log_prob"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused_and_what_is_said(name: str) -> None:
    call, error, named, offered = BAD[name]
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert named in message, message
    assert offered in message, message
    assert "\n" not in message
    assert type(caught.value) is error


# ------------------------------------------------------------------------------------------------------ score


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
        "x0 <s> (trained), behind 3 given bytes, EOS included; 2 tokens, 2 bytes; "
        "n-gram: the last 2 tokens; float64, exact"
    )
    assert "1 token, 1 byte;" in str(pofx.score(BYTES, ["a"])[0].terms)
    assert "p(x1|x0) included" in str(pofx.score(BYTES, ["a"])[0].terms)
    assert "no EOS" in str(pofx.score(NO_END, ["a"])[0].terms)
    assert str(pofx.score(NO_BEGIN, ["a"], "b")[0].terms).startswith("no x0, behind 1 given byte,")


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


# ------------------------------------------------------------------------------------------------- next, sample


@pytest.mark.parametrize("k", [1, 3, 256, 257, 10_000])
def test_next_sums_to_one(k: int) -> None:
    law = pofx.next(BYTES, "the ", k)
    mass = sum(math.exp(a.logp) for a in law.top) + math.exp(law.rest)
    assert mass == pytest.approx(1, abs=1e-12)
    assert len(law.top) + law.n_rest == BYTES.vocab.size
    assert [a.logp for a in law.top] == sorted((a.logp for a in law.top), reverse=True)
    assert (law.rest == -math.inf) == (law.n_rest == 0)


def test_next_is_the_first_factor() -> None:
    first = pofx.next(BYTES, k=257)
    by_id = {a.id: a for a in first.top}
    assert by_id[ord("t")].logp == pytest.approx(pofx.prefix_log_prob(BYTES, "t"))
    assert by_id[256].bytes is None
    assert by_id[256].shown == "EOS"
    assert first.terms.first
    assert not first.terms.end
    assert not pofx.next(BYTES, "t").terms.first
    assert pofx.next(MLE, "the ", 257).top[-1].logp == -math.inf


def test_draw_i_is_the_same_for_any_n() -> None:
    long = pofx.sample(BYTES, 300, max_tokens=12, seed=5)
    for n in (0, 1, 7, 256, 257):
        short = pofx.sample(BYTES, n, max_tokens=12, seed=5)
        assert [d.bytes for d in short] == [d.bytes for d in long[:n]]
        assert all((a.logp == b.logp).all() for a, b in zip(short, long))
    assert [d.bytes for d in pofx.sample(BYTES, 7, max_tokens=12, seed=6)] != [d.bytes for d in long[:7]]
    # The streams of two batches differ, or draw 256 would repeat draw 0.
    assert [d.bytes for d in long[256:]] != [d.bytes for d in long[:44]]


def test_without_a_seed_draws_differ() -> None:
    a, b = (pofx.sample(BYTES, 20, max_tokens=20) for _ in range(2))
    assert [d.bytes for d in a] != [d.bytes for d in b]


def test_a_draw_is_scored_as_drawn() -> None:
    for given in ("", "the "):
        for d in pofx.sample(BYTES, 30, given, max_tokens=15, seed=2):
            assert len(d.tokens) + d.ended == len(d.logp)
            scored = pofx.score(BYTES, [d.bytes], given)[0]
            assert d.total == pytest.approx(scored.total if d.ended else scored.prefix_total, abs=1e-9)
            assert d.terms.end == d.ended
            assert d.terms.given_bytes == len(given)
            assert d.text == d.bytes.decode("utf-8", "replace")


def test_a_cut_draw_says_so() -> None:
    cut = pofx.sample(NO_END, 5, max_tokens=4, seed=0)
    assert all(not d.ended and len(d.tokens) == len(d.logp) == 4 for d in cut)
    one = pofx.sample(BYTES, 200, max_tokens=1, seed=0)
    assert {len(d.logp) for d in one} == {1}
    assert {d.ended for d in one} == {True, False}
    assert all(d.bytes == b"" for d in one if d.ended)


def test_stray_bytes_are_shown_and_kept() -> None:
    lm = pofx.fit([b"\xff"] * 5, pofx.NgramSpec(order=2, smoothing="mle"))
    draw = pofx.sample(lm, 1, seed=0)[0]
    assert (draw.bytes, draw.text, draw.ended) == (b"\xff", "�", True)


# ------------------------------------------------------------------------------------- mixtures, interpolation


def test_a_mixture_is_the_weighted_sum_of_strings() -> None:
    parts = [ToyLM(seed=1), ToyLM(seed=2), ToyLM(seed=3)]
    weights = np.array([0.5, 0.2, 0.3])
    lm = pofx.mixture(parts, 10 * weights)  # type: ignore[arg-type]
    for path in texts(lm.vocab, 4):
        text = lm.vocab.decode(path)
        exact = math.log(sum(w * math.exp(pofx.log_prob(m, text)) for w, m in zip(weights, parts)))
        assert pofx.log_prob(lm, text) == pytest.approx(exact, abs=1e-12)
    equal = pofx.mixture(parts)
    exact = math.log(sum(math.exp(pofx.log_prob(m, "ab")) for m in parts) / 3)
    assert pofx.log_prob(equal, "ab") == pytest.approx(exact, abs=1e-12)


def test_the_regret_of_a_mixture_is_bounded() -> None:
    parts = [ToyLM(seed=1), ToyLM(seed=2)]
    lm = pofx.mixture(parts, [0.9, 0.1])
    for path in texts(lm.vocab, 3):
        text = lm.vocab.decode(path)
        best = max(math.log(w) + pofx.log_prob(m, text) for w, m in zip((0.9, 0.1), parts))
        assert pofx.log_prob(lm, text) >= best - 1e-12


def test_weight_zero_is_absence() -> None:
    assert pofx.log_prob(pofx.mixture([TOY, ToyLM(seed=9)], [1, 0]), "abc") == pytest.approx(
        pofx.log_prob(TOY, "abc")
    )
    assert pofx.log_prob(pofx.interpolate([TOY, ToyLM(seed=9)], [1, 0]), "abc") == pytest.approx(
        pofx.log_prob(TOY, "abc")
    )


def test_weights_by_em_beat_a_grid() -> None:
    parts = [ngram(order=1), ngram(order=2), ngram(order=4)]
    held_out = ["the cats", "a dog sat", "dogs end", "cat"]

    def loss(weights: list[float]) -> float:
        return -sum(s.total for s in pofx.score(pofx.interpolate(parts, weights), held_out))

    found = interpolation_weights(parts, held_out)
    assert found.sum() == pytest.approx(1)
    best = loss(found.tolist())
    grid = [[i / 12, j / 12, (12 - i - j) / 12] for i in range(13) for j in range(13 - i)]
    # EM stops within a billionth of a nat an event of the maximum.
    assert best <= min(map(loss, grid)) + 1e-6
    lm = pofx.interpolate(parts, held_out=held_out)
    assert -sum(s.total for s in pofx.score(lm, held_out)) == pytest.approx(best)


def test_weights_without_x0_leave_the_first_token_out() -> None:
    parts = [ngram(order=2, begin=False), ngram(order=3, begin=False)]
    lm = pofx.interpolate(parts, held_out=["the cat", "a dog", ""])
    assert math.isfinite(pofx.log_prob(lm, "he cat", given="t"))
    with pytest.raises(NoBOS):
        pofx.log_prob(lm, "the cat")


# ------------------------------------------------------------------------------------------- begun and ended


def test_a_begun_model_is_the_model_behind_the_token() -> None:
    for begin in ("b", 1):
        lm = with_begin(NO_BEGIN, begin)
        for path in texts(lm.vocab, 3):
            text = lm.vocab.decode(path)
            assert pofx.log_prob(lm, text) == pytest.approx(
                pofx.log_prob(NO_BEGIN, text, given="b"), abs=1e-12
            )
    assert (lm.begin.known, lm.begin.text, lm.begin.id) == ("assumed", "b", 1)


def test_an_assumed_x0_stands_in_the_small_print() -> None:
    terms = pofx.score(with_begin(NO_BEGIN, "b"), ["a"])[0].terms
    assert (terms.begin, terms.begin_known, terms.first) == ("b", "assumed", True)
    assert "x0 b (assumed)" in str(terms)
    assert pofx.sample(with_begin(NO_BEGIN, "b"), 1, seed=0)[0].terms.begin_known == "assumed"
    assert pofx.next(with_begin(NO_BEGIN, "b")).terms.begin_known == "assumed"


def test_eos_may_stand_in_for_x0() -> None:
    end = NO_BEGIN.vocab.end
    assert end is not None
    lm = with_begin(NO_BEGIN, end)
    assert lm.begin.text == "EOS"
    assert pofx.prefix_log_prob(lm, "a") == pytest.approx(log_prefix(NO_BEGIN, [0], [end]))


def test_an_ended_text_is_a_prefix_and_its_end() -> None:
    for end in ("c", 2):
        lm = with_end(NO_END, end)
        for path in [p for p in texts(NO_END.vocab, 3) if 2 not in p]:
            text = NO_END.vocab.decode(path)
            assert pofx.log_prob(lm, text) == pytest.approx(
                pofx.prefix_log_prob(NO_END, text + b"c"), abs=1e-12
            )
    assert sum(math.exp(pofx.log_prob(lm, lm.vocab.decode(p))) for p in texts(lm.vocab, 4)) < 1


def test_a_text_with_the_end_inside_is_no_text() -> None:
    lm = with_end(NO_END, "c")
    with pytest.raises(NotText, match="split the text there") as caught:
        pofx.log_prob(lm, "abca")
    assert "b'c'" in str(caught.value)
    assert "token 2" in str(caught.value)
    with pytest.raises(NotText):
        pofx.log_prob(lm, "a", given="c")


def test_draws_end_at_the_end() -> None:
    lm = with_end(NO_END, "c")
    draws = pofx.sample(lm, 50, seed=0)
    assert all(b"c" not in d.bytes for d in draws)
    assert all(d.ended for d in draws)
    for d in draws[:10]:
        assert d.total == pytest.approx(pofx.log_prob(lm, d.bytes))
    want = pofx.score(lm, ["ab"], want=Want(end=True, entropy=True, rank=True))[0]
    assert want.total == pytest.approx(pofx.log_prob(lm, "ab"))


def test_both_make_a_joint_distribution_of_a_stream() -> None:
    stream = ngram(["one\ntwo\nthree\none\ntwo"], begin=False, end=False)
    lm = with_end(with_begin(stream, "\n"), "\n")
    assert pofx.log_prob(lm, "two") == pytest.approx(pofx.prefix_log_prob(stream, "two\n", given="\n"))
    assert {d.text for d in pofx.sample(lm, 30, seed=1)} & {"one", "two", "three"}
    assert lm.begin.text == "⏎"


def test_given_of_given_is_given() -> None:
    once, twice = pofx.given(TOY, "ab"), pofx.given(pofx.given(TOY, "a"), "b")
    for path in texts(TOY.vocab, 2):
        text = TOY.vocab.decode(path)
        assert pofx.log_prob(once, text) == pytest.approx(pofx.log_prob(twice, text), abs=1e-12)
    assert pofx.given(TOY, "") is TOY
    assert pofx.log_prob(once, "c") == pytest.approx(pofx.log_prob(TOY, "c", given="ab"))


def test_warped_draws_are_scored_under_the_warp() -> None:
    lm = pofx.warp(BYTES, temperature=0.7, top_k=5, top_p=0.9)
    for d in pofx.sample(lm, 20, max_tokens=10, seed=3):
        scored = pofx.score(lm, [d.bytes])[0]
        assert d.total == pytest.approx(scored.total if d.ended else scored.prefix_total, abs=1e-9)
    greedy = pofx.warp(BYTES, top_k=1)
    assert {d.bytes for d in pofx.sample(greedy, 5, max_tokens=10)} == {
        pofx.sample(greedy, 1, max_tokens=10)[0].bytes
    }
    assert pofx.sample(greedy, 1, max_tokens=10)[0].total == 0
