"""Models with an x0 or an EOS that a caller chose."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

import pofx
from pofx import NotText
from pofx.lm.trace import Want
from pofx.transforms.with_begin import token_id, with_begin
from pofx.transforms.with_end import with_end
from small_models import NO_BEGIN, NO_END, ngram
from toy import log_prefix, texts


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
    with pytest.raises(NotText, match="split the text after that token") as caught:
        pofx.log_prob(lm, "abca")
    assert "b'c'" in str(caught.value)
    assert "place 2" in str(caught.value)
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


@pytest.mark.parametrize(
    ("token", "then"), [("<|endoftxt|>", r"did you mean '<\|endoftext\|>'\?$"), ("xyz", "name one token$")]
)
def test_a_mistyped_token_gets_the_nearest(token: str, then: str) -> None:
    vocab: Any = SimpleNamespace(
        control=SimpleNamespace(names={"<s>": 0, "<|endoftext|>": 1}), encode=lambda text: list(text.encode())
    )
    with pytest.raises(pofx.BadValue, match=f"^begin: expected the text of a single token.*; {then}"):
        token_id(vocab, token, "begin")
