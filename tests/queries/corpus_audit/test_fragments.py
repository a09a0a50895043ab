"""Documents that begin in the middle of a text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from corpora import corpus, documents, finding

import pofx
from pofx.queries.corpus_audit.fragments import common_length, join_table, looks_broken


def test_form_needs_both_sides_of_a_join() -> None:
    some = ["It was late", "and it rained.", "and nobody came.", "The end", "Ǆ", "", "), he said", "12"]
    assert looks_broken(corpus(some)).tolist() == [False, True, False, False, False, False, False, False]
    assert looks_broken(corpus(some[:2], source=[0, 1])).tolist() == [False, False]


def test_common_lengths() -> None:
    assert common_length(tuple("x" * n for n in range(60, 80))) == (1 / 20, 64, "characters")
    assert common_length(tuple(["y" * 100] * 6 + ["short"] * 4)) == (0.6, 100, "characters")
    words = tuple(" ".join(["ab" * (k % 3 + 1)] * 70) for k in range(9))
    assert common_length(words)[1:] == (70, "words")


def test_joins_are_probabilities() -> None:
    lm = pofx.fit(documents(20, 17), pofx.NgramSpec(order=3))
    table = join_table(lm, ["the riv", ""], ["er ran", ""])
    assert table[:, 1] == pytest.approx([0, 0], abs=1e-12)
    ways = [pofx.prefix_log_prob(lm, "er ran", given="the riv" + gap) for gap in ("", " ", "\n")]
    assert table[0, 0] == pytest.approx(np.logaddexp.reduce(ways) - math.log(3))


def test_pieces_cut_by_length_fail_and_whole_documents_pass() -> None:
    whole = documents(80, 18)
    assert finding(pofx.corpus_report(whole), "documents start at x0").verdict == "pass"
    running = " ".join(whole)
    pieces = [running[i : i + 90] for i in range(0, len(running), 90)]
    report = pofx.corpus_report(pieces, held_out=0.4)
    found = finding(report, "documents start at x0")
    assert found.verdict == "fail"
    assert "90 characters long" in found.why
    assert report.midway
    assert report.verdict == "fail"
