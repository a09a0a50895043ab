"""pofx score of texts and of lines."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import LINES, Ran

import pofx

# ---------------------------------------------------------------------------------------------------------- score


def test_score_of_a_text(run: Callable[..., Ran], models: Path) -> None:
    ran = run("score", "--text", "the cat", "-m", str(models / "whole"))
    total = pofx.log_prob(pofx.load(models / "whole"), "the cat")
    assert ran.code == 0
    assert f"log p(x) = {total:.3f} nats" in ran.out
    assert "EOS included" in ran.out
    assert "the cat∎" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "\x1b" not in ran.out


def test_score_of_a_text_as_json(run: Callable[..., Ran], models: Path) -> None:
    lm = pofx.load(models / "whole")
    ran = run(
        "score", "--text", "cat", "--text", "é", "--given", "the ", "-m", str(models / "whole"), "--json"
    )
    cat, accent = ran.records
    assert cat["total_nats"] == pofx.log_prob(lm, "cat", given="the ")
    assert cat["prefix_nats"] == pofx.prefix_log_prob(lm, "cat", given="the ")
    assert cat["given"] == "the "
    assert [t["token"] for t in cat["tokens"]] == ["c", "a", "t", "EOS"]
    assert math.fsum(t["nats"] for t in cat["tokens"]) == pytest.approx(cat["total_nats"])
    assert [(t["start"], t["end"]) for t in accent["tokens"]] == [(0, 1), (1, 2), (2, 2)]
    assert cat["terms"]["given_bytes"] == 4
    assert {"rank", "entropy_nats"} <= set(cat["tokens"][0])


def test_score_of_files(run: Callable[..., Ran], models: Path) -> None:
    lm = pofx.load(models / "whole")
    corpus = str(models / "corpus.txt")
    ran = run("score", corpus, "-m", str(models / "whole"))
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert [r[0] for r in rows] == [f"{corpus}:{i}" for i in range(1, len(LINES) + 1)]
    totals = [s.total for s in pofx.score(lm, LINES)]
    assert [float(r[1]) for r in rows] == pytest.approx(totals, abs=1e-4)
    assert float(rows[0][2]) == pytest.approx(-totals[0] / math.log(2) / len(LINES[0]), abs=1e-4)
    assert f"{len(LINES)} documents" in ran.err
    assert f"{sum(totals):.2f} nats" in ran.err
    as_json = run("score", corpus, "-m", str(models / "whole"), "--json")
    assert [r["total_nats"] for r in as_json.records] == totals
    assert "tokens" not in as_json.records[0]
    assert (
        len(run("score", corpus, "-m", str(models / "whole"), "--json", "--tokens").records[0]["tokens"])
        == 12
    )
    prefixes = run("score", corpus, "-m", str(models / "whole"), "--prefix")
    assert "log P (prefixes)" in prefixes.err
    assert float(prefixes.out.split("\t")[1]) == pytest.approx(pofx.prefix_log_prob(lm, LINES[0]), abs=1e-4)


def test_an_empty_document_has_no_rate(run: Callable[..., Ran], models: Path) -> None:
    Path("a.jsonl").write_text('{"text": ""}\n')
    ran = run("score", "a.jsonl", "-m", str(models / "whole"))
    assert re.fullmatch(r"a\.jsonl:1\t-[\d.]+\t\n", ran.out)
    assert "nan" not in ran.out + ran.err
    (record,) = run("score", "a.jsonl", "-m", str(models / "whole"), "--json").records
    assert record["bits_per_byte"] is None
    assert record["total_nats"] < 0
    (empty,) = run("score", "--text", "", "-m", str(models / "whole"), "--json").records
    assert empty["total_nats"] == record["total_nats"]
    assert run("score", "--text", "", "-m", str(models / "whole")).code == 0


def test_probability_zero_is_minus_infinity(run: Callable[..., Ran], models: Path) -> None:
    mle = str(models / "mle")
    assert "log p(x) = -∞ nats" in run("score", "--text", "zz", "-m", mle).out
    (record,) = run("score", "--text", "zz", "-m", mle, "--json").records
    assert (record["total_nats"], record["bits_per_byte"]) == ("-inf", "inf")
    Path("a.txt").write_text("zz\na\n")
    assert run("score", "a.txt", "-m", mle).out.startswith("a.txt:1\t-inf\tinf\n")
    assert len(run("score", "a.txt", "-m", mle, "--json").records) == 2
    assert (
        run("next", "--given", "the cat", "-k", "300", "--unit", "token", "-m", mle, "--json").records[0][
            "rest"
        ]["nats"]
        == "-inf"
    )
    assert run("audit", "-m", mle, "--test", str(models / "corpus.txt"), "--json").records


def test_without_eos_only_prefixes(run: Callable[..., Ran], models: Path) -> None:
    name = str(models / "no_end")
    assert "log P(x) = " in run("score", "--text", "the", "-m", name).out
    (record,) = run("score", "--text", "the", "-m", name, "--json").records
    assert record["total_nats"] is None
    assert record["prefix_nats"] < 0
    assert "log P (prefixes)" in run("score", str(models / "corpus.txt"), "-m", name).err
    (ended,) = run("score", "--text", "the", "-m", name, "--end", ".", "--json").records
    assert ended["total_nats"] < record["prefix_nats"]
