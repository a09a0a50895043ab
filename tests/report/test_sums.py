"""In every table with a total, the numbers that are shown add up to the shown total, to the last digit."""

from __future__ import annotations

import html
import math
import re
from decimal import Decimal

import numpy as np
import pytest
from report_samples import ENDLESS, LM, TEXTS, scored, show

import pofx
from pofx.queries.compression.compress import compression
from pofx.queries.scoring.peers import as_peer
from pofx.report.html.notebook import notebook_html
from pofx.report.numerals import fixed_point
from pofx.report.sums import addends, steps
from pofx.report.terminal.compression import compression_table
from pofx.report.terminal.peers import peer_table
from pofx.report.terminal.score import chain_table
from pofx.report.terminal.words import words_table

SEEDS = range(200)
# A text of which rounding one by one gives another sum than its total: found by the first assertion of its test.
TEXT = "the cat sat on the mat, and a naïve cat sat on it "


def terms_of(seed: int) -> list[float]:
    random = np.random.default_rng(seed)
    size = (0.0003, 0.01, 1, 50, 3000)[seed % 5]
    signs = -1 if seed % 3 else random.choice([-1, 1])
    return [float(x) for x in signs * size * random.random(1 + seed % 70)]


def numbers(shown: list[str]) -> list[Decimal]:
    return [Decimal(x.replace("−", "-").replace(",", "")) for x in shown]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("digits", [1, 3, 6])
def test_shown_terms_add_up(seed: int, digits: int) -> None:
    terms = terms_of(seed)
    total = sum(terms)
    shown = numbers(addends(terms, total, digits))
    assert sum(shown) == Decimal(fixed_point(total, digits))
    assert all(abs(float(s) - x) < 1.5 * 10**-digits for s, x in zip(shown, terms))


@pytest.mark.parametrize("seed", SEEDS)
def test_shown_steps_add_up_at_every_row(seed: int) -> None:
    terms = terms_of(seed)
    shown, sums = (numbers(column) for column in steps(terms, sum(terms)))
    for k, x in enumerate(terms):
        assert sum(shown[: k + 1]) == sums[k]
        assert abs(float(sums[k]) - sum(terms[: k + 1])) < 1e-3 + 1e-9
        assert abs(float(shown[k]) - x) < 1e-3 + 1e-9
        assert x > 0 or shown[k] <= 0
    assert sums[-1] == Decimal(fixed_point(sum(terms)))


def test_terms_that_no_rounding_can_make_a_sum_of_keep_their_own() -> None:
    assert addends([-math.inf, 1], -math.inf) == ["-∞", "1.000"]
    assert addends([1, 2], 7) == ["1.000", "2.000"]
    assert addends([], 0) == [] and steps([], 0) == ([], [])
    assert steps([-1, -2], -7) == (["-1.000", "-2.000"], ["-1.000", "-3.000"])
    shown, sums = steps([-0.0006, -0.0006, -math.inf, -1], -math.inf)
    assert (shown, sums) == (["0.000", "-0.001", "-∞", "-1.000"], ["0.000", "-0.001", "-∞", "-∞"])


def columns(shown: str, pattern: str) -> list[list[Decimal]]:
    """The numbers of the rows that match, a column a group."""
    rows = [m.groups() for line in shown.splitlines() if (m := re.search(pattern, line))]
    return [numbers(list(column)) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("lm", [LM, ENDLESS], ids=["EOS", "endless"])
@pytest.mark.parametrize("length", [5, 40, 60, 61, 90, 300])
def test_the_chain_rule(lm: pofx.LM, length: int) -> None:
    s = scored((TEXT * 9)[:length], lm)
    total = Decimal(fixed_point(s.total if s.terms.end else s.prefix_total))
    if length == 90:
        assert sum(Decimal(fixed_point(float(x))) for x in s.logp) != total
    table = show(chain_table(s), 200)
    logp, running = columns(table, r"^ *(?:\d+|…) .*  (-\d+\.\d{3}|0\.000)  +(-\d+\.\d{3})(?: |$)")
    assert len(logp) == min(len(s.tokens), 61) + s.terms.end
    assert sum(logp) == running[-1] == total
    assert all(sum(logp[: k + 1]) == total for k, total in enumerate(running))


@pytest.mark.parametrize("n", [3, 30, 260])
def test_the_words_of_a_text(n: int) -> None:
    worded = pofx.words(LM, [TEXT * (n // 10) + "cat " * 3])[0]
    table = show(words_table(worded), 200)
    nats, bits = columns(table, r"(?:–\d+|hidden) +(-?\d+\.\d{3})  +(-?\d+\.\d{3})")
    total = columns(table, r"Σ = −log p\(text\) +(\d+\.\d{3})  +(\d+\.\d{3})")
    assert [[sum(nats)], [sum(bits)]] == total
    assert total[0] == [Decimal(fixed_point(-worded.total))]


@pytest.mark.parametrize("text", TEXTS)
def test_the_bits_of_a_file(text: str) -> None:
    made = compression(LM, (text * 7).encode())
    table = show(compression_table(made, 60), 120)
    rows = r"^ .*?([\d,]+\.\d)  +(-?[\d,]+\.\d)  +(-?\d+\.\d{4})"
    for column in columns(table, rows):
        *parts, compressed, _ = column
        assert sum(parts) == compressed
    page = html.unescape(html.unescape(notebook_html(made) or ""))
    amounts = re.findall(r'"shown": ?"([−\d,.]+)", ?"beside": ?"[^"]*", ?"role": ?"(\w+)"', page)
    shown = {role: numbers([n for n, r in amounts if r == role]) for role in ("main", "sum")}
    assert len(shown["main"]) > 1
    assert [sum(shown["main"])] == shown["sum"] == [8 * len(made.blob)]


@pytest.mark.parametrize("text", TEXTS)
def test_the_sum_that_another_tool_prints(text: str) -> None:
    found = as_peer(LM, text, "lm-eval")
    assert found.statistic == "sum"
    table = show(peer_table(found), 120)
    (terms,) = columns(table, r"(-\d+\.\d{6}) +yes")
    assert sum(terms) == Decimal(fixed_point(found.value, 6))
