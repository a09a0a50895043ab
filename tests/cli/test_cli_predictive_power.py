"""pofx reading as a person meets it."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import pofx
from pofx.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    table = [
        {
            "item": i,
            "word": "ab",
            "who": who,
            "index": k,
            "length": 2 + k % 3,
            "a_surprisal_nats": (s := rng.random()),
            "b_surprisal_nats": rng.random(),
            "RT": 300 + 40 * s + 30 * who + rng.gauss(0, 9),
        }
        for i in range(8)
        for who in range(3)
        for k in range(4)
    ]
    with Path("t.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    pq.write_table(pa.Table.from_pylist(table), "t.parquet")
    pyarrow.feather.write_feather(pa.Table.from_pylist(table), "t.arrow", compression="uncompressed")
    Path("t.jsonl").write_text("".join(json.dumps(r) + "\n" for r in table))

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["reading", *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_the_numbers_are_those_of_python_for_every_format(run: Run) -> None:
    own = pofx.predictive_power(
        list(csv.DictReader(Path("t.csv").read_text().splitlines())), "RT", by="who", folds=4
    )
    for file in ("t.csv", "t.parquet", "t.jsonl", "t.arrow"):
        code, out, err = run(file, "--time", "RT", "--by", "who", "--folds", "4", "--json")
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert [m["name"] for m in told["models"]] == ["a", "b"]
        assert [m["gain"] for m in told["models"]] == pytest.approx([m.gain for m in own.models], abs=1e-9)
        assert (told["rows"], told["n_items"], told["n_groups"], told["first_words"]) == (96, 8, [3], 24)
        (difference,) = told["differences"]
        assert (difference["model"], difference["less"]) == ("a", "b")
        assert (difference["difference"], difference["low"]) == pytest.approx(
            own.difference(0, 1)[:2], abs=1e-9
        )


def test_what_a_person_sees(run: Run) -> None:
    code, out, _ = run(
        "t.csv", "--time", "RT", "--surprisal", "b_surprisal_nats", "--baseline", "a_surprisal_nats"
    )
    assert code == 0
    assert "96 of 8 items" in out
    assert "the intervals of fewer than 20 items are too narrow" in out
    assert "24 rows, whose surprisal is given x0 alone" in out
    assert " less " not in out
    code, out, _ = run("t.csv", "--time", "RT")
    assert "a less b: " in out


def test_columns_of_crossed_intercepts_have_commas_or_not(run: Run) -> None:
    rows = list(csv.DictReader(Path("t.csv").read_text().splitlines()))
    own = pofx.predictive_power(rows, "RT", by=["who", "item"], folds=2)
    for options in (("--by", "who,item"), ("--by", "who", "--by", "item")):
        code, out, _ = run("t.csv", "--time", "RT", *options, "--folds", "2", "--json")
        told = json.loads(out)
        assert (code, told["by"], told["n_groups"]) == (0, ["who", "item"], [3, 8])
        assert told["models"][0]["gain"] == pytest.approx(own.models[0].gain, abs=1e-9)
    assert "each of 3 'who' and each of 8 'item'" in " ".join(
        run("t.csv", "--time", "RT", "--by", "who,item", "--folds", "2")[1].split()
    )
    Path("comma.csv").write_text(Path("t.csv").read_text().replace("who", '"who,item"', 1))
    assert json.loads(run("comma.csv", "--time", "RT", "--by", "who,item", "--folds", "2", "--json")[1])[
        "by"
    ] == ["who,item"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("t.csv",), "Missing option '--time'"),
        (("t.csv", "--time", "ms"), "--time: expected a column of the table, got 'ms'"),
        (("t.csv", "--time", "RT", "--by", "x"), "--by: expected a column"),
        (("t.csv", "--time", "RT", "--by", "who,"), "--by: expected a column of the table, got ''"),
        (("t.csv", "--time", "RT", "--by", "who,who"), "--by: expected columns of different names"),
        (("t.csv", "--time", "RT", "--baseline", "x"), "--baseline: expected a column"),
        (("t.csv", "--time", "RT", "--surprisal", "x"), "--surprisal: expected a column"),
        (("t.csv", "--time", "word"), "expected a number in column 'word' of row 1, got 'ab'"),
        (("numbers.jsonl", "--time", "RT"), "expected a column of strings, got none"),
        (("broken.parquet", "--time", "RT"), "broken.parquet: expected a whole Parquet file"),
    ],
)
def test_refusals(run: Run, arguments: tuple[str, ...], says: str) -> None:
    Path("numbers.jsonl").write_text('{"item": 1, "RT": 2}\n')
    Path("broken.parquet").write_bytes(b"PAR1 no")
    code, _, err = run(*arguments)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
