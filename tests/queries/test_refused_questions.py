"""Arguments outside their domain: what is refused, and what the error says."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

import pofx
from pofx import BadValue, Impossible, NoBOS, NoEOS, NotText
from pofx.transforms.with_begin import with_begin
from pofx.transforms.with_end import with_end
from small_models import BYTES, MLE, NO_BEGIN, NO_END, TOY

BAD: dict[str, tuple[Callable[[], object], type[Exception], str, str]] = {
    # name: (call, error, what is named, what is offered)
    "one text to score": (lambda: pofx.score(BYTES, "a"), BadValue, "texts: expected", "score(lm, [text])"),
    "one bytes to score": (lambda: pofx.score(BYTES, b"a"), BadValue, "texts: expected", "log_prob"),
    "too few prefixes": (
        lambda: pofx.score(BYTES, ["a", "b"], ["c"]),
        BadValue,
        "given: expected",
        "got 1",
    ),
    "no text at all": (lambda: pofx.score(BYTES, [7]), NotText, "expected a text", "got int"),  # type: ignore[list-item]
    "a lone surrogate": (lambda: pofx.score(BYTES, ["a\ud800"]), NotText, "U+D800", "pass bytes"),
    "a surrogate given": (lambda: pofx.score(BYTES, ["a"], "\udc80"), NotText, "U+DC80", "pass bytes"),
    "fewer than no draws": (lambda: pofx.sample(BYTES, -1), BadValue, "n: expected", "got -1"),
    "draws of no token": (
        lambda: pofx.sample(BYTES, 1, max_tokens=0),
        BadValue,
        "max_tokens: expected",
        "got 0",
    ),
    "a negative seed": (lambda: pofx.sample(BYTES, 1, seed=-7), BadValue, "seed: expected", "got -7"),
    "no next token": (
        lambda: pofx.next(BYTES, k=0),
        BadValue,
        "k: expected a whole number of at least 1",
        "got 0",
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
    "top-k 0": (lambda: pofx.warp(BYTES, top_k=0), BadValue, "top_k: expected", "got 0"),
    "top-p 0": (lambda: pofx.warp(BYTES, top_p=0.0), BadValue, "top_p: expected", "got 0.0"),
    "top-p nan": (lambda: pofx.warp(BYTES, top_p=math.nan), BadValue, "top_p: expected", "nan"),
    "a mixture of nothing": (lambda: pofx.mixture([]), BadValue, "at least one model", "got none"),
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
    "with and without x0": (lambda: pofx.mixture([TOY, NO_BEGIN]), BadValue, "x0", "fit all models with x0"),
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
    "x0 of no id": (lambda: with_begin(NO_BEGIN, 99), BadValue, "token id in [0, 4)", "got 99"),
    "x0 of a negative id": (lambda: with_begin(NO_BEGIN, -1), BadValue, "token id in [0, 4)", "got -1"),
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
