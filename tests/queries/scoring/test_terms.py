"""What a number is of is said beside the number: in a line, in columns of rows, and of draws from a changed law."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.cli.main import main
from pofx.queries.sample import sample
from pofx.transforms.warp import warp
from toy import ToyLM

TEXTS = ["the cat sat", "a dog", "the end"] * 4
SAID = "model: x0 <s> (trained); n-gram: the last 2 tokens; float64, exact\n"


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[str, str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_MODEL", "model")
    pofx.save(pofx.fit(TEXTS, pofx.NgramSpec(order=3)), "model")
    pofx.save(pofx.fit(TEXTS, pofx.NgramSpec(order=3, begin=False)), "no_begin")
    Path("in.txt").write_text("the cat\na dog\n")

    def call(command: str) -> tuple[str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        return out, err

    return call


@pytest.mark.parametrize(
    "command",
    [
        "words --text a",
        "next --given the --unit token -k 1",
        "sample -n 1 --max-tokens 3",
        "infill --given the --suffix end --max-tokens 6 -n 8",
        "condition --contains a --max-tokens 6 -n 8",
    ],
)
def test_an_answer_says_what_it_is_of(run: Callable[[str], tuple[str, str]], command: str) -> None:
    assert run(command)[0].endswith(SAID)
    record = json.loads(run(f"{command} --json")[0].splitlines()[0])
    assert record["model"] == "model"
    assert (record["terms"]["begin"], record["terms"]["begin_known"]) == ("<s>", "trained")
    assert (record["terms"]["dtype"], record["terms"]["kind"]) == ("float64", "exact")


@pytest.mark.parametrize("command", ["score in.txt -o o.csv", "words in.txt -o o.csv", "words in.txt"])
def test_so_do_rows_in_a_line(run: Callable[[str], tuple[str, str]], command: str) -> None:
    assert f"pofx: {SAID}" in run(command)[1]


@pytest.mark.parametrize("verb", ["score", "words", "score --per token"])
def test_and_in_columns_on_request(run: Callable[[str], tuple[str, str]], verb: str) -> None:
    name, *more = verb.split()
    run(" ".join([name, "in.txt", "-o", "plain.jsonl", *more]))
    run(" ".join([name, "in.txt", "-o", "o.jsonl", "--terms", *more]))
    plain, rows = (
        [json.loads(row) for row in Path(f).read_text().splitlines()] for f in ("plain.jsonl", "o.jsonl")
    )
    assert len(plain) == len(rows)
    for old, row in zip(plain, rows):
        assert {k: row[k] for k in old} == old  # what was there stays as it was
        assert row["model"] == "model"
        assert (row["begin"], row["begin_known"], row["first"]) == ("<s>", "trained", True)
        assert (row["window"], row["dtype"], row["kind"]) == ("n-gram: the last 2 tokens", "float64", "exact")
        assert row["boundary"] is None
        assert list(row)[-1] == "error"
        assert "window" not in old


def test_parquet_has_them_as_metadata(run: Callable[[str], tuple[str, str]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run("words in.txt -o o.parquet --terms")
    table = parquet.read_table("o.parquet")
    about = json.loads(table.schema.metadata[b"pofx"])
    assert (about["name"], about["x0"], about["dtype"], about["kind"]) == (
        "model",
        "<s> (trained), id 257",
        "float64",
        "exact",
    )
    assert about["window"] == "n-gram: the last 2 tokens"
    assert table["model"].to_pylist() == ["model"] * 4


def test_none_is_null(run: Callable[[str], tuple[str, str]]) -> None:
    for verb in ("score", "words"):
        run(f"{verb} in.txt -m no_begin --given the -o {verb}.jsonl --terms")
        run(f"{verb} in.txt -m no_begin --given the -o {verb}.csv --terms")
        for line in Path(f"{verb}.jsonl").read_text().splitlines():
            row = json.loads(line)
            assert row["begin"] is row["begin_known"] is row["boundary"] is None
            assert "none" not in row.values()
        with open(f"{verb}.csv", newline="") as f:
            assert {r["begin"] for r in csv.DictReader(f)} == {""}


# Draws from a changed law ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"temperature": 0.5}, "temperature 0.5"),
        ({"top_k": 2}, "top-k 2"),
        ({"top_p": 0.7}, "top-p 0.7"),
        ({"temperature": 2.0, "top_k": 3, "top_p": 0.9}, "temperature 2, top-k 3, top-p 0.9"),
    ],
)
@pytest.mark.parametrize("given", ["", "a"])
def test_a_draw_from_a_changed_law_has_both_numbers(how: dict[str, float], told: str, given: str) -> None:
    lm = ToyLM()
    for draw in sample(warp(lm, **how), 20, given=given, max_tokens=5, seed=3):  # type: ignore[arg-type]
        assert draw.warp == told
        assert draw.own_total is not None
        assert draw.own is not None
        # By the laws themselves, one after the other: those of the model, and those changed by hand.
        plain = changed = 0.0
        state = lm.start(1) if not given else lm.extend(lm.start(1), [lm.vocab.encode(given)])
        for i in [*draw.tokens.tolist(), *([lm.vocab.end] if draw.ended else [])]:
            law = np.asarray(state.logp[0], dtype=np.float64)
            plain += law[i]
            changed += by_hand(law, **how)[i]
            state = lm.extend(state, [[i]])
        assert draw.own_total == pytest.approx(plain, abs=1e-9)
        assert draw.total == pytest.approx(changed, abs=1e-9)


def by_hand(
    law: np.ndarray, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> list[float]:
    """The textbook: p^(1/T), the k likeliest, then as few as hold the mass."""
    weight = {i: math.exp(x / temperature) for i, x in enumerate(law)}
    for bound in ("k", "p"):
        total = sum(weight.values())
        best = sorted(weight, key=lambda i: (-weight[i], i))
        if bound == "k" and top_k is not None:
            best = best[:top_k]
        if bound == "p" and top_p is not None:
            held, kept = 0.0, []
            for i in best:
                if held >= top_p:
                    break
                kept.append(i)
                held += weight[i] / total
            best = kept
        weight = {i: weight[i] for i in best}
    total = sum(weight.values())
    return [math.log(weight[i] / total) if i in weight else -math.inf for i in range(len(law))]


def test_a_draw_from_the_model_itself_has_one() -> None:
    (draw,) = sample(ToyLM(), 1, seed=1)
    assert (draw.warp, draw.own, draw.own_total) == ("", None, None)


def test_the_verb_says_what_it_drew_from(run: Callable[[str], tuple[str, str]]) -> None:
    out, _ = run("sample -n 1 --seed 1 --max-tokens 5 --temperature 0.5 --html p.html")
    assert "p at temperature 0.5, renormalised token by token" in " ".join(out.split())
    assert "log q" in out
    assert "log p" in out
    assert re.search('"warp": ?"temperature 0.5"', Path("p.html").read_text())
    record = json.loads(run("sample -n 1 --seed 1 --max-tokens 5 --temperature 0.5 --json")[0])
    assert record["warp"] == "temperature 0.5"
    assert record["nats"] != record["model_nats"]
    plain = json.loads(run("sample -n 1 --seed 1 --max-tokens 5 --json")[0])
    assert "warp" not in plain
