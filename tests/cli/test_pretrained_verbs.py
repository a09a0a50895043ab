"""Every verb with a pretrained checkpoint, and advice that names what a verb has."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Ran

import pofx
from pofx.models.pretrained.inference.quantized import can_quantize


@pytest.mark.thorough
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
        "pofx: error: how texts begin is not known, so p(x1) is not defined: it needs p(x1 | x0)"
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
    if can_quantize():
        coarse, terms = nats("--dtype", "int8")
        assert terms["dtype"].startswith("int8, ± ")
        assert 0 < abs(coarse - whole) < 0.1
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
