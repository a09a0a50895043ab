"""pofx fit: what it reads, says and keeps."""

from __future__ import annotations

import gzip
import io
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import LINES, Ran

import pofx

# ------------------------------------------------------------------------------------------------------------ fit


def test_fit_and_what_it_says(run: Callable[..., Ran], models: Path) -> None:
    ran = run("fit", str(models / "corpus.txt"), "-o", "m", "--order", "3", "--held-out", "0.3")
    assert ran.code == 0
    assert ran.err == ""
    first, fitted, held, *then = ran.out.splitlines()
    assert first == "m: n-gram: the last 2 tokens; x0 <s> (trained); EOS"
    assert re.fullmatch(r"fitted on [\d,]+ documents, [\d,]+ bytes, in [\d.]+ s", fitted)
    assert re.fullmatch(
        r"held out: \d+ documents, L\(θ\) = [\d.]+ nats a document, [\d.]+ bits per byte", held
    )
    assert then == ["next: pofx audit -m m", "      pofx sample -m m", '      pofx score --text "…" -m m']
    assert sorted(p.name for p in Path().iterdir()) == ["m"]


def test_what_is_held_out_can_be_kept(run: Callable[..., Ran], models: Path) -> None:
    ran = run("fit", str(models / "corpus.txt"), "-o", "m", "--held-out", "0.3", "--save-held-out", "h.jsonl")
    assert ran.code == 0
    _, kept = pofx.split_documents(LINES, 0.3)
    assert list(pofx.documents("h.jsonl")) == kept
    assert kept


def test_a_prefix_is_shown_without_eos(run: Callable[..., Ran], models: Path) -> None:
    ran = run("score", "--text", "the c", "-m", str(models / "whole"), "--prefix")
    assert "log P(x)" in ran.out
    assert "EOS included" not in ran.out
    (record,) = run("score", "--text", "the c", "-m", str(models / "whole"), "--prefix", "--json").records
    assert record["total_nats"] is None
    assert len(record["tokens"]) == 5


def test_fit_as_json_is_the_score_of_what_was_kept(run: Callable[..., Ran], models: Path) -> None:
    ran = run("fit", str(models / "corpus.txt"), "-o", "m", "--order", "3", "--held-out", "0.3", "--json")
    (record,) = ran.records
    train, kept = pofx.split_documents(LINES, 0.3)
    assert (record["documents"], record["held_out_documents"]) == (len(train), len(kept))
    total = -sum(s.total for s in pofx.score(pofx.load("m"), kept))
    assert record["nats_per_document"] == pytest.approx(total / len(kept))
    assert record["bits_per_byte"] == pytest.approx(total / math.log(2) / sum(map(len, kept)))
    assert (record["impossible"], record["first_token"]) == (0, True)


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"),
    [
        ("a.txt", "one\r\ntwo\n\nthree", [], ["one", "two", "three"]),
        ("a.txt", "one\ntwo\n\nthree\n", ["--separator", "\\n\\n"], ["one\ntwo", "three"]),
        ("a.txt", "one\ttwo\n", ["--separator", "\\t"], ["one", "two"]),
        ("a.txt", "one\ntwo\n", ["--split", "file"], ["one\ntwo\n"]),
        ("a.jsonl", '{"text": "one"}\n{"text": ""}\n', [], ["one", ""]),
        ("a.jsonl", '{"body": "one", "id": 4}\n', ["--field", "body", "--id", "id"], ["one"]),
        ("a.csv", 'text,n\n"one, two",1\nthree,2\n', [], ["one, two", "three"]),
        ("a.tsv", "n\tbody\n1\tone\n", ["--field", "body"], ["one"]),
        ("a.dat", '{"text": "one"}\n', ["--format", "jsonl"], ["one"]),
        ("a.txt", "a", [], ["a"]),
        ("a.txt", "nul\0byte\n", [], ["nul\0byte"]),
        ("a.txt", "\ufeffmarked\n", [], ["marked"]),
    ],
)
def test_fit_reads_documents(
    run: Callable[..., Ran], name: str, content: str, options: list[str], expected: list[str]
) -> None:
    Path(name).write_bytes(content.encode())
    assert run("fit", name, "-o", "m", "--order", "3", "--held-out", "0", *options).code == 0
    same = pofx.fit(expected, pofx.NgramSpec(order=3))
    found = pofx.load("m")
    for text in [*expected, "probe"]:
        assert pofx.log_prob(found, text) == pofx.log_prob(same, text)
    ran = run("score", name, "-m", "m", "--json", *options)
    assert [r["text"] for r in ran.records] == expected


def test_several_files_packed_files_and_standard_input(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.txt").write_text("one\n")
    Path("b.txt.gz").write_bytes(gzip.compress(b"two\n"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"three\n")))
    ran = run("fit", "a.txt", "b.txt.gz", "-", "-o", "m", "--held-out", "0", "--json")
    assert ran.records[0]["documents"] == 3
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "x"}\n')))
    assert [r["id"] for r in run("score", "-", "-m", "m", "--format", "jsonl", "--json").records] == [
        "stdin:1"
    ]


