"""The page of --html: its command without keys, its models, the rows of its texts, and how many texts it leaves out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import pofx
from pofx.cli.command import TYPED
from pofx.cli.main import pofx as cli
from pofx.cli.options.pages import typed_command


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pofx.LM:
    monkeypatch.chdir(tmp_path)
    lm = pofx.fit(["a cat", "a mat"], pofx.NgramSpec(order=2))
    pofx.save(lm, "model")
    return pofx.load("model")


def page_of(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The data of the page that a command writes."""
    found = CliRunner().invoke(cli, [*arguments, "--html", "out.html", "-m", "model"])
    assert found.exit_code == code, found.output
    raw = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', Path("out.html").read_text(), re.S
    )
    assert raw is not None
    return json.loads(raw[1])


def rows(n: int) -> str:
    lines = [json.dumps({"key": f"k{i}", "text": "a cat", "n": i, "none": None}) for i in range(n)]
    Path("rows.jsonl").write_text("\n".join(lines))
    return "rows.jsonl"


def test_the_foot_names_the_command_and_the_model(model: pofx.LM) -> None:
    made = page_of("score", "--text", "it's a cat")["made"]
    assert made["version"] == pofx.__version__
    assert made["command"] == """pofx score --text 'it'"'"'s a cat' --html out.html -m model"""
    note = {"name": "model", "x0": str(model.begin), "eos": "EOS", "fingerprint": model.fingerprint}
    assert made["models"] == [note]


def test_the_model_of_warped_draws_is_the_model_itself(model: pofx.LM) -> None:
    page = page_of("sample", "-n", "1", "--seed", "1", "--top-k", "2")
    assert page["title"] == page["sections"][0]["title"] == "Draws from q(x): p(x) at top-k 2"
    assert page["made"]["models"][0]["fingerprint"] == model.fingerprint


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (
            ["audit", "--api-key", "a secret", "-m", "x"],
            "pofx audit --api-key … -m x",
        ),
        (["audit", "--api-key=secret", "-m", "x"], "pofx audit '--api-key=…' -m x"),
        (["audit", "-m", "https://me:secret@host/v1"], "pofx audit -m 'https://…@host/v1'"),
        (["score", "--text", "--api-key"], "pofx score --text --api-key"),
        ([], ""),
    ],
)
def test_keys_are_left_out_of_the_command(typed: list[str], shown: str) -> None:
    import click

    with click.Context(cli) as context:
        context.meta[TYPED] = typed
        assert typed_command() == shown
        assert "secret" not in typed_command()


@pytest.mark.parametrize("verb", ["score", "words"])
def test_a_page_has_the_ids_and_the_kept_fields(verb: str) -> None:
    kept = ["--keep", "n", "--keep", "none"]
    page = page_of(verb, rows(2), "--id", "key", *kept)
    texts = page["sections"][0]["blocks"][0]["texts"]
    assert [(t["id"], t["kept"]) for t in texts] == [
        ("k0", {"n": "0", "none": ""}),
        ("k1", {"n": "1", "none": ""}),
    ]
    assert page["lead"] == ""
    found = CliRunner().invoke(cli, [verb, "rows.jsonl", "-m", "model", *kept])
    assert found.exit_code == 2
    assert "--keep: expected only with -o FILE" in found.output


@pytest.mark.parametrize("verb", ["score", "words"])
def test_a_page_says_how_many_texts_it_leaves_out(verb: str) -> None:
    page = page_of(verb, rows(53))
    assert len(page["sections"][0]["blocks"][0]["texts"]) == 50
    assert page["lead"] == "The first 50 of 53 texts."


def test_a_page_of_prefixes_has_no_eos() -> None:
    page = page_of("score", rows(1), "--prefix")
    score = page["sections"][0]["blocks"][0]["texts"][0]["score"]
    assert score["total_nats"] is None
    assert not score["terms"]["end"]
    assert len(score["tokens"]["nats"]) == len("a cat")
