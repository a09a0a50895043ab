"""--keep: a field of the input comes out with the value and the type that it had, whatever the two files are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# What a field of JSON lines held, and the type of Parquet that holds it; the types are those of the formats' own
# specifications, and "json" stands for a string that holds the value as JSON.
JSON = {
    "int": ([1, -(2**62), None], pa.int64()),
    "float": ([1.5, 1e300, None], pa.float64()),
    "mixed": ([1, 2.5, -3], pa.float64()),
    "bool": ([True, False, None], pa.bool_()),
    "string": (["1", "", "é"], pa.string()),
    "null": ([None, None, None], pa.string()),
    "ints": ([[1, None], [], None], pa.list_(pa.int64())),
    "floats": ([[1], [2.5], [None]], pa.list_(pa.float64())),
    "texts": ([["a"], [], ["b", "1"]], pa.list_(pa.string())),
    "bools": ([[True], [False], []], pa.list_(pa.bool_())),
    "object": ([{"a": [1]}, {"a": None}, None], "json"),
    "big": ([2**70, 1, 2], "json"),
    "any": ([1, "1", [1]], "json"),
    "nested": ([[[1], [2]], [[]], []], "json"),
}


@pytest.fixture
def kept(
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: Callable[[list[str]], object],
) -> Callable[[str, str, list[str]], Path]:
    monkeypatch.chdir(tmp_path)

    def score(file: str, out: str, names: list[str]) -> Path:
        flags = [flag for name in names for flag in ("--keep", name)]
        assert code(["score", file, "-m", str(model), "-o", out, "--overwrite", *flags]) == 0
        capsys.readouterr()
        return tmp_path / out

    return score


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def same(a: object, b: object) -> bool:
    """Equal and of one type: 1, 1.0 and True are three values."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def test_values_of_json(tmp_path: Path, kept: Callable[..., Path]) -> None:
    rows = [{"text": "the cat", **{n: v[k] for n, (v, _) in JSON.items()}} for k in range(3)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row, out in zip(rows, lines_of(kept("in.jsonl", "out.jsonl", list(JSON)))):
        for name in JSON:
            assert same(out[name], row[name]), name
    table = pq.read_table(kept("in.jsonl", "out.parquet", list(JSON)))
    for name, (values, kind) in JSON.items():
        found = table.column(name).to_pylist()
        if kind == "json":
            assert table.schema.field(name).type == pa.string(), name
            # A string that stands in such a column is itself.
            expected = [v if isinstance(v, str) or v is None else json.dumps(v) for v in values]
            assert found == expected, name
        else:
            assert table.schema.field(name).type == kind, name
            assert found == values, name


def test_values_of_parquet(tmp_path: Path, kept: Callable[..., Path]) -> None:
    noon = datetime(2024, 2, 29, 12, 30, 0, 123456)
    columns = {
        "i": pa.array([7, None], pa.int32()),
        "u": pa.array([2**63, 1], pa.uint64()),
        "f": pa.array([0.5, None], pa.float32()),
        "b": pa.array([True, None]),
        "s": pa.array(["1", None]),
        "d": pa.array([date(1969, 12, 31), None]),
        "t": pa.array([noon, None], pa.timestamp("us")),
        "ns": pa.array([noon, None], pa.timestamp("ns")),
        "z": pa.array([noon.replace(tzinfo=UTC), None], pa.timestamp("us", "Europe/Berlin")),
        "fine": pa.array([1, None], pa.timestamp("ns")),
        "li": pa.array([[1, 2], []], pa.list_(pa.int16())),
        "ls": pa.array([["a"], None]),
        "struct": pa.array([{"a": 1}, None]),
        "dict": pa.array(["x", "x"]).dictionary_encode(),
        "raw": pa.array([b"ab\xff", None]),
    }
    pq.write_table(pa.table({"text": ["the cat", "a cat"], **columns}), tmp_path / "in.parquet")
    first, second = lines_of(kept("in.parquet", "out.jsonl", list(columns)))
    expected = {
        "i": 7,
        "u": 2**63,
        "f": 0.5,
        "b": True,
        "s": "1",
        "d": "1969-12-31",
        "t": "2024-02-29T12:30:00.123456",
        "ns": "2024-02-29T12:30:00.123456",
        "z": "2024-02-29T12:30:00.123456+00:00",
        "fine": "1970-01-01 00:00:00.000000001",
        "li": [1, 2],
        "ls": ["a"],
        "struct": {"a": 1},
        "dict": "x",
        "raw": "ab\\xff",
    }
    assert all(same(first[name], value) for name, value in expected.items()), first
    assert all(second[n] is None for n in columns if n not in ("u", "li", "dict"))
    table = pq.read_table(kept("in.parquet", "out.parquet", list(columns)))
    types = {
        "i": pa.int64(),
        "f": pa.float64(),
        "b": pa.bool_(),
        "d": pa.date32(),
        "t": pa.timestamp("us"),
        "ns": pa.timestamp("us"),
        "z": pa.timestamp("us", "UTC"),
        "li": pa.list_(pa.int64()),
        "ls": pa.list_(pa.string()),
    }
    for name, kind in types.items():
        assert table.schema.field(name).type == kind, name
        assert table.column(name).to_pylist() == columns[name].cast(kind).to_pylist(), name
    # A second time round nothing changes.
    again = pq.read_table(kept("out.parquet", "again.parquet", list(types)))
    assert again.select(list(types)).equals(table.select(list(types)))


def test_text_of_csv_stays_text(tmp_path: Path, kept: Callable[..., Path]) -> None:
    (tmp_path / "in.csv").write_text("text,n,d\nthe cat,007,2024-01-01\na cat,1e5,\n")
    out = lines_of(kept("in.csv", "out.jsonl", ["n", "d"]))
    assert [(r["n"], r["d"]) for r in out] == [("007", "2024-01-01"), ("1e5", "")]
    table = pq.read_table(kept("in.csv", "out.parquet", ["n", "d"]))
    assert table.column("n").to_pylist() == ["007", "1e5"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    )
)
def test_any_value_of_json_comes_back(tmp_path: Path, kept: Callable[..., Path], value: object) -> None:
    row = json.dumps({"text": "the cat", "v": value})
    (tmp_path / "in.jsonl").write_text(row + "\n")
    assert same(lines_of(kept("in.jsonl", "out.jsonl", ["v"]))[0]["v"], value)
    assert pq.read_table(kept("in.jsonl", "out.parquet", ["v"])).num_rows == 1
