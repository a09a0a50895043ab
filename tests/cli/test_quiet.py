"""--quiet means one thing: no progress and no summary on standard error, while warnings and errors stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from test_written import ROWS, commands

from pofx.cli.main import main

Run = Callable[[str], tuple[object, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(command: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(command.split())
        return ended.value.code, *capsys.readouterr()

    Path("old.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    Path("new.jsonl").write_text('{"text": "a new text", "label": "a"}\n')
    assert call("fit old.jsonl --order 2 -o model --held-out 0")[0] == 0
    assert call("classify train old.jsonl --order 2 --label-field label --held-out 0 -o classes")[0] == 0
    return call


def test_it_is_one_option_with_one_help() -> None:
    found = {
        name: parameter.get_help_record(click.Context(verb))
        for name, verb in commands()
        for parameter in verb.params
        if parameter.name == "quiet"
    }
    assert set(found) == {
        "fit",
        "score",
        "words",
        "stimuli",
        "compress",
        "decompress",
        "classify predict",
        "filter apply",
    }
    assert len(set(found.values())) == 1


@pytest.mark.parametrize(
    "command",
    [
        "score new.jsonl -m model",
        "score new.jsonl -m model --json",
        "score new.jsonl -m model -o o.csv",
        "score new.jsonl -m model --html o.html",
        "score new.jsonl --cross-fit 9",
        "score --text new -m model",
        "words --text new -m model",
        "words new.jsonl -m model",
        "words new.jsonl -m model -o o.csv",
        "stimuli new.jsonl --word text --item text -m model",
        "stimuli new.jsonl --word text --item text -m model -o o.csv --record r.json",
        "classify predict classes new.jsonl",
        "classify predict classes new.jsonl -o o.csv",
        "compress new.jsonl -m model",
        "decompress old.pofx",
        "fit new.jsonl -o fitted --save-held-out aside.jsonl",
        "fit new.jsonl -o fitted --family transformer --layers 1 --width 16 --heads 2 --epochs 1",
    ],
)
def test_a_run_without_a_warning_says_nothing(run: Run, command: str) -> None:
    Path("new.jsonl").write_text('{"text": "a new text"}\n{"text": "one more"}\n{"text": "and another"}\n')
    assert run("compress old.jsonl -o old.pofx")[0] == 0
    code, _, err = run(f"{command} --quiet")
    assert (code, err) == (0, "")


@pytest.mark.parametrize("out", ["", " -o o.csv", " --json"])
def test_what_is_said_of_the_numbers_stays(run: Run, out: str) -> None:
    Path("new.jsonl").write_text('{"text": "the cat sat"}\n{"text": 3}\n')
    code, _, err = run(f"score new.jsonl -m model{out} --quiet")
    assert code == 1
    assert all(line.startswith("pofx: warning: ") for line in err.splitlines())
    assert "the model was fitted on" in err
    assert "1 of 2 rows without a score" in err
    assert "nats" not in err
    code, _, loud = run(f"score new.jsonl -m model{out}{' --overwrite' if '-o' in out else ''}")
    assert set(err.splitlines()) < set(loud.splitlines())
    assert "log p = " in loud
