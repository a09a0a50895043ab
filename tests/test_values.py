"""Every number that a caller hands in is checked: of every public function, and of every option."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from fractions import Fraction
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pofx
from pofx.classification.outliers import make_rejection
from pofx.cli.main import main
from pofx.cli.main import pofx as command_line
from pofx.cli.options.numbers import Real, Whole
from pofx.errors import BadValue
from pofx.queries.scoring.peers import as_peer
from pofx.queries.scoring.stream import stream
from pofx.transforms.geometric import geometric
from pofx.transforms.with_begin import token_id
from pofx.values import MOST, check_bool, check_real_number, check_weights, check_whole_number

TEXTS = ["ab", "ba", "aab", "b", "abba", "a", "bb", "abb", "baa", "aa"] * 2
LM = pofx.fit(TEXTS, pofx.NgramSpec(order=2))

# No whole number, in the way that each caller may come by one; a whole number in float is none either.
NOT_WHOLE = [math.nan, math.inf, -math.inf, 2.5, 2.0, np.float64(3), True, np.True_, "3", b"3", [3], 3j]
NOT_REAL = [math.nan, math.inf, -math.inf, np.float32("nan"), True, "0.5", b"1", [0.5], 1j, 10**400]
HUGE = 10**5000  # Python refuses to write it out

# (public name, parameter): what calls it with a value, the kind of number, and whether numbers below 0 are allowed.
CALLS: dict[tuple[str, str], tuple[Callable[[Any], Any], str]] = {
    ("NgramSpec", "order"): (lambda v: pofx.NgramSpec(order=v), "whole or None"),
    ("NgramSpec", "quantize"): (lambda v: pofx.NgramSpec(quantize=v), "whole or None"),
    ("fit", "workers"): (lambda v: pofx.fit(TEXTS, pofx.TransformerSpec(), workers=v), "whole"),
    ("NgramSpec", "alpha"): (lambda v: pofx.NgramSpec(alpha=v), "real"),
    ("MixingSpec", "memory"): (lambda v: pofx.MixingSpec(memory=v), "whole"),
    **{
        ("TransformerSpec", name): (lambda v, name=name: pofx.TransformerSpec(**{name: v}), kind)
        for name, kind in {
            **dict.fromkeys(("layers", "width", "heads", "context", "seed"), "whole"),
            **dict.fromkeys(("seconds", "epochs"), "real or None"),
        }.items()
    },
    ("GenerativeClassifier", "em"): (lambda v: _classifier(em=v), "whole"),
    ("GenerativeClassifier", "power"): (lambda v: _classifier(power=v), "real"),
    ("GenerativeClassifier", "background"): (lambda v: _classifier(background=v), "real"),
    ("GenerativeClassifier", "prior"): (lambda v: _classifier(prior=v), "weights"),
    ("fit_filter", "held_out"): (lambda v: _filter(held_out=v), "real"),
    ("fit_filter", "reject"): (lambda v: _filter(reject=v), "real"),
    ("fit_filter", "least_posterior"): (lambda v: _filter(least_posterior=v), "real"),
    ("fit_filter", "prior"): (lambda v: _filter(prior=v), "weights"),
    ("split_documents", "held_out"): (lambda v: pofx.split_documents(TEXTS, held_out=v), "real"),
    ("split_documents", "seed"): (lambda v: pofx.split_documents(TEXTS, seed=v), "any whole"),
    **{
        (name, limit): (
            lambda v, name=name, limit=limit: list(getattr(pofx, name)("no.txt", **{limit: v})),
            kind,
        )
        for name in ("documents", "records")
        for limit, kind in (("max_document", "whole"), ("max_expansion", "real"))
    },
    ("corpus_report", "held_out"): (lambda v: pofx.corpus_report(TEXTS, held_out=v), "real"),
    ("corpus_report", "scored"): (lambda v: pofx.corpus_report(TEXTS, scored=v), "whole"),
    ("corpus_report", "seed"): (lambda v: pofx.corpus_report(TEXTS, seed=v), "whole"),
    ("cross_fit", "folds"): (lambda v: pofx.cross_fit(TEXTS, folds=v), "whole"),
    ("cross_fit", "seed"): (lambda v: pofx.cross_fit(TEXTS, seed=v), "whole"),
    ("load", "begin"): (lambda v: pofx.load("nowhere", begin=v), "token"),
    ("load", "end"): (lambda v: pofx.load("nowhere", end=v), "token"),
    ("load", "context"): (lambda v: pofx.load("nowhere", context=v), "whole or None"),
    ("load", "stride"): (lambda v: pofx.load("nowhere", context=64, stride=v), "whole or None"),
    ("load", "budget"): (lambda v: pofx.load("nowhere", budget=v), "whole or None"),
    ("from_callable", "end"): (
        lambda v: pofx.from_callable(lambda ids: [0.0], token_bytes=[None], end=v),
        "whole or None",
    ),
    ("connect", "begin"): (lambda v: pofx.connect("http://127.0.0.1:9", begin=v), "token"),
    ("connect", "seconds"): (lambda v: pofx.connect("http://127.0.0.1:9", seconds=v), "real"),
    ("ChoiceItem", "label"): (lambda v: pofx.ChoiceItem("a", ("b", "c"), v), "whole"),
    ("compare", "seed"): (
        lambda v: pofx.compare(np.ones(3, dtype=bool), np.zeros(3, dtype=bool), v),
        "whole",
    ),
    **{
        ("predictive_power", name): (
            lambda v, name=name: pofx.predictive_power([{"item": 1}], "ms", **{name: v}),
            "whole",
        )
        for name in ("folds", "seed")
    },
    ("measure_stimuli", "previous"): (
        lambda v: pofx.measure_stimuli(LM, [{"item": 1, "word": "ab"}], previous=v),
        "whole",
    ),
    ("measure_stimuli", "word_draws"): (
        lambda v: pofx.measure_stimuli(LM, [{"item": 1, "word": "ab"}], word_draws=v),
        "whole",
    ),
    ("measure_stimuli", "seed"): (
        lambda v: pofx.measure_stimuli(LM, [{"item": 1, "word": "ab"}], seed=v),
        "whole",
    ),
    ("diff", "seed"): (lambda v: pofx.diff(LM, LM, ["ab"], seed=v), "whole"),
    ("diff", "most"): (lambda v: pofx.diff(LM, LM, ["ab"], most=v), "whole"),
    ("audit", "seed"): (lambda v: pofx.audit(LM, TEXTS, seed=v), "whole"),
    ("compress", "lanes"): (lambda v: pofx.compress(LM, "ab", lanes=v), "whole or None"),
    ("compression", "lanes"): (lambda v: pofx.compression(LM, "ab", lanes=v), "whole or None"),
    ("decompress", "max_bytes"): (
        lambda v: pofx.decompress(LM, pofx.compress(LM, "ab"), max_bytes=v),
        "whole or None",
    ),
    ("words", "pattern_seconds"): (
        lambda v: pofx.words(LM, ["ab"], units=re.compile("a"), pattern_seconds=v),
        "real",
    ),
    **{
        ("condition", name): (
            lambda v, name=name: pofx.condition(LM, pofx.Contains("b"), **{name: v}),
            "whole or None" if name == "seed" else "whole",
        )
        for name in ("n", "max_tokens", "runs", "seed")
    },
    **{
        ("infill", name): (
            lambda v, name=name: pofx.infill(LM, "a", "b", **{name: v}),
            "whole or None" if name == "seed" else "whole",
        )
        for name in ("n", "max_tokens", "runs", "seed")
    },
    ("Length", "n"): (lambda v: pofx.Length(v), "whole"),
    ("marginal", "beam"): (lambda v: pofx.marginal(LM, "ab", beam=v), "whole"),
    ("marginal", "draws"): (lambda v: pofx.marginal(LM, "ab", draws=v), "whole"),
    ("marginal", "calls"): (lambda v: pofx.marginal(LM, "ab", calls=v), "whole or None"),
    ("marginal", "seconds"): (lambda v: pofx.marginal(LM, "ab", seconds=v), "real or None"),
    ("marginal", "seed"): (lambda v: pofx.marginal(LM, "ab", seed=v), "whole"),
    ("next", "k"): (lambda v: pofx.next(LM, k=v), "whole"),
    ("next", "calls"): (lambda v: pofx.next(LM, calls=v), "whole"),
    ("sample", "n"): (lambda v: pofx.sample(LM, v), "whole"),
    ("sample", "max_tokens"): (lambda v: pofx.sample(LM, max_tokens=v), "whole"),
    ("sample", "seed"): (lambda v: pofx.sample(LM, seed=v), "whole or None"),
    ("Want", "top"): (lambda v: pofx.Want(top=v), "whole"),
    ("bytewise", "beam"): (lambda v: pofx.bytewise(LM, beam=v), "whole or None"),
    ("interpolate", "weights"): (lambda v: pofx.interpolate([LM, LM], weights=v), "weights"),
    ("mixture", "weights"): (lambda v: pofx.mixture([LM, LM], weights=v), "weights or None"),
    ("mixture", "beam"): (lambda v: pofx.mixture([LM, LM], beam=v), "whole or None"),
    ("warp", "temperature"): (lambda v: pofx.warp(LM, temperature=v), "real"),
    ("warp", "top_k"): (lambda v: pofx.warp(LM, top_k=v), "whole or None"),
    ("warp", "top_p"): (lambda v: pofx.warp(LM, top_p=v), "real or None"),
    ("windowed", "context"): (lambda v: pofx.windowed(LM, context=v), "whole or None"),
    ("windowed", "stride"): (lambda v: pofx.windowed(LM, 16, stride=v), "whole or None"),
}

# Numbers that public names hand on, each to a function of its own.
INNER: dict[str, Callable[[Any], Any]] = {
    "GenerativeClassifier.sample n": lambda v: _classifier().sample("x", v),
    "GenerativeClassifier.sample max_tokens": lambda v: _classifier().sample("x", max_tokens=v),
    "SubwordVocab.learn size": lambda v: pofx.SubwordVocab.learn(TEXTS, v),
    "geometric stop": lambda v: geometric(pofx.fit(TEXTS, pofx.NgramSpec(order=1, end=False)), v),
    "Rejection.threshold share": lambda v: make_rejection(np.zeros(3), np.ones(3, dtype=np.int64)).threshold(
        v
    ),
    "as_peer chunk": lambda v: as_peer(LM, "ab", "llama-perplexity", chunk=v),
    "stream texts": lambda v: stream([], lambda x: x, lambda x, g: [], texts=v),
    "token_id": lambda v: token_id(LM.vocab, v, "x0"),
}

# Records that pofx makes, and values that only a subclass of LM makes: nobody hands in their numbers.
MADE = {
    "Audit",
    "Begin",
    "Compression",
    "Conditioned",
    "CorpusReport",
    "Document",
    "Draw",
    "Finding",
    "Marginal",
}
MADE |= {"MixturePosterior", "Next", "Outcome", "Scored", "State", "Terms", "Trace", "Word", "Worded"}
MADE |= {"PredictivePower", "Scorer", "QualityFilter", "Judgement", "Comparison", "Difference"}
# A mapping of tokens to ids is checked as a vocabulary is; regions of `words` are checked as spans of its texts. The
# functions of `from_callable` take and return numbers.
ELSEWHERE = {("SubwordVocab", "vocab"), ("words", "units")}
ELSEWHERE |= {("from_callable", "next_logprobs"), ("from_callable", "sample")}
ELSEWHERE.add(("NgramSpec", "prune"))  # thresholds: tests/models/ngram/test_count_pruning.py
ELSEWHERE.add(("fit_filter", "quantiles"))  # a pair: tests/filtering/test_bounds.py


def _filter(**options: Any) -> Any:
    spec = pofx.NgramSpec(order=1)
    return pofx.fit_filter(TEXTS, {"x": TEXTS, "y": TEXTS}, spec=spec, **options)


def _classifier(**options: Any) -> Any:
    spec = pofx.NgramSpec(order=1)
    return pofx.GenerativeClassifier(spec, **options).fit(TEXTS[:4], ["x", "y", "x", "y"])


def _numeric_parameters() -> Iterator[tuple[str, str]]:
    for name in pofx.__all__:
        public = getattr(pofx, name)
        error = inspect.isclass(public) and issubclass(public, Exception)
        if name in MADE or error or inspect.ismodule(public):
            continue
        for parameter in inspect.signature(public).parameters.values():
            if re.search(r"\b(int|float|Prior)\b", str(parameter.annotation)):
                yield name, parameter.name


def test_every_number_of_the_public_face_is_tried_here() -> None:
    assert set(_numeric_parameters()) - ELSEWHERE == set(CALLS)
    assert all(is_dataclass(getattr(pofx, name)) or name == "State" for name in MADE)


@pytest.mark.parametrize("name", CALLS, ids=".".join)
def test_what_is_no_number_of_the_range_is_refused_in_one_line(name: tuple[str, str]) -> None:
    call, kind = CALLS[name]
    bad: list[Any] = list(NOT_REAL if kind.startswith("real") else NOT_WHOLE)
    bad += [HUGE] if kind != "any whole" else []
    bad += [None] if "None" not in kind and kind != "token" and "weights" not in kind else []
    bad += [-1] if kind.startswith("whole") else [-0.5] if kind.startswith("real") else []
    if kind == "token":
        bad = [b for b in bad if not isinstance(b, str)] + [-1]
    if kind.startswith("weights"):
        bad = [*([x, 0.5] for x in NOT_REAL), [-1, 2], [0, 0], [1], [1, 1, 1], 1.0, "ab", b"ab"]
        bad += [[1e308, 1e308]]
    if name == ("corpus_report", "held_out"):
        bad = [b for b in bad if not isinstance(b, list)]  # a list is one of held-out documents
    for value in bad:
        with pytest.raises(BadValue) as caught:
            call(value)
        message = str(caught.value)
        assert "expected" in message, value
        assert "got" in message, value
        assert len(message) < 300, value
        assert "\n" not in message, value


@pytest.mark.parametrize("name", INNER)
def test_numbers_that_are_handed_on_are_checked(name: str) -> None:
    for value in [b for b in NOT_REAL if isinstance(b, float | bool | complex)] + [HUGE, -1, -1.0]:
        with pytest.raises(BadValue, match="expected .* got "):
            INNER[name](value)


def test_a_number_of_numpy_is_one() -> None:
    spec = pofx.NgramSpec(order=np.int64(3), alpha=np.float32(0.5))  # type: ignore[arg-type]
    assert (spec, type(spec.order), type(spec.alpha)) == (pofx.NgramSpec(order=3, alpha=0.5), int, float)
    assert len(pofx.sample(LM, np.uint8(2), max_tokens=np.int32(4), seed=np.int64(7))) == 2  # type: ignore[arg-type]
    assert check_real_number("x", Fraction(1, 4)) == 0.25
    assert check_bool("x", np.True_) is True


def test_a_flag_is_no_text_and_no_number() -> None:
    for bad in ("no", "", 0, 1, None, math.nan, []):
        for name in ("begin", "end"):
            with pytest.raises(BadValue, match=f"{name}: expected True or False"):
                pofx.NgramSpec(**{name: bad})
        with pytest.raises(BadValue, match="tie: expected True or False"):
            pofx.TransformerSpec(tie=bad)


@given(
    st.one_of(st.integers(), st.floats(), st.booleans(), st.text(max_size=3), st.none()), st.integers(0, 9)
)
def test_the_two_checkers_say_what_python_says(value: Any, least: int) -> None:
    is_whole = type(value) is int and least <= value <= MOST
    is_real = type(value) in (int, float) and least < value < 1e300
    for accepted, check, as_told in (
        (is_whole, lambda: check_whole_number("x", value, least), int),
        (
            is_real,
            lambda: check_real_number("x", value, least, 1e300, above=True, below=True),
            float,
        ),  # 2^53 + 1 is no double
    ):
        if accepted:
            assert check() == as_told(value)
        else:
            with pytest.raises(BadValue, match="^x: expected .* got "):
                check()


def test_messages_say_the_range_and_the_value() -> None:
    for call, message in (
        (lambda: check_whole_number("k", 0, 1), "k: expected a whole number of at least 1, got 0"),
        (
            lambda: check_whole_number("k", HUGE),
            "k: expected a whole number below 2^63, got a number of more than 50 digits",
        ),
        (
            lambda: check_whole_number("order", 2.0, 1, 16),
            "order: expected a whole number from 1 to 16, got 2.0",
        ),
        (
            lambda: check_real_number("p", np.float32("nan"), 0, 1),
            "p: expected a finite number of at least 0 and at most 1, got nan",
        ),
        (
            lambda: check_real_number("a", math.inf, 0, above=True),
            "a: expected a positive number that is finite, got inf",
        ),
        (
            lambda: check_weights("w", [1], 2),
            "w: expected 2 finite numbers of at least 0 and not all zero, got [1]",
        ),
        (
            lambda: check_whole_number("n", -1, advice="leave it out"),
            "n: expected a whole number of at least 0, got -1; leave it out",
        ),
    ):
        with pytest.raises(BadValue) as caught:
            call()
        assert str(caught.value) == message


# --- options --------------------------------------------------------------------------------------------------------


def _options(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _options(inner, (*path, name))
    for parameter in command.params:
        yield path, parameter


NUMERIC = [
    (path, parameter)
    for path, parameter in _options(command_line)
    if isinstance(parameter.type, click.types.IntParamType | click.types.FloatParamType)
]


def test_every_numeric_option_has_the_one_checker() -> None:
    assert len(NUMERIC) > 60
    assert [(path, p.opts) for path, p in NUMERIC if not isinstance(p.type, Whole | Real)] == []


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "1e999", "-1e999", "", "x", "True", "9" * 5000, "0x10"]
)
def test_an_option_refuses_what_is_no_number(text: str) -> None:
    for path, parameter in NUMERIC:
        with pytest.raises(click.BadParameter) as caught:
            parameter.type.convert(text, parameter, None)
        assert re.match("expected .* got ", caught.value.message), (path, parameter.opts)


def test_an_option_reads_numbers_within_its_range() -> None:
    assert [Whole(1, 16).convert(t, None, None) for t in ("1", "16", " 7 ")] == [1, 16, 7]
    assert [Real(0, 1, above=True).convert(t, None, None) for t in ("1e-3", "1")] == [0.001, 1.0]
    for kind, text in (
        (Whole(1, 16), "17"),
        (Whole(1), "0"),
        (Whole(), "2.0"),
        (Real(0, 1, above=True), "0"),
    ):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)


def test_a_refused_option_is_one_line_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (
            ("fit", "x.txt", "-o", "m", "--alpha", "inf"),
            "'--alpha': expected a positive number that is finite, got inf",
        ),
        (
            ("sample", "--top-p", "nan"),
            "'--top-p': expected a finite number above 0 and at most 1, got nan",
        ),
        (
            ("classify", "predict", "c", "--reject", "nan"),
            "'--reject': expected a finite number above 0 and below 1",
        ),
        (("sample", "--top-k", "2.0"), "'--top-k': expected a whole number of at least 1, got '2.0'"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert (caught.value.code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
