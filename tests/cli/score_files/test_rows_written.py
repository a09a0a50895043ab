"""Journals, formats and columns of rows."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import Ran
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows_on_disk import LINES

import pofx
from pofx.cli.main import main
from pofx.corpus.writing import Column, common_kind, encode_row, kind_of_value, target_of, target_writer
from pofx.errors import BadSource, PofxError
from pofx.files.journal import Journal, open_journal
from pofx.files.journal_files import part_of, progress_of
from pofx.lm.fingerprint import file_fingerprint, model_fingerprint
from pofx.queries.scoring.score import Scored
from pofx.queries.scoring.stream import block_bytes, score_stream
from pofx.transforms.deterministic import deterministic
from toy import ToyLM

# ---------------------------------------------------------------------------------------------------- streaming


def texts_of(block: Sequence[tuple[Any, Scored | PofxError]]) -> list[Any]:
    return [item for item, _ in block]


MANY = [f"{line} {i}" for i in range(100) for line in LINES]  # 800 lines, 8 blocks


# ------------------------------------------------------------------------------------------------ journal and files


def test_a_journal_counts_only_what_was_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.files.journal.SECONDS", 1e9)
    target = tmp_path / "o.jsonl"
    journal = open_journal(target, {"a": 1}, {}, {"n": 0}, fresh=False)
    journal.append(b"1\n", {"n": 1})
    journal.checkpoint()
    journal.append(b"2\n", {"n": 2})
    journal.close()
    again = open_journal(target, {"a": 1}, {}, {"n": 0}, fresh=False)
    assert (again.saved.state, again.saved.offset) == ({"n": 1}, 2)
    again.append(b"two\n", {"n": 2})
    again.finish(None)
    assert target.read_bytes() == b"1\ntwo\n"
    assert [p.name for p in tmp_path.iterdir()] == ["o.jsonl"]


def test_a_file_that_cannot_be_made_leaves_the_rows(tmp_path: Path) -> None:
    target = tmp_path / "o.csv"
    journal: Journal = open_journal(target, {}, {}, {}, fresh=False)
    journal.append(b"1\n", {"n": 1})

    def fails(rows: Path, new: Path) -> None:
        new.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(BadSource, match="No space .* are in .*o.csv.part"):
        journal.finish(fails)
    journal.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["o.csv.part", "o.csv.progress"]
    again = open_journal(target, {}, {}, {}, fresh=False)
    again.close()
    assert again.saved.state == {"n": 1}
    assert (part_of(target).name, progress_of(target).name) == ("o.csv.part", "o.csv.progress")


def test_row_groups_depend_on_the_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.corpus.writing.GROUP_ROWS", 10)
    monkeypatch.setattr("pofx.corpus.writing.GROUP_BYTES", 400)
    rows = tmp_path / "rows"
    values = [{"a": "x" * (i % 7) * 10, "n": i} for i in range(57)]
    rows.write_bytes(b"".join(map(encode_row, values)))
    make = target_writer(target_of(tmp_path / "o.parquet"), [Column("a", "text"), Column("n", "int")], {})
    assert make is not None
    make(rows, tmp_path / "o.parquet")
    file = pq.ParquetFile(tmp_path / "o.parquet")
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(sizes) == 57
    assert max(sizes) <= 10
    assert min(sizes[:-1]) < 10
    assert file.read().to_pylist() == values


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path: Path, texts: list[str]) -> None:
    rows = tmp_path / "rows"
    rows.write_bytes(b"".join(encode_row({"id": str(k), "text": t}) for k, t in enumerate(texts)))
    for name in ("o.csv", "o.tsv.gz", "o.parquet"):
        make = target_writer(target_of(tmp_path / name), [Column("id", "text"), Column("text", "text")], {})
        assert make is not None
        make(rows, tmp_path / name)
        found = [(d.id, d.text) for d in pofx.records(tmp_path / name, id="id")]
        assert found == [(str(k), t) for k, t in enumerate(texts)], name


def test_lines_are_strict_json() -> None:
    row = {
        "a": math.nan,
        "b": [math.inf, (1, -math.inf)],
        "c": {"d": math.nan},
        "e": "\udc80é",
        "f": np.float64(2),
    }
    data = encode_row(row).decode()
    assert data == '{"a": null, "b": ["inf", [1, "-inf"]], "c": {"d": null}, "e": "\\\\udc80é", "f": 2.0}\n'
    assert json.loads(encode_row({"a": b"ab\xff"})) == {
        "a": "ab\\xff"
    }  # the text of bytes, as in the column of texts


def test_kinds_of_kept_columns() -> None:
    for values, kind in (
        ([], "text"),
        ([None], "text"),
        (["a", None], "text"),
        ([1, None, -5], "int"),
        ([1, 2.5], "float"),
        ([True, False], "bool"),
        ([True, 1], "any"),
        (["a", 1], "any"),
        ([2**63], "any"),
        ([[1], []], "ints"),
        ([[], None], "texts"),
        ([[1], [2.5, None]], "floats"),
        ([["a"], ["b", "c"]], "texts"),
        ([[True]], "bools"),
        ([[1, "a"]], "any"),
        ([[1], ["a"]], "any"),
        ([[], 1], "any"),
        ([[[1]]], "any"),
        ([{"a": 1}], "any"),
    ):
        assert common_kind([kind_of_value(v) for v in values]) == kind, values


def test_fingerprints(models: Path, tmp_path: Path) -> None:
    whole = pofx.load(models / "whole")
    parts = model_fingerprint(whole, "w")
    assert parts["model"] == whole.fingerprint or "w"
    assert (parts["x0"], parts["EOS"], parts["dtype"]) == ("<s> (trained), id 257", "id 256", "float64")
    assert model_fingerprint(pofx.load(models / "no_end"), "w")["EOS"] == "none"
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"x" * 100)
    b.write_bytes(b"x" * 99 + b"y")
    assert file_fingerprint(a).startswith("100 bytes, blake2b ")
    assert file_fingerprint(a) != file_fingerprint(b)
    b.write_bytes(b"x" * 100)
    assert file_fingerprint(a) == file_fingerprint(b)
    with pytest.raises(BadSource, match="expected a readable file"):
        file_fingerprint(tmp_path)


# ------------------------------------------------------------------------------------------------------- progress


def test_progress_where_a_person_looks(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    Path("a.txt").write_text("\n".join(MANY) + "\n")
    for extra in ([], ["--quiet"]):
        screen = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", screen)
            with pytest.raises(SystemExit):
                main(["score", "a.txt", "-o", "o.csv", "--overwrite", *extra])
        shown = screen.getvalue()
        assert ("tokens/s" in shown) == (not extra)
        assert (" left" in shown or "all read" in shown) == (not extra)
        assert ("on 1 core" in shown or "cores" in shown) == (not extra)
    assert "tokens/s" not in run("a.txt", "-o", "o.csv").err


def test_blocks_of_a_larger_model_are_smaller() -> None:
    """Of the model's size alone: 5 s of 80 GFLOP/s, two operations a product, four bytes a token."""
    lm = ToyLM()
    sizes = []
    for lm.work in (0, 10**5, 135 * 10**6, 10**9, 10**12):
        sizes.append(block_bytes(lm))
        n = 30 if sizes[-1] < 1000 else 2500  # more than a block, of texts of 30 bytes
        found = [sum(map(len, texts_of(b))) for b in score_stream(lm, ["abc" * 10] * n, lambda t: (t, ""))]
        assert sum(found) == 30 * n
        assert len(found) > 1
        assert max(found) <= sizes[-1]
    assert sizes == [1 << 16, 1 << 16, 5925, 800, 256]
    for put_around in (deterministic, lambda lm: pofx.given(lm, "a")):
        assert put_around(lm).work == lm.work  # type: ignore[no-untyped-call]
