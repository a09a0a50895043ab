"""`verify` and `jobs` of a directory that somebody has tampered with: a finding or one line, never a hang or a crash."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from shard_toys import Recipe, run

from pofx.errors import BadSource
from pofx.files.json_file import seal_of
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.verify import forget_faulty, verify

COMMIT, PART, TOTALS, PLAN = (
    "commits/commit-0000001.json",
    "parts/part-0000001.parquet",
    "totals.json",
    "plan.parquet",
)


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """End a test that waits for a pipe, or reads without an end."""

    def ring(*_: Any) -> None:
        raise TimeoutError("a hostile file was read without an end")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def huge(path: Path) -> None:
    with path.open("wb") as f:
        f.truncate(1 << 40)


def deep(path: Path) -> None:
    path.write_text("[" * 200_000)


def sealed(**changes: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        record = {k: v for k, v in json.loads(path.read_text()).items() if k != "seal"} | changes
        path.write_text(json.dumps({**record, "seal": seal_of(record)}))

    write.__name__ = f"sealed {changes}"
    return write


def named(path: Path) -> None:
    for name in (b"new\nline", b"\xff\xfe", b"\x1b[31mred", b"..json", "é".encode()):
        Path(os.fsdecode(os.fsencode(path.parent) + b"/" + name)).write_text("x")
    (path.parent / "to-root").symlink_to("/")
    (path.parent / "to-itself").symlink_to("to-itself")
    path.unlink()


RECORDS = [
    sealed(rows="many"),
    sealed(rows=None),
    sealed(nats="x"),
    sealed(nats=float("nan")),
    sealed(tokens=-1),
    sealed(tokens=True),
    sealed(part=3),
    sealed(fingerprint=[1]),
    sealed(unit="1"),
    sealed(more=1),
]
FILES = [directory, pipe, endless, loop, huge, deep]


@pytest.fixture
def out(recipe: Recipe, tmp_path: Path) -> Path:
    run(recipe, tmp_path / "out", n_bytes=100)
    assert verify(tmp_path / "out") == []
    return tmp_path / "out"


@pytest.mark.parametrize("harm", [*FILES, *RECORDS, named], ids=lambda h: h.__name__)
def test_a_record(recipe: Recipe, out: Path, harm: Callable[[Path], None]) -> None:
    harm(out / COMMIT)
    found = verify(out)
    assert str(out / COMMIT) in [f.path for f in found]
    assert all(str(f.told).isprintable() for f in found)
    with suppress(BadSource):
        assert status(out).totals.units == status(out).units - 1
    if harm is not named:
        forget_faulty(out, found)
        run(recipe, out, n_bytes=100)
        assert verify(out) == []


@pytest.mark.parametrize("harm", [h for h in FILES if h is not huge], ids=lambda h: h.__name__)
def test_a_part(recipe: Recipe, out: Path, harm: Callable[[Path], None]) -> None:
    harm(out / PART)
    found = verify(out)
    assert {f.path for f in found} == {str(out / PART)}
    assert status(out).totals.units == status(out).units
    forget_faulty(out, found)
    run(recipe, out, n_bytes=100)
    assert verify(out) == []


@pytest.mark.parametrize("harm", [*FILES, sealed(rows="x"), sealed(units=[])], ids=lambda h: h.__name__)
def test_totals(out: Path, harm: Callable[[Path], None]) -> None:
    harm(out / TOTALS)
    assert {f.path for f in verify(out)} == {str(out / TOTALS)}
    assert status(out).totals.units == 3


@pytest.mark.parametrize("harm", FILES, ids=lambda h: h.__name__)
def test_a_plan(out: Path, harm: Callable[[Path], None]) -> None:
    harm(out / PLAN)
    for verb in (verify, status):
        with pytest.raises(BadSource) as caught:
            verb(out)
        assert str(caught.value).isprintable()


def test_folders_in_place_of_others(out: Path) -> None:
    shutil.rmtree(out / "commits")
    (out / "commits").write_text("a file")
    assert {f.fault for f in verify(out)} >= {"missing"}
    assert status(out).totals.units == 0
    (out / "commits").unlink()
    (out / "commits").symlink_to("/dev")
    assert {f.fault for f in verify(out)} >= {"missing"}
