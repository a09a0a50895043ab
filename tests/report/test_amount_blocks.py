"""Blocks of bars: every number is the record's, the parts make the whole, and what is missing is said to be missing."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.classification.bayes import bayes
from pofx.files import pins
from pofx.models.transformer.learning_curve import LearningCurve
from pofx.report.html.amount_blocks import (
    class_posterior_blocks,
    compression_block,
    joint_block,
    marginal_block,
)
from pofx.report.html.blocks import Block
from pofx.report.html.curve_block import POINTS, curve_block
from pofx.report.html.filter_sections import filter_sections
from pofx.report.html.model_block import model_block
from small_models import BYTES, MLE, NO_BEGIN, NO_END


def number(shown: str) -> Decimal:
    return Decimal(shown.replace("−", "-").replace(",", "").removesuffix(" %"))


def rows(block: Block) -> dict[str, dict[str, Any]]:
    found = {row["name"]: row for row in block.data["amounts"]}
    assert len(found) == len(block.data["amounts"])
    return found


def facts(block: Block) -> list[tuple[str, str, str]]:
    return [(f["before"], f["number"], f["after"]) for f in block.data["facts"]]


# 60 % of p(x) are of the tokenisation of encode, 30 % of others in the beam, and 10 % are estimated.
ESTIMATED = replace(
    pofx.marginal(BYTES, "the cat"),
    kind="estimate",
    lower=math.log(0.09),
    estimate=math.log(0.1),
    se=0.01,
    ess=20.0,
    draws=64,
    found=4,
    canonical=math.log(0.06),
)


def test_the_shares_of_an_estimated_sum() -> None:
    block = marginal_block(ESTIMATED)
    found = rows(block)
    assert {name: row["shown"] for name, row in found.items()} == {
        "the tokenisation of encode": "60.0 %",
        "3 other tokenisations, summed": "30.0 %",
        "all further ones, estimated": "10.0 %",
    }
    assert [row["share"] for row in found.values()] == pytest.approx([0.6, 0.3, 0.1])
    assert found["all further ones, estimated"]["role"] == "rest"
    low, high = ESTIMATED.interval
    assert facts(block) == [
        ("log p(x) =", f"−{-math.log(0.1):.3f}", "nats"),
        ("", f"{math.log2(1 / 0.6):.3f}", "bits more than the tokenisation of encode"),
        ("95 % interval", f"−{-low:.3f} to −{-high:.3f}", "nats"),
    ]


def test_an_exact_sum_and_a_lower_bound() -> None:
    exact = marginal_block(pofx.marginal(BYTES, "the cat"))
    assert [(n, r["shown"]) for n, r in rows(exact).items()] == [("the tokenisation of encode", "100 %")]
    assert facts(exact)[0] == (
        "log p(x) =",
        f"−{-pofx.score(BYTES, ['the cat'])[0].total:.3f}",
        "nats",
    )
    lower = replace(ESTIMATED, kind="lower", estimate=None, se=None, ess=None, draws=0)
    block = marginal_block(lower)
    assert facts(block)[0][:2] == ("log p(x) ≥", f"−{-math.log(0.09):.3f}")
    assert list(rows(block)) == ["the tokenisation of encode", "3 other tokenisations, summed"]
    assert block.data["unit"] == "share of the sum"


def test_an_impossible_text_has_no_bars() -> None:
    block = marginal_block(pofx.marginal(MLE, "zzz"))
    assert facts(block) == [("log p(x) =", "−∞", "nats")]
    assert not block.data["amounts"]
    assert block.data["note"] == "No tokenisation is possible."


@pytest.mark.parametrize(
    ("lm", "data"), [(BYTES, "the cat sat " * 9), (MLE, "zzz"), (None, "abab" * 30), (BYTES, ""), (None, "")]
)
def test_the_bits_of_a_file_add_up(lm: pofx.LM | None, data: str) -> None:
    made = pofx.compression(lm, data)
    block = compression_block(made)
    found = rows(block)
    whole, plain = found.pop("the file"), found.pop("the data as they are")
    assert sum(number(row["shown"]) for row in found.values()) == number(whole["shown"]) == 8 * len(made.blob)
    assert number(plain["shown"]) == 8 * len(data)
    if data:
        assert sum(number(row["beside"]) for row in found.values()) == number(whole["beside"])
        assert float(number(whole["beside"])) == pytest.approx(8 * len(made.blob) / len(data), abs=5e-4)
    assert found["header: names, sizes, hashes"]["shown"] == f"{made.header_bits:,}.0"
    assert max(row["share"] for row in (*found.values(), whole, plain)) <= 1
    assert ("coded without the model" in found) == (made.escape_bits > 0)
    assert facts(block)[0] == ("", f"{len(data):,} to {len(made.blob):,}", "bytes")


def test_the_shown_bits_add_up_where_roundings_do_not() -> None:
    # 5.26 + 5.26 + 5.48 + 8 bits are 24 bits, and 5.3 + 5.3 + 5.5 + 8.0 are 24.1.
    made = pofx.Compression(b"abc", 6, 2, 5.26, 2, 5.26, 5.48, 0, 8)
    found = rows(compression_block(made))
    assert found["the file"]["shown"] == "24.0"
    parts = [r for r in found.values() if r["role"] == "main"]
    assert sum(number(r["shown"]) for r in parts) == 24
    assert sum(number(r["beside"]) for r in parts) == number(found["the file"]["beside"]) == 4


def test_xz_beside_a_file() -> None:
    made = pofx.compression(BYTES, "the cat sat")
    found = rows(compression_block(made, 1000))
    assert (found["xz -9"]["share"], found["xz -9"]["shown"]) == (1.0, "8,000.0")
    assert found["xz -9"]["beside"] == f"{8000 / 11:.3f}"
    assert found["the file"]["share"] == len(made.blob) / 1000
    assert "xz -9" not in rows(compression_block(made))


def test_the_lanes_of_a_file_are_a_row() -> None:
    made = pofx.compression(BYTES, "the cat sat " * 90, lanes=4)
    found = rows(compression_block(made))
    shown = number(found["4 parallel streams, each after x0"]["shown"])
    assert float(shown) == pytest.approx(made.lane_bits, abs=0.1)


def test_a_classifier_shows_its_prior() -> None:
    texts, labels = ["the cat", "a cat", "dogs", "<b>dog</b>"], ["x", "x", "x", "<i>"]
    fitted = pofx.GenerativeClassifier(pofx.NgramSpec(order=2), prior=[0.25, 0.75]).fit(texts, labels)
    block = joint_block(fitted.joint_)
    assert {n: (r["share"], r["shown"], r["beside"]) for n, r in rows(block).items()} == {
        "<i>": (pytest.approx(0.25), "25.0 %", "1"),
        "x": (pytest.approx(0.75), "75.0 %", "3"),
    }
    assert facts(block) == [("", "2", "classes"), ("", "4", "documents")]
    assert "a model of each class; x0 <s> (trained)" in block.data["note"]


def test_posteriors_of_classes() -> None:
    likelihood = np.log([[0.2, 0.1, 0.1], [0.01, 0.01, 0.06]])
    bars, table = class_posterior_blocks(bayes(likelihood, np.log([0.5, 0.25, 0.25])))
    assert {n: (r["shown"], r["beside"]) for n, r in rows(bars).items()} == {
        "text 0: class 0": ("66.7 %", f"−{-math.log(0.15):.3f}"),
        "text 1: class 2": ("66.7 %", f"−{-math.log(0.0225):.3f}"),
    }
    assert [row["share"] for row in rows(bars).values()] == pytest.approx([2 / 3, 2 / 3])
    assert [[c["number"] for c in row[1:]] for row in table.data["rows"]] == [
        ["0.667", "0.167", "0.167"],
        ["0.222", "0.111", "0.667"],
    ]
    (alone,) = class_posterior_blocks(bayes(likelihood[:, :2], np.log([0.5, 0.5])))
    assert alone.kind == "amounts"
    (none,) = class_posterior_blocks(bayes(likelihood[:0], np.log([0.5, 0.25, 0.25])))
    assert not none.data["amounts"]


def curve(n: int) -> LearningCurve:
    x = np.arange(1.0, n + 1)
    return LearningCurve(x / n, x * 2, 8 / x, np.array([0.5, 1.0]), np.array([2.5, 2.25]))


@pytest.mark.parametrize("n", [1, POINTS, POINTS + 1, 1999])
def test_a_curve_keeps_its_last_points(n: int) -> None:
    drawn = curve_block(curve(n)).data["curve"]
    assert n / 10 < len(drawn["training"]) <= min(n, POINTS)
    assert drawn["training"][-1] == [1.0, 8 / n]
    assert sorted(drawn["training"]) == drawn["training"]
    assert drawn["validation"] == [[0.5, 2.5], [1.0, 2.25]]
    assert drawn["seconds"] == 2 * n


def test_a_model_has_the_factors_that_it_can_compute() -> None:
    whole, endless, headless = (model_block(lm).data["model"] for lm in (BYTES, NO_END, NO_BEGIN))
    assert whole["begin"] == {"text": "<s>", "known": "trained", "note": ""}
    assert (whole["end"], endless["end"]) == ("EOS", None)
    assert headless["begin"]["known"] == "none"
    assert whole["window"] == str(BYTES.window)
    assert dict(whole["facts"])["vocabulary"] == "257 tokens"
    assert whole["verdict"] is None


def test_a_model_shows_the_verdict_that_was_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = BYTES.with_info(fingerprint="f" * 64)
    kept = pins.Pin(lm.begin.id, lm.vocab.end, "prefix-only", "<b> never ends", date="2026-01-02")
    monkeypatch.setattr(
        "pofx.report.html.model_block.find_pin", lambda name: kept if name == "f" * 64 else None
    )
    assert model_block(lm).data["model"]["verdict"] == {
        "verdict": "prefix-only",
        "gloss": "x0 but no EOS: prefix probabilities only",
        "reason": "<b> never ends",
        "date": "2026-01-02",
    }
    # An audit of the same weights after another x0, or without EOS, says nothing of this model.
    assert model_block(lm.with_info(begin=NO_BEGIN.begin)).data["model"]["verdict"] is None
    monkeypatch.setattr(
        "pofx.report.html.model_block.find_pin", lambda name: replace(kept, end=None if lm.vocab.end else 1)
    )
    assert model_block(lm).data["model"]["verdict"] is None


def test_a_damaged_verdict_is_no_error_of_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(name: str) -> None:
        raise pofx.BadSource("a file: expected a verdict, got rubbish", "remove the file")

    monkeypatch.setattr("pofx.report.html.model_block.find_pin", damaged)
    assert model_block(BYTES.with_info(fingerprint="f" * 64)).data["model"]["verdict"] is None


def test_the_documents_of_a_filter_are_one_chart() -> None:
    bounds = SimpleNamespace(how="quantiles", kept=9, documents=10)
    bars = ((1.0, 6, 0), (1.5, 3, 1), (2.0, 0, 8))
    one = SimpleNamespace(language="en", bounds=bounds, bars=bars, edges=())
    seen = SimpleNamespace(kept=9, documents=18, reasons=(("improbable", 9),), unknown=(), languages=(one,))
    _, section = filter_sections(seen)  # type: ignore[arg-type]
    (block,) = [b for b in section.blocks if b.kind == "amounts"]
    assert {n: (r["share"], r["more"], r["shown"], r["beside"]) for n, r in rows(block).items()} == {
        "1.00": (6 / 8, 0.0, "6", "0"),
        "1.50": (3 / 8, 1 / 8, "3", "1"),
        "2.00": (0.0, 1.0, "0", "8"),
    }
