"""A file or a directory appears in one step, and nothing is left behind where it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pofx.files.atomic import replaced_directory, replaced_file, write_atomically

FAULTS = (OSError(28, "No space left on device"), KeyboardInterrupt())


@pytest.mark.parametrize("fault", FAULTS, ids=["full", "interrupt"])
@pytest.mark.parametrize("older", [True, False])
def test_a_fault_leaves_what_was_there(fault: BaseException, older: bool, tmp_path: Path) -> None:
    file, folder = tmp_path / "a", tmp_path / "b"
    if older:
        file.write_text("older")
        folder.mkdir()
        (folder / "x").write_text("older")

    def half_a_file() -> None:
        with replaced_file(file, tmp_path / ".a.new") as part:
            part.write_text("half")
            raise fault

    def half_a_directory() -> None:
        with replaced_directory(folder) as new:
            (new / "x").write_text("half")
            raise fault

    for write in (half_a_file, half_a_directory):
        with pytest.raises(type(fault)):
            write()
    assert sorted(p.name for p in tmp_path.iterdir()) == (["a", "b"] if older else [])
    if older:
        assert file.read_text() == (folder / "x").read_text() == "older"


def test_the_new_one_takes_the_place_of_the_older_and_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    file, folder = tmp_path / "made" / "a", tmp_path / "b"
    folder.mkdir()
    (folder / "old").touch()
    mask = os.umask(0o027)
    try:
        write_atomically(file, b"new")
        with replaced_directory(folder) as new:
            (new / "x").touch()
    finally:
        os.umask(mask)
    assert file.read_bytes() == b"new"
    assert [p.name for p in folder.iterdir()] == ["x"]
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o640, 0o750)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "made"]


@pytest.mark.parametrize("is_kept", [True, False])
def test_of_two_that_write_one_directory_at_once_one_whole_one_stays(is_kept: bool, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    with replaced_directory(folder, is_kept=lambda _: is_kept) as slow:
        (slow / "slow").touch()
        with replaced_directory(folder) as fast:
            (fast / "fast").touch()
    assert [p.name for p in folder.iterdir()] == ["fast" if is_kept else "slow"]
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("place", ["/proc/mine", "/proc/none/mine"])
def test_a_place_that_takes_no_file_is_named_as_the_caller_named_it(place: str) -> None:
    with pytest.raises(OSError, match=place) as e:
        write_atomically(Path(place), b"data")
    assert (e.value.filename, e.value.filename2) == (place, None)


def test_write_atomically_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "disk full")

    monkeypatch.setattr("pofx.files.atomic.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
