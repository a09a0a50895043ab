"""Large objects of a store as the input of a job: units are ranges, whose rows are those of the local file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store_toys import Door  # isort: skip  (finds the modules below)

from pofx.errors import BadSource
from pofx.jobs.documents import Documents
from pofx.jobs.sharded.cutting import cut

pytestmark = pytest.mark.stores
LINES = [f"row {k} of the file" for k in range(300)]
TEXT = "".join(f"{line}\n" for line in LINES).encode()


def rows(documents: Documents) -> list[tuple[int, str]]:
    return [(i.line, getattr(i, "text", "")) for i in documents.items()]


def parquet(path: Path) -> bytes:
    pq.write_table(pa.table({"text": LINES}), path, row_group_size=25)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.txt.gz", "a.parquet"])
def test_the_units_of_an_object_are_those_of_the_file(door: Door, tmp_path: Path, name: str) -> None:
    data = {
        "a.txt": TEXT,
        "a.csv": b"text\n" + "".join(f'"{line}\nand more"\n' for line in LINES).encode(),
        "a.txt.gz": gzip.compress(TEXT[:3000], 1) + gzip.compress(TEXT[3000:], 1),
        "a.parquet": parquet(tmp_path / "b.parquet"),
    }[name]
    (tmp_path / name).write_bytes(data)
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe_file(f"bucket/{name}", data)
    here = list(cut(Documents((str(tmp_path / name),)), 500))
    there = list(cut(Documents((f"s3://bucket/{name}",)), 500))
    assert [(u.stretch, u.bytes) for u in there] == [(u.stretch, u.bytes) for u in here]
    assert len(there) > 3
    found = [r for u in there for r in rows(Documents((u.path,), stretch=u.stretch))]
    assert found == rows(Documents((str(tmp_path / name),)))
    there[1].check_input()
    system.pipe_file(f"bucket/{name}", data + b" ")
    with pytest.raises(BadSource, match="edited since"):
        there[1].check_input()


def test_a_unit_asks_for_its_own_range(door: Door) -> None:
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    size = 40 << 20
    with system.open("bucket/large.txt", "wb") as f:
        for _ in range(size // 64):
            f.write(b"x" * 63 + b"\n")
    *_, last = cut(Documents(("s3://bucket/large.txt",)), 8 << 20)
    door.seen.clear()
    first = next(iter(Documents((last.path,), stretch=last.stretch).items()))
    assert first.line == (32 << 20) // 64 + 1
    asked = [r.headers["Range"] for r in door.seen if r.method == "GET" and "Range" in r.headers]
    assert asked
    assert all(int(a.removeprefix("bytes=").split("-")[0]) >= 32 << 20 for a in asked)


def test_a_small_object_is_one_unit_and_is_not_read(door: Door) -> None:
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe_file("bucket/a.txt", TEXT)
    door.seen.clear()
    (unit,) = cut(Documents(("s3://bucket/a.txt",)), len(TEXT))
    assert unit.stretch is None
    assert not [r for r in door.seen if r.method == "GET" and "a.txt" in r.path]
