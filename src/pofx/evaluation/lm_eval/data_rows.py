"""The rows of a task's data files: local JSON, as an array, in a field of an object, or an object a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pofx.errors import BadSource
from pofx.evaluation.lm_eval.local_file import read_local
from pofx.files.urls import is_url

Row = dict[str, Any]
MOST_BYTES = 1 << 28  # of a data file, which is read whole


def read_rows(paths: Sequence[str], field: str | None) -> list[Row]:
    """Return the rows of all files of a split, each with every field of the split; an absent field is None.

    A field with whole numbers in some rows and other numbers in others has floats in all rows, as in a table of Arrow.

    Args:
        paths: The files. A relative path is one of the working directory.
        field: The field of an object that holds the array of rows; None for a file of rows.

    Raises:
        BadSource: A path is a URL, a file cannot be read, or a row is no object.
    """
    rows = [row for path in paths for row in _read(path, field)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        kinds = {type(row[name]) for row in rows if row.get(name) is not None}
        for row in rows if kinds == {int, float} else ():
            row[name] = None if row.get(name) is None else float(row[name])
    return [{name: row.get(name) for name in names} for row in rows]


def _read(path: str, field: str | None) -> list[Row]:
    if is_url(path):
        raise BadSource(
            f"{path}: expected a file on this machine, got a URL", "download the file, and name the copy"
        )
    away = "start pofx in the directory that the task's path begins in, or write an absolute path"
    raw = read_local(path, MOST_BYTES, "a data file", "name a .json or .jsonl file", away)
    if len(raw) > MOST_BYTES:
        raise BadSource(
            f"{path}: expected at most {MOST_BYTES >> 20} MiB, got more", "evaluate a part of the rows"
        )
    try:
        found = _parsed(raw.decode("utf-8-sig"), field)
    except (ValueError, RecursionError) as e:
        raise BadSource(
            f"{path}: expected JSON rows, an object a line or an array, got: {' '.join(str(e).split()):.200}",
            "mend the file",
        ) from None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadSource(f"{path}: expected rows that are JSON objects, got {found!r:.60}", "mend the file")
    return found


def _parsed(text: str, field: str | None) -> Any:
    if field is not None:
        whole = json.loads(text)
        return whole.get(field) if isinstance(whole, dict) else whole
    if text.lstrip()[:1] == "[":
        return json.loads(text)
    # No other separator of str.splitlines: a string of JSON may hold U+2028.
    return [json.loads(line) for line in text.split("\n") if line.strip()]
