"""Ids that several rows have are told, once, after the last row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pofx.cli.output.notices import print_notice
from pofx.corpus.documents import Document
from pofx.jobs.repeated_ids import RepeatedIds


def rows_of(*ids: str) -> list[Document]:
    return [Document("a", i, "in.jsonl", n) for n, i in enumerate(ids, 1)]


def warned(capsys: pytest.CaptureFixture[str], ids: list[str], most: int = 100) -> str:
    assert [d.id for d in RepeatedIds(most).watch(iter(rows_of(*ids)), print_notice)] == ids
    return capsys.readouterr().err


def test_ids_that_rows_share_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert warned(capsys, ["a", "b", "c"]) == ""
    one = warned(capsys, ["a", "b", "a"])
    assert "id 'a' stands at in.jsonl:1 and in.jsonl:3;" in one
    assert one.count("\n") == 1
    more = warned(capsys, ["a", "b", "b", "a", "b"])
    assert "id 'b' stands at in.jsonl:2 and in.jsonl:3, and 2 more rows repeat an id;" in more
    assert "1 more row repeats an id" in warned(capsys, ["a", "a", "a"])


def test_memory_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    told = warned(capsys, ["a", "b", "c", "c", "a"], most=2)
    assert "id 'a' stands at in.jsonl:1 and in.jsonl:5" in told
    assert "the first 2 different ids only" in told


def test_a_run_names_them(
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: Callable[[list[str]], object],
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": "the cat", "key": k} for k in ("x", "y", "x")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for more in (["-o", "out.jsonl"], []):
        assert code(["score", "in.jsonl", "--id", "key", "-m", str(model), *more]) == 0
        assert "id 'x' stands at in.jsonl:1 and in.jsonl:3;" in capsys.readouterr().err
    assert code(["score", "in.jsonl", "-m", str(model)]) == 0
    assert "stands at" not in capsys.readouterr().err
    assert code(["score", "in.jsonl", "in.jsonl", "-m", str(model)]) == 0
    assert "id 'in.jsonl:1' stands at in.jsonl:1 and in.jsonl:1, and 2 more rows" in capsys.readouterr().err
