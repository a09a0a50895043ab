"""The one line of each value: its numbers are the record's, and it is short whatever the text."""

from __future__ import annotations

import copy
import importlib
import pickle

import pytest
from shown_values import OTHERS, TEXT, values

import pofx
from pofx.interactive.shown import Shown
from pofx.report.one_line import _LINES, quoted

NAMES = (
    *("LM", "Scored", "Trace", "Worded", "Next", "Draw", "Audit", "CorpusReport", "Marginal", "Conditioned"),
    *(
        "MixturePosterior",
        "Compression",
        "Posterior",
        "Evaluation",
        "Joint",
        "GenerativeClassifier",
        "LearningCurve",
    ),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_one_short_line(name: str) -> None:
    value = values()[name]
    line = repr(value)
    assert line.startswith(f"{type(value).__name__}(")
    assert line.endswith(")")
    assert line == str(value)
    assert len(line) <= 98
    assert line.isprintable()
    assert "array" not in line
    assert "object at" not in line


@pytest.mark.parametrize("name", OTHERS)
def test_whatever_the_text(name: str) -> None:
    line = repr(OTHERS[name]())
    assert len(line) <= 98
    assert line.isprintable()
    assert "\u202e" not in line


def test_the_lines() -> None:
    found = {name: repr(value) for name, value in values().items()}
    scored, draw, audit = values()["Scored"], values()["Draw"], values()["Audit"]
    assert found["Scored"] == (
        f"Scored(log p = {scored.total:.3f} nats, {scored.bits_per_byte:.2f} bits per byte, 11 tokens and EOS, '{TEXT}')"
    )
    assert found["LM"] == "NgramLM(x0 <s> (trained), EOS, 257 tokens, n-gram: the last 2 tokens)"
    assert found["Draw"].startswith(f"Draw(log p = {draw.total:.3f} nats, ")
    assert f"Audit({audit.verdict}, " in found["Audit"]
    assert repr(values()["Conditioned"].on) in found["Conditioned"]
    assert "p = " in found["Next"]
    assert "2 classes" in found["GenerativeClassifier"]
    assert repr(OTHERS["given"]()).startswith("Scored(log p(x | given) = ")
    assert repr(OTHERS["prefix"]()).startswith("Scored(log P = ")
    assert "temperature 0.5" in repr(OTHERS["warped"]())
    assert "cut off" in repr(OTHERS["cut off"]())
    assert "-∞ nats" in repr(OTHERS["impossible"]())


def test_every_line_belongs_to_a_type_that_uses_it() -> None:
    for name in _LINES:
        module, _, kind = name.rpartition(".")
        cls = getattr(importlib.import_module(module), kind)
        assert issubclass(cls, Shown)
        assert cls.__repr__ is Shown.__repr__


def test_an_lm_that_is_not_made_yet() -> None:
    class Half(pofx.LM):
        def start(self, n):
            raise NotImplementedError

        extend = start

    assert "Half object at" in repr(Half())


def test_an_unfitted_classifier_has_the_line_of_scikit_learn() -> None:
    assert repr(pofx.GenerativeClassifier(em=3)) == "GenerativeClassifier(em=3)"


def test_records_are_copied_and_pickled_as_before() -> None:
    draw = values()["Draw"]
    assert copy.copy(draw).text == draw.text
    assert pickle.loads(pickle.dumps(draw)).total == draw.total  # noqa: S301


def test_quoted_cuts_and_escapes() -> None:
    assert quoted("abc", 5) == "'abc'"
    assert quoted("abcdefgh", 6) == "'abc…'"
    assert quoted(b"abcdefgh", 7) == "b'abc…'"
    assert quoted("\n" * 9, 8) == "'\\n\\n…'"
    assert len(quoted("\x00" * 99, 5)) <= 5
