"""What is refused, in one line on standard error; and bad rows, which are counted."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ran

import pofx

# ------------------------------------------------------------------------------------------------------ what is refused

REFUSED: dict[str, tuple[list[str], str]] = {
    "a missing file": (["fit", "nope.txt", "-o", "m"], "'nope.txt': expected a file"),
    "a missing file to score": (["score", "nope.txt"], "check the path"),
    "an unknown option": (["score", "--text", "a", "--bogus"], "See 'pofx score --help'"),
    "a wrong verb": (["scroe"], "got 'scroe'; did you mean 'score'?"),
    "an unknown option of pofx": (["--bogus"], "See 'pofx --help'"),
    "no files": (["fit", "-o", "m"], "FILES"),
    "nowhere to save": (["fit", "good.txt"], "--out"),
    "an empty file": (["fit", "empty.txt", "-o", "m"], "empty.txt: expected at least one document"),
    "only blank lines": (["fit", "blank.txt", "-o", "m"], "expected at least one document"),
    "an empty file to score": (["score", "empty.txt"], "empty.txt: expected at least one document"),
    "a directory without texts": (
        ["fit", "bare", "-o", "m"],
        "expected a directory with files that end in .txt",
    ),
    "a truncated gz": (["fit", "cut.txt.gz", "-o", "m"], "breaks off"),
    "a truncated gz to score": (["score", "cut.txt.gz"], "breaks off"),
    "no gz": (["fit", "fake.txt.gz", "-o", "m"], "fake.txt.gz: expected"),
    "an unknown ending": (["fit", "good.docx", "-o", "m"], ".txt, .jsonl"),
    "UTF-16": (["fit", "utf16.txt", "-o", "m"], "UTF-16"),
    "no such model": (["score", "--text", "a", "-m", "nowhere"], "'pofx models' lists"),
    "no such model, audited": (["audit", "-m", "nowhere"], "'pofx models' lists"),
    "a file as model": (["score", "--text", "a", "-m", "good.txt"], "pofx fit good.txt -o model"),
    "a directory as model": (["score", "--text", "a", "-m", "full"], "'pofx models full' lists"),
    "a model that lacks its card": (["score", "--text", "a", "-m", "torn"], "pofx.json beside config.json"),
    "bfloat16 of counts": (["score", "--text", "a", "-m", "whole", "--dtype", "bfloat16"], "float32"),
    "a budget of counts": (["score", "--text", "a", "-m", "whole", "--budget", "9"], "a pretrained model"),
    "windows of nothing": (["score", "--text", "a", "-m", "whole", "--context", "1"], "--context"),
    "a stride past its window": (
        ["score", "--text", "a", "-m", "whole", "--context", "8", "--stride", "9"],
        "stride: expected a whole number from 1 to 8",
    ),
    "onto other files": (
        ["fit", "good.txt", "-o", "full"],
        "got other files (mine.txt); choose another path",
    ),
    "onto a file": (["fit", "good.txt", "-o", "good.txt"], "good.txt"),
    "onto the current directory": (["fit", "good.txt", "-o", "."], "expected"),
    "files and texts": (["score", "good.txt", "--text", "a"], "expected FILES or --text, got both"),
    "neither files nor texts": (["score"], "got neither"),
    "an unknown field": (["fit", "good.csv", "-o", "m", "--field", "body"], "'text'"),
    "a field of no fields": (["fit", "good.txt", "-o", "m", "--field", "body"], "--field, --id"),
    "an unknown format": (["fit", "good.txt", "-o", "m", "--format", "xml"], "format: expected one of txt"),
    "an empty separator": (["fit", "good.txt", "-o", "m", "--separator", ""], "separator: expected"),
    "order 0": (
        ["fit", "good.txt", "-o", "m", "--order", "0"],
        "'--order': expected a whole number from 1 to 16, or none, got 0",
    ),
    "order in words": (["fit", "good.txt", "-o", "m", "--order", "two"], "--order"),
    "alpha -1": (
        ["fit", "good.txt", "-o", "m", "--smoothing", "additive", "--alpha", "-1"],
        "'--alpha': expected a positive number",
    ),
    "alpha nan": (
        ["fit", "good.txt", "-o", "m", "--smoothing", "additive", "--alpha", "nan"],
        "'--alpha': expected a positive number",
    ),
    "alpha unheeded": (["fit", "good.txt", "-o", "m", "--alpha", "2"], "--smoothing additive"),
    "seconds unheeded": (["fit", "good.txt", "-o", "m", "--seconds", "2"], "--family transformer"),
    "order unheeded": (
        ["fit", "good.txt", "-o", "m", "--family", "transformer", "--order", "2"],
        "--family ngram",
    ),
    "resume unheeded": (["fit", "good.txt", "-o", "m", "--resume"], "--resume: expected only with"),
    "a share above 1": (
        ["fit", "good.txt", "-o", "m", "--held-out", "2"],
        "'--held-out': expected a finite number",
    ),
    "an unknown vocabulary": (["fit", "good.txt", "-o", "m", "--vocab", "bpe"], "bpe:8000"),
    "an unknown smoothing": (["fit", "good.txt", "-o", "m", "--smoothing", "laplace"], "kneser-ney"),
    "heads that do not divide": (
        ["fit", "good.txt", "-o", "m", "--family", "transformer", "--width", "10", "--heads", "4"],
        "width / heads",
    ),
    "seconds and epochs": (
        ["fit", "good.txt", "-o", "m", "--family", "transformer", "--seconds", "1", "--epochs", "1"],
        "one of the two",
    ),
    "nothing to resume": (["fit", "good.txt", "-o", "m", "--family", "transformer", "--resume"], "without"),
    "temperature 0": (
        ["sample", "-m", "whole", "--temperature", "0"],
        "'--temperature': expected a positive",
    ),
    "top-k 0": (
        ["sample", "-m", "whole", "--top-k", "0"],
        "'--top-k': expected a whole number of at least 1",
    ),
    "top-p 2": (["sample", "-m", "whole", "--top-p", "2"], "'--top-p': expected"),
    "-n -1": (["sample", "-m", "whole", "-n", "-1"], "'-n': expected"),
    "no tokens": (["sample", "-m", "whole", "--max-tokens", "0"], "'--max-tokens': expected"),
    "a negative seed": (["sample", "-m", "whole", "--seed", "-1"], "'--seed': expected"),
    "a negative seed of an audit": (["audit", "-m", "whole", "--seed", "-1"], "--seed"),
    "a negative seed of a fit": (
        ["fit", "good.txt", "-o", "m", "--family", "transformer", "--seed", "-1"],
        "--seed",
    ),
    "-k 0": (["next", "-m", "whole", "-k", "0"], "'-k': expected a whole number of at least 1"),
    "no BOS": (["score", "--text", "a", "-m", "no_begin"], "--given"),
    "no BOS, drawn": (["sample", "-m", "no_begin"], "--given"),
    "no BOS, next": (["next", "-m", "no_begin"], "(--given)"),
    "no BOS, infilled": (["infill", "--suffix", "a", "-m", "no_begin"], "(--given)"),
    "no BOS, files": (["score", "good.txt", "-m", "stream"], "--given"),
    "impossible": (["score", "--text", "a", "--given", "zz", "-m", "mle"], "smoothed"),
    "impossible, drawn": (["sample", "--given", "zz", "-m", "mle"], "P = 0"),
    "impossible, next": (["next", "--given", "zz", "-m", "mle"], "'zz'"),
    "no text": (["score", "--text", "Ω", "-m", "chars"], "chars+bytes"),
    "no text given": (["next", "--given", "Ω", "-m", "chars"], "'Ω'"),
    "x0 twice": (["score", "--text", "a", "-m", "whole", "--begin", "a"], "leave begin out"),
    "EOS twice": (["score", "--text", "a", "-m", "whole", "--end", "a"], "leave end out"),
    "x0 of two tokens": (["score", "--text", "a", "-m", "no_begin", "--begin", "ab"], "single token"),
    "x0 of no token": (["score", "--text", "a", "-m", "no_begin", "--begin", ""], "0 tokens"),
    "no such directory": (["models", "nowhere"], "nowhere"),
    "an escape in a name": (["score", "\x1b[31m.txt"], "x1b"),
    "a page on a directory": (["score", "--text", "a", "-m", "whole", "--html", "full"], "full"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_what_is_said(run: Callable[..., Ran], models: Path, name: str) -> None:
    for link in ("whole", "no_begin", "stream", "mle", "chars"):
        Path(link).symlink_to(models / link)
    Path("good.txt").write_text("one\ntwo\n")
    Path("good.docx").write_text("one\ntwo\n")
    Path("good.csv").write_text("text\none\n")
    Path("empty.txt").write_text("")
    Path("blank.txt").write_text("\n\n\r\n")
    Path("utf16.txt").write_bytes("one\n".encode("utf-16"))
    packed = gzip.compress(os.urandom(500).hex().encode() + b"\n")
    Path("cut.txt.gz").write_bytes(packed[: len(packed) // 2])
    Path("fake.txt.gz").write_text("no gzip")
    Path("bare").mkdir()
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    shutil.copytree(models / "whole", "torn")
    Path("torn/pofx.json").unlink()
    before = sorted(map(str, Path().rglob("*")))
    arguments, said = REFUSED[name]
    message = run(*arguments).refusal
    assert said in message
    assert "\x1b" not in message
    assert sorted(map(str, Path().rglob("*"))) == before


def test_bad_rows_are_told_and_counted(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_bytes(b"good\nc\xffd\nalso good\n")
    Path("b.jsonl").write_text('{"text": "\\ud800"}\n{"text": 7}\n{"text": "ok"}\nnot json\n')
    ran = run("fit", "a.txt", "-o", "m")
    assert ran.code == 0
    assert "pofx: warning: a.txt:2: expected UTF-8, got byte 0xFF" in ran.err
    assert "1 bad row left out, 2 documents read" in ran.err
    ran = run("score", "a.txt", "-m", str(models / "whole"))
    assert ran.code == 1
    assert [line.split("\t")[0] for line in ran.out.splitlines()] == ["a.txt:1", "a.txt:2", "a.txt:3"]
    assert ran.out.splitlines()[1] == "a.txt:2\t\t"
    assert "pofx: warning: a.txt:2: expected UTF-8, got byte 0xFF" in ran.err
    assert "1 of 3 rows without a score" in ran.err
    ran = run("score", "b.jsonl", "-m", str(models / "whole"), "--json")
    assert ran.code == 1
    assert [r["id"] for r in ran.records] == [f"b.jsonl:{i}" for i in (1, 2, 3, 4)]
    assert [("error" in r) for r in ran.records] == [True, True, False, True]
    assert "U+D800" in ran.records[0]["error"]
    assert "U+D800" in ran.err
    assert "3 of 4 rows without a score" in ran.err


def test_a_text_that_no_token_spells_loses_no_other(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_text("the cat\nΩ\na dog\n", encoding="utf-8")
    ran = run("score", "a.txt", "-m", str(models / "chars"), "--json")
    assert ran.code == 1
    assert [r.get("total_nats") for r in ran.records] == [
        pytest.approx(pofx.log_prob(pofx.load(models / "chars"), "the cat")),
        None,
        pytest.approx(pofx.log_prob(pofx.load(models / "chars"), "a dog")),
    ]
    assert "'Ω'" in ran.records[1]["error"]
    assert run("score", "a.txt", "-m", str(models / "chars"), "--quiet").err.count("\n") == 2
