"""pofx posterior as a person meets it: Bayes' rule over models named on the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
SPECS: dict[str, tuple[str, pofx.NgramSpec]] = {
    "english": ("proverbs.txt", pofx.NgramSpec(order=3)),
    "french": ("proverbes.txt", pofx.NgramSpec(order=3)),
    "subwords": ("proverbs.txt", pofx.NgramSpec(order=2, vocab="bpe:300")),
    "without x0": ("proverbs.txt", pofx.NgramSpec(order=2, begin=False)),
    "without EOS": ("proverbs.txt", pofx.NgramSpec(order=2, end=False)),
}
TEXTS = ["Time flies.", "Qui dort d\u00eene.", "", "</s> <s>"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("models")
    for name, (file, spec) in SPECS.items():
        pofx.save(pofx.fit(pofx.documents(DOCS / file), spec), home / name)
    return home


@pytest.fixture
def run(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(models)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["posterior", *arguments])
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


def test_bayes_rule_over_named_models(run: Callable[..., tuple[int, str, str]], models: Path) -> None:
    code, out, _ = run(
        *(a for t in TEXTS for a in ("--text", t)),
        "-m",
        "english",
        "-m",
        "french",
        "--weight",
        "3",
        "--weight",
        "1",
        "--json",
    )
    assert code == 0
    lms = [pofx.load(models / name) for name in ("english", "french")]
    for text, line in zip(TEXTS, out.splitlines(), strict=True):
        told: dict[str, Any] = json.loads(line)
        assert told["text"] == text
        joint = np.log([0.75, 0.25]) + [pofx.log_prob(lm, text) for lm in lms]
        total = float(np.logaddexp.reduce(joint))
        assert told["total_nats"] == pytest.approx(total, abs=1e-12)
        assert [m["posterior_nats"] for m in told["models"]] == pytest.approx(joint - total, abs=1e-12)
        assert sum(m["posterior"] for m in told["models"]) == pytest.approx(1)
        best = max(told["models"], key=lambda m: m["evidence_nats"])
        assert told["best"] == best["model"]
        assert told["regret_nats"] <= -best["prior_nats"] + 1e-12
        assert len(told["path_nats"]) == len(text.encode()) + 2


def test_the_table_names_the_empty_text_and_the_mixture(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("--text", "", "--text", "Time flies.", "-m", "english", "-m", "french")
    assert (code, err) == (0, "")
    assert "(empty)" in out
    assert out.count("mixture") == 2
    assert "bounds" not in out
    assert "0.500        1.00" in out


def test_other_vocabularies_meet_at_strings(run: Callable[..., tuple[int, str, str]], models: Path) -> None:
    asked = ("--text", "Time flies.", "-m", "subwords", "-m", "french")
    told: dict[str, Any] = json.loads(run(*asked, "--json")[1])
    exact = pofx.marginal(pofx.load(models / "subwords"), "Time flies.").total
    low, high = told["models"][0]["evidence_interval_nats"]
    assert low - 1e-9 <= exact <= high + 1e-9
    assert math.isclose(told["models"][0]["evidence_nats"], exact, abs_tol=1e-3)
    assert "bounds" in run(*asked, "--beam", "1")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--text", "a"], "Missing option '-m'"),
        (["-m", "english", "-m", "french"], "Missing option '--text'"),
        (["--text", "a", "-m", "english"], "expected at least two models, got one"),
        (["--text", "a", "-m", "english", "-m", "nobody"], "got nothing of that name"),
        (
            ["--text", "a", "-m", "english", "-m", "french", "--weight", "1"],
            "a weight for each of 2 models, got 1",
        ),
        (["--text", "a", "-m", "english", "-m", "french", *["--weight", "0"] * 2], "not all zero"),
        (
            ["--text", "a", "-m", "english", "-m", "french", *["--weight", "-1"] * 2],
            "'--weight': expected a finite number of at least 0, got -1.0",
        ),
        (
            ["--text", "a", "-m", "english", "-m", "french", "--beam", "0"],
            "'--beam': expected a whole number of at least 1, got 0",
        ),
        (["--text", "a", "-m", "english", "-m", "without x0"], "(--begin TOKEN)"),
        (["--text", "a", "-m", "english", "-m", "without EOS"], "(--end TOKEN)"),
        (["--text", "a", "-m", "without x0", "-m", "without x0"], "needs p(x1 | x0)"),
    ],
)
def test_refusals(run: Callable[..., tuple[int, str, str]], arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_a_stand_in_for_x0_is_for_those_without(run: Callable[..., tuple[int, str, str]]) -> None:
    asked = ("--text", "Time flies.", "-m", "english", "-m", "without x0", "--json")
    assert run(*asked)[0] == 2
    code, out, _ = run(*asked, "--begin", ".")
    assert code == 0
    assert json.loads(out)["terms"]["begin_known"] == "assumed"
