"""Kept fields whose later values have another kind than the first rows: a value of a wider kind, or a clear bad row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shard_toys import Recipe, run

from pofx.jobs.documents import Documents
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded import plan

# The first values, a later value, the type of the column, and the later value as written; an error in place of the value.
LATER: dict[str, tuple[list[Any], Any, pa.DataType, Any]] = {
    "float after int": (
        [1, 2],
        2.5,
        pa.int64(),
        "expected int in field 'k', as in the first rows of the input, got float",
    ),
    "int after float": ([1.5, 2.0], 2, pa.float64(), 2.0),
    "int after both": ([1, 2.5], 7, pa.float64(), 7.0),
    "null after int": ([1, 2], None, pa.int64(), None),
    "int after null": ([None, None], 3, pa.string(), "3"),
    "text after null": ([None, None], "a", pa.string(), "a"),
    "object after null": ([None, None], {"a": [1]}, pa.string(), '{"a": [1]}'),
    "text after int": (
        [1, 2],
        "a",
        pa.int64(),
        "expected int in field 'k', as in the first rows of the input, got text",
    ),
    "int after text": (
        ["a", "b"],
        1,
        pa.string(),
        "expected text in field 'k', as in the first rows of the input, got int",
    ),
    "bool after int": (
        [1, 2],
        True,
        pa.int64(),
        "expected int in field 'k', as in the first rows of the input, got bool",
    ),
    "large after int": (
        [1, 2],
        2**70,
        pa.int64(),
        "expected int in field 'k', as in the first rows of the input, got any",
    ),
    "object after int": (
        [1, 2],
        {"a": 1},
        pa.int64(),
        "expected int in field 'k', as in the first rows of the input, got any",
    ),
    "list after int": (
        [1, 2],
        [1],
        pa.int64(),
        "expected int in field 'k', as in the first rows of the input, got ints",
    ),
    "int after object": ([{"a": 1}, {}], 1, pa.string(), "1"),
    "anything after mixed": ([1, "a"], [None], pa.string(), "[null]"),
    "floats after ints": (
        [[1], [2]],
        [2.5],
        pa.list_(pa.int64()),
        "expected ints in field 'k', as in the first rows of the input, got floats",
    ),
    "empty after ints": ([[1], [2]], [], pa.list_(pa.int64()), []),
    "nulls after ints": ([[1], [2]], [None], pa.list_(pa.int64()), [None]),
}


@pytest.mark.parametrize("name", LATER)
def test_a_later_value_of_another_kind(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    first, later, kind, expected = LATER[name]
    monkeypatch.setattr(plan, "LOOK", len(first))
    corpus = tmp_path / "kept.jsonl"
    corpus.write_text("".join(json.dumps({"text": "cat", "k": k}) + "\n" for k in (*first, later)))
    kept = Recipe(recipe.model, Documents((str(corpus),), keep=("k",)), ScoreRows(keep=("k",)))
    _, ended = run(kept, tmp_path / "out", n_bytes=1, max_error_rate=1)
    assert ended.failed == ()
    parts = [pq.read_table(p) for p in sorted((tmp_path / "out" / "parts").glob("*.parquet"))]
    assert all(p.schema.field("k").type == kind for p in parts)
    found = [value for p in parts for value in p["k"].to_pylist()]
    if isinstance(expected, str) and expected.startswith("expected "):
        assert len(found) == len(first)
        (errors,) = (tmp_path / "out" / "errors").iterdir()
        assert expected in errors.read_text()
    else:
        assert found[len(first) :] == [expected]
        assert ended.totals.errors == 0
