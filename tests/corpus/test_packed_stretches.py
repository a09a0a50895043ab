"""Stretches of packed files: ranges of the unpacked bytes, from the last member before them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from corpus_files import PACK

from pofx.corpus.documents import documents as read_documents
from pofx.errors import BadSource
from pofx.jobs.documents import Documents, ReadOptions
from pofx.jobs.sharded.cutting import cut
from pofx.jobs.sharded.unit import Unit

PACKINGS = [p for p in PACK if p]
draw = random.Random("packed")
LINES = ["".join(draw.choices("abcdefgh é", k=draw.randrange(1, 60))).strip() or "x" for _ in range(400)]
TEXT = "".join(f"{line}\n" for line in LINES).encode()
TABLE = b"text,more\n" + b"".join(f'"{line}\n""{k}""",{k}\n'.encode() for k, line in enumerate(LINES))
FILES = {"txt": TEXT, "csv": TABLE, "jsonl": "".join(f'{{"text": "{line}"}}\n' for line in LINES).encode()}


def rows(documents: Documents) -> list[Any]:
    return [(type(i).__name__, i.id, i.line, getattr(i, "text", None), str(i)) for i in documents.items()]


def rows_of_units(documents: Documents, units: list[Unit]) -> list[Any]:
    return [r for u in units for r in rows(Documents((u.path,), documents.reading, stretch=u.stretch))]


def members(data: bytes, packing: str, size: int) -> bytes:
    """The data packed as one member a piece, which may end in the middle of a line."""
    return b"".join(PACK[packing](data[at : at + size]) for at in range(0, len(data), size))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("size", [10**6, 1500, 997])
def test_the_rows_of_all_stretches_are_the_rows_of_the_file(
    tmp_path: Path, kind: str, packing: str, size: int
) -> None:
    path = tmp_path / f"a.{kind}{packing}"
    path.write_bytes(members(FILES[kind], packing, size))
    documents = Documents((str(path),), ReadOptions(max_expansion=1e6))
    for n_bytes in (800, 1700):
        units = list(cut(documents, n_bytes))
        assert len(units) > 3
        assert rows_of_units(documents, units) == rows(documents)
        assert sum(u.bytes for u in units) == path.stat().st_size
        assert len({u.content for u in units}) == 1
        begin = [(u.stretch.packed, u.stretch.unpacked) for u in units if u.stretch is not None]
        assert begin[0] == (0, 0)
        assert (len(set(begin)) == 1) == (size == 10**6)
        # A unit drops less than a member and the block of lines in which the member begins.
        assert all(
            0 <= u.stretch.start - u.stretch.unpacked < max(size, n_bytes) * 40 for u in units if u.stretch
        )


def test_a_unit_does_not_read_the_members_before_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(members(TEXT * 5, ".gz", 4000))
    units = list(cut(Documents((str(path),)), 8000))
    last = units[-1]
    assert last.stretch is not None
    assert last.stretch.packed > path.stat().st_size // 2
    data = bytearray(path.read_bytes())
    data[: last.stretch.packed] = bytes(last.stretch.packed)  # no member begins with zero bytes
    path.write_bytes(bytes(data))
    assert len(rows(Documents((str(path),), stretch=last.stretch))) > 10


def test_what_is_dropped_is_at_most_64_times_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(
        PACK[".gz"]("".join(f"a line of text{draw.random():.5f}\n" for _ in range(25_000)).encode())
    )
    units = list(cut(Documents((str(path),)), 2000))
    found = [u.stretch for u in units if u.stretch is not None]
    assert found[-1].stop == 550_000
    assert all(s.stop - s.start >= s.start // 64 for s in found[:-1])
    assert 64 < len(found) < 220  # 275 units of 2,000 bytes would drop 75 MB


def test_a_small_packed_file_is_one_unit_and_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(b"no gzip")
    (unit,) = cut(Documents((str(path),)), 7)
    assert unit.stretch is None


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_that_breaks_off_has_a_last_unit_with_the_fault(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"a.txt{packing}"
    whole = members(TEXT, packing, 3000)
    path.write_bytes(whole[:-10])
    documents = Documents((str(path),))
    *units, last = cut(documents, 1000)
    assert len(units) > 2
    good = rows_of_units(documents, units)
    assert [r[3] for r in good] == LINES[: len(good)]
    assert len(good) > 200
    with pytest.raises(BadSource, match="breaks off"):
        rows_of_units(documents, [last])


def test_a_plain_file_with_a_row_that_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"short\n" * 100 + b"x" * 5000 + b"\nshort\n")
    documents = Documents((str(path),), ReadOptions(max_document=1000))
    *units, last = cut(documents, 50)
    last.check_input()
    assert sum(u.bytes for u in [*units, last]) == path.stat().st_size
    with pytest.raises(BadSource, match="at most 1,000 bytes"):
        rows_of_units(documents, [last])


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_a_unit_of_an_edited_file_is_refused(tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"a.txt{packing}"
    path.write_bytes(PACK[packing](TEXT))
    units = list(cut(Documents((str(path),)), 1000))
    path.write_bytes(PACK[packing](TEXT))  # another date, the same bytes
    for unit in units:
        unit.check_input()
    path.write_bytes(PACK[packing](TEXT.replace(b"a", b"b")))
    with pytest.raises(BadSource, match="edited since"):
        units[0].check_input()


def test_zero_bytes_between_members_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(
        PACK[".gz"](b"") + bytes(100_000) + PACK[".gz"](b"a\n") + bytes(7) + PACK[".gz"](b"b\n") + bytes(9)
    )
    assert list(read_documents(path)) == ["a", "b"]
