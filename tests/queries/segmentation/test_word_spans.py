r"""Where words stand in long and in odd texts.

Right answers: `str.split`, a loop over characters, \X of the tokenizers library given the whole text.
"""

from __future__ import annotations

import random
import re
import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

import pofx
from pofx.queries.segmentation.characters import PLAIN, graphemes
from pofx.queries.segmentation.word_rule import INNER, WordRule
from pofx.queries.segmentation.word_spans import region_spans

ODD = "ab.,-' \n\r\t\u00a0\u3000\u0301\u200d👨👩🇫🇷가\u1100\u1161\u11a8日か\u0930\u094d\u0915\u0600©1\ufe0f\u20e3\udc80\x1c\x00é"
TEXTS = st.text(st.sampled_from(ODD), max_size=20)


def library(text: str) -> list[tuple[int, int]]:
    whole = text.encode("utf-8", "replace").decode()
    return [s for _, s in pre_tokenizers.Split(Regex(r"\X"), "isolated").pre_tokenize_str(whole)]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_graphemes_are_the_library_s(text: str) -> None:
    assert list(map(tuple, graphemes(text).tolist())) == library(text)


def test_no_neighbour_joins_a_plain_character() -> None:
    every = [chr(c) for low, high in PLAIN for c in range(low, high + 1)]
    for seed in range(3):
        random.Random(seed).shuffle(every)
        assert len(library("".join(every))) == len(every)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(["attached", "own", "boundary"]))
def test_words_are_runs_between_separators(text: str, punctuation: str) -> None:
    wanted, word = [], ""
    for k, c in enumerate([*text, " "]):
        mark = punctuation != "attached" and unicodedata.category(c)[0] == "P" and c not in INNER
        if c.isspace() or mark:
            wanted += [(k - len(word), k, True)] if word else []
            wanted += [(k, k + 1, False)] if mark and punctuation == "own" else []
            word = ""
        else:
            word += c
    found = WordRule("words", punctuation).of(text)  # type: ignore[arg-type]
    assert [(*s, b) for s, b in zip(found.spans.tolist(), found.bounded.tolist())] == wanted
    if punctuation == "attached":
        assert [text[lo:hi] for lo, hi in found.spans] == text.split()


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 20), max_size=8))
def test_regions_and_what_stands_between(text: str, edges: list[int]) -> None:
    places = sorted({min(e, len(text)) for e in edges})
    asked = list(zip(places[::2], places[1::2]))
    wanted = []
    for lo, hi in zip([0, *(b for _, b in asked)], [*(a for a, _ in asked), len(text)]):
        held = text[lo:hi]
        if held.strip():
            wanted.append((lo + len(held) - len(held.lstrip()), lo + len(held.rstrip()), True))
    wanted = sorted([*wanted, *((lo, hi, False) for lo, hi in asked)])
    found = region_spans(text, asked)
    assert [(*s, o) for s, o in zip(found.spans.tolist(), found.outside.tolist())] == wanted
    ends = [hi == len(text) or text[hi].isspace() for _, hi, _ in wanted]
    assert found.bounded.tolist() == ends


@pytest.mark.parametrize("wrong", [[(0, 0)], [(2, 1)], [(0, 9)], [(0, 2), (1, 3)], [(-1, 1)]])
def test_regions_that_are_none_are_refused(wrong: list[tuple[int, int]]) -> None:
    with pytest.raises(pofx.BadValue, match="units: expected regions .* got"):
        region_spans("abc", wrong)


@pytest.mark.parametrize("text", ["a", "\u0301", "👨\u200d", "\n", "中", ". ", "👨\u200d👩 "])
@pytest.mark.parametrize(
    "how",
    [("words", "attached"), ("words", "own"), ("graphemes", "attached"), (re.compile(r"\w"), "attached")],
)
def test_many_words_in_one_text(text: str, how: tuple[object, str]) -> None:
    """They add up to −log p of the text, in time that grows with its length alone (a loop of 1 ms a word took 20 s)."""
    long = text * (20_000 // len(text))
    lm = pofx.fit([text * 3, "a b"], pofx.NgramSpec(order=2))
    started = time.process_time()
    (found,) = pofx.words(lm, [long], units=how[0], punctuation=how[1])  # type: ignore[arg-type]
    assert time.process_time() - started < 10
    assert sum(w.surprisal for w in found.words) == pytest.approx(-pofx.log_prob(lm, long), rel=1e-9)
    assert np.all(np.diff([w.start for w in found.words]) > 0)