def test_one_document_is_told(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("all of it in one line\n")
    ran = run("fit", "a.txt", "-o", "m")
    assert "1 document, 21 bytes" in ran.out
    assert ran.err.startswith("pofx: warning: one document")
    assert "--separator" in ran.err


def test_an_impossible_held_out_text_is_told(run: Callable[..., Ran], models: Path) -> None:
    Path("a.txt").write_text("\n".join(f"{chr(97 + i % 26)}{i}" for i in range(200)))
    ran = run("fit", "a.txt", "-o", "m", "--smoothing", "mle")
    assert "have probability zero, so L(θ) = ∞" in ran.out
    (record,) = run("fit", "a.txt", "-o", "m", "--smoothing", "mle", "--json", "--overwrite").records
    assert record["bits_per_byte"] is None
    assert record["impossible"] > 0


def test_unknown_characters_in_what_is_held_out(run: Callable[..., Ran]) -> None:
    Path("a.txt").write_text("\n".join(f"{chr(0x4E00 + i)}a" for i in range(200)), encoding="utf-8")
    ran = run("fit", "a.txt", "-o", "m", "--vocab", "chars")
    assert ran.code == 0
    assert "left out of the loss" in ran.err
    assert run("fit", "a.txt", "-o", "n", "--vocab", "chars+bytes").err == ""


def test_a_model_without_x0_says_so(run: Callable[..., Ran], models: Path) -> None:
    ran = run("fit", str(models / "corpus.txt"), "-o", "m", "--no-begin", "--held-out", "0.3")
    assert "x0 none" in ran.out
    assert "p(x1) not among the terms" in ran.out
    assert '--given "…"' in ran.out


@pytest.mark.parametrize("vocab", ["bytes", "chars"])
def test_a_fit_in_parts_saves_and_reports_the_same(
    vocab: str, run: Callable[..., Ran], tmp_path: Path
) -> None:
    text = tmp_path / "corpus.txt"
    text.write_text("".join(f"line {i % 97} of {'abc' * (i % 7)}é\n" for i in range(3000)), encoding="utf-8")
    options = [str(text), "--vocab", vocab, "--json", "--order", "4"]
    whole = run("fit", *options, "-o", str(tmp_path / "whole"))
    parts = run("fit", *options, "-o", str(tmp_path / "parts"), "--memory", "100M", "--workers", "2")
    records = [r.records[0] for r in (whole, parts)]
    for record in records:
        del record["model"], record["seconds"]
    assert records[0] == records[1]
    names = sorted(p.name for p in (tmp_path / "whole").iterdir())
    assert [(tmp_path / "parts" / n).read_bytes() for n in names] == [
        (tmp_path / "whole" / n).read_bytes() for n in names
    ]
    assert not list(tmp_path.glob(".parts*"))


def test_a_mixing_model_is_fitted_and_scores(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat\nthe dog sat\n" * 9)
    out = str(tmp_path / "m")
    fitted = run("fit", str(tmp_path / "a.txt"), "-o", out, "--family", "mixing", "--memory", "2M", "--json")
    assert fitted.records[0]["held_out_documents"] >= 0
    seen, unseen = (run("score", "--text", t, "-m", out, "--json").records[0] for t in ("the cat sat", "tac"))
    assert seen["total_nats"] > unseen["total_nats"]
    adapted = run("score", "--text", "tac tac tac tac", "-m", out, "--adapt", "--json").records[0]
    frozen = run("score", "--text", "tac tac tac tac", "-m", out, "--json").records[0]
    assert adapted["total_nats"] > frozen["total_nats"] + 1
    refused = run("score", "--text", "a", "-m", "builtin", "--adapt")
    assert refused.code == 2
    assert "--adapt: expected a mixing model, got NgramLM" in refused.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--family", "transformer", "--memory", "9M"], "--memory: expected only with --family ngram"),
        (["--family", "mixing", "--memory", "9k"], "--memory: expected"),
        (["--family", "mixing", "--no-end"], "--no-end: expected only with --family ngram or transformer"),
        (
            ["--family", "mixing", "--vocab", "chars"],
            "--vocab: expected only with --family ngram or transformer",
        ),
        (["--family", "mixing", "--order", "3"], "--order: expected only with --family ngram"),
        (["--memory", "much"], "--memory: expected a size such as 500M or 2G, got 'much'"),
    ],
)
def test_options_of_a_fit_in_parts_are_refused(
    options: list[str], said: str, run: Callable[..., Ran], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a\nb\n")
    result = run("fit", str(tmp_path / "a.txt"), "-o", str(tmp_path / "m"), *options)
    assert result.code == 2
    assert said in result.err
