"""The ends of records: those that Python's csv finds, for every short text and any blocks."""

from __future__ import annotations

import csv
import io
import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pofx.corpus.row_ends import RecordEnds, line_ends


def ends_by_csv(data: bytes, delimiter: str) -> list[int]:
    """The end of each record that csv reads, by the lines it asks for; a fault ends with the line that shows it."""
    at, out = 0, []
    complete = True

    def lines() -> Iterator[str]:
        nonlocal at
        for line in io.BytesIO(data):
            at += len(line)
            yield line.decode("utf-8", "surrogateescape")

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        before = at
        try:
            next(reader)
        except StopIteration:
            return out
        except csv.Error as e:
            complete = "end of data" not in str(e)
        if at > before and complete:
            out.append(at)
        if not complete:
            return out


def ends(data: bytes, delimiter: str, cuts: list[int]) -> list[int]:
    """The ends that `RecordEnds` finds, block by block."""
    find, out = RecordEnds(delimiter), []
    for a, b in itertools.pairwise([0, *cuts, len(data)]):
        out += [a + int(e) for e in find(data[a:b])]
    return out


def check(data: bytes, delimiter: str = ",") -> None:
    # Without a line break at its end, csv ends the last record at the end of the data; nobody cuts there.
    data += b"" if data.endswith(b"\n") else b"\n"
    wanted = ends_by_csv(data, delimiter)
    lines = [int(e) for e in line_ends(data)][:-1]
    for cuts in ([], lines):
        assert ends(data, delimiter, cuts) == wanted, (data, delimiter, cuts)


@pytest.mark.parametrize("n", [*range(5), pytest.param(5, marks=pytest.mark.thorough)])
def test_every_short_table(n: int) -> None:
    for text in itertools.product(b'a,"\n\r', repeat=n):
        check(bytes(text))


@pytest.mark.parametrize("delimiter", [",", "\t", ";", " ", "§"])
def test_random_tables(delimiter: str) -> None:
    draw = random.Random(f"records {delimiter}")
    parts = [
        b"a",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\0",
        b'"',
        b'""',
        b'"\n"',
        b"\r\n",
        b"\n",
        b"\r",
        delimiter.encode(),
    ]
    parts += [b'"' + delimiter.encode(), delimiter.encode() + b'"', b'"x\ny"' + delimiter.encode()]
    for _ in range(150):
        check(b"x" + b"".join(draw.choices(parts, k=draw.randrange(40))), delimiter)


def test_what_csv_writes_takes_no_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    cells = ["a", "", 'say "x"', "two\nlines", "a,b", '"', '\r\n"', "\n\n"]
    rows = [draw.choices(cells, k=3) for _ in range(500)]

    class Sink(list[bytes]):
        def write(self, text: str) -> None:
            self.append(text.encode())

    sink = Sink()
    csv.writer(sink).writerows(rows)
    data = b"".join(sink)
    wanted = np.cumsum([len(s) for s in sink]).tolist()

    def refuse(*_: Any) -> Any:
        raise AssertionError("csv was asked")

    monkeypatch.setattr(RecordEnds, "_read", refuse)
    assert ends(data, ",", []) == wanted


def test_a_mark_at_the_beginning_is_no_part_of_a_cell() -> None:
    data = b'\xef\xbb\xbf"a\nb",c\nd,e\n'
    assert ends(data, ",", []) == [11, 15]
