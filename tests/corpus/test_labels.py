"""What is a label, and what is none: in y of the estimator, and in the fields of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pofx.cli.main import main
from pofx.corpus.readers.labels import label_of, labels_of
from pofx.errors import BadValue

pytest.importorskip("sklearn")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NAN = float("nan")
# Eight texts of two classes, one of them without a label; a byte 3-gram tells the classes apart.
TEXTS = ["aaaa", "aaab", "aaba", "bbbb", "bbba", "bbab", "abaa", "bbbb a"]
NUMBERS: list[Any] = [1, 1, 1, 2, 2, 2, None, 2]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (None, None),
        ("", None),
        (NAN, None),
        (np.float64("nan"), None),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (10**30, str(10**30)),
        (float("inf"), "inf"),
        (Decimal("1.00"), "1"),
        (Decimal("1.50"), "1.5"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E+2"), "100"),
        (True, "true"),
        (False, "false"),
        ("nan", "nan"),
        ("1.0", "1.0"),
    ],
)
def test_values_as_labels(value: object, label: str | None) -> None:
    assert label_of(value) == label


@pytest.mark.parametrize(
    ("cells", "known", "labels"),
    [
        (["1", "1.0", "2", ""], (), ["1", "1", "2", None]),
        (["1", "1.0", "2", "x"], (), ["1", "1.0", "2", "x"]),  # one word makes all of them words
        (["1.0", "2.50", "nan", "NaN", ""], (), ["1", "2.5", None, None, None]),
        (["nan", "deu", "nan"], (), ["nan", "deu", "nan"]),  # a language
        (["nan", ""], (), ["nan", None]),  # no number among them
        (["007", "7", "7.0"], (), ["007", "7", "7.0"]),  # a code: no number of JSON
        (["1e3", "1000", "1000.0", "-0", "0.0"], (), ["1000", "1000", "1000", "0", "0"]),
        (["+1", "1"], (), ["+1", "1"]),
        (["1_000", "1"], (), ["1_000", "1"]),
        (["١", "1.0"], (), ["١", "1.0"]),  # a digit, but none of JSON
        ([1, 1.0, "1", "1.0"], (), ["1", "1", "1", "1"]),
        (["1", "1.0"], ("1.0", "x"), ["1", "1.0"]),  # as a column of texts has named its classes
        (["1.0", "2", "other"], ("1", "2"), ["1", "2", "other"]),
        (["1.0", "nan"], ("1", "nan"), ["1", "nan"]),
        (["9" * 999 + "0", "9" * 999 + "0.0"], (), ["9" * 999 + "0", "inf"]),  # as numbers of JSON are read
        ([], (), []),
    ],
    ids=repr,
)
def test_cells_of_a_column(cells: list[Any], known: Any, labels: list[str | None]) -> None:
    assert labels_of(cells, known) == labels


class NAType:
    """Like pandas' NA: neither true nor false."""

    def __repr__(self) -> str:
        return "<NA>"  # without an address, which differs between processes that must name tests alike

    def __ne__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize(
    ("y", "classes", "places"),
    [
        (["a", "b", NAN], ["a", "b"], [0, 1, -1]),
        (np.array(["a", "b", NAN], dtype=object), ["a", "b"], [0, 1, -1]),
        (np.array(["a", "b", NAType()], dtype=object), ["a", "b"], [0, 1, -1]),
        (["a", "b", None], ["a", "b"], [0, 1, -1]),
        ([1.0, 2.0, NAN], [1, 2], [0, 1, -1]),
        (np.array([1.0, 2.0, NAN]), [1, 2], [0, 1, -1]),
        (np.array([1.0, 2.0, -1.0]), [1, 2], [0, 1, -1]),
        ([0, 1, -1], [0, 1], [0, 1, -1]),
        ([1, 1.0, 2, None], [1, 2], [0, 0, 1, -1]),
        ([1, 1.0, "x", None], ["1", "x"], [0, 0, 1, -1]),
    ],
    ids=repr,
)
def test_y_without_some_labels(y: Any, classes: list[Any], places: list[int]) -> None:
    from pofx.classification.labels import places as found

    there, at = found(y, None, partial=True)
    assert there.tolist() == classes
    assert at.tolist() == places
    if None in y or NAN in y or any(t != t for t in y if type(t) is not NAType):
        with pytest.raises(BadValue, match="em=20"):
            found(y, None, partial=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


def as_jsonl(path: Path, labels: list[Any]) -> Path:
    rows = [{"text": t, "y": NAN if y is None else float(y)} for t, y in zip(TEXTS, labels)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def as_parquet(path: Path, labels: list[Any]) -> Path:
    doubles = [NAN if y is None else float(y) for y in labels]
    pq.write_table(pa.table({"text": TEXTS, "y": pa.array(doubles, pa.float64())}), path)
    return path


def as_csv(path: Path, labels: list[Any]) -> Path:
    """As a table of numbers is written where some are missing: 1.0, 2.0 and nothing; here one is written as 1 and one as nan."""
    cells = ["nan" if y is None else f"{float(y)}" for y in labels]
    path.write_text("text,y\n" + "".join(f"{t},{c}\n" for t, c in zip(TEXTS, ["1", *cells[1:]])) + "aab,\n")
    return path


@pytest.mark.parametrize(
    ("name", "write"), [("a.jsonl", as_jsonl), ("a.parquet", as_parquet), ("a.csv", as_csv)]
)
@pytest.mark.parametrize("em", ["0", "2"])
def test_nan_is_no_class_of_a_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    write: Callable[[Path, list[Any]], Path],
    em: str,
) -> None:
    """Labels of floats, as a column of integers becomes where a value is missing: 1, 2, and none. Never "1.0" or "nan"."""
    train = write(tmp_path / name, NUMBERS)
    how = ["--order", "3", "--held-out", "0", "--em", em]
    code, _, err = run(
        capsys, "classify", "train", str(train), "--label-field", "y", "-o", str(tmp_path / "m"), *how
    )
    assert code == 0, err
    left_out = "2 documents" if name == "a.csv" else "1 document"
    assert (f"{left_out} without a label left out" in err) == (em == "0")
    whole = tmp_path / "whole.jsonl"
    whole.write_text(
        "".join(json.dumps({"text": t, "y": 1 if "b" not in t else 2}) + "\n" for t in TEXTS[:1])
    )
    code, out, err = run(
        capsys, "classify", "evaluate", str(tmp_path / "m"), str(whole), "--label-field", "y", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["classes"] == ["1", "2"]
    assert json.loads(out)["documents"] == 1


def test_fasttext_lines_need_no_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.txt"
    file.write_text("".join(f"__label__{'b' if t[0] == 'b' else 'a'} {t}\n" for t in TEXTS))
    code, _, err = run(capsys, "classify", "train", str(file), "-o", str(tmp_path / "m"))
    assert code == 2  # neither a label nor a format was said
    how = ["--format", "fasttext", "--order", "3", "--held-out", "0"]
    code, _, err = run(capsys, "classify", "train", str(file), "-o", str(tmp_path / "m"), *how)
    assert code == 0, err
    code, out, err = run(
        capsys, "classify", "evaluate", str(tmp_path / "m"), str(file), "--format", "fasttext", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["classes"] == ["a", "b"]
    assert json.loads(out)["documents"] == len(TEXTS)
    file.write_text("__label__a __label__b two\n")
    code, _, err = run(capsys, "classify", "train", str(file), "-o", str(tmp_path / "n"), *how)
    assert (code, err.count("\n")) == (2, 1)
    assert "got 2 labels" in err
