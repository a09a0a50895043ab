"""A directory and a store as a folder: the same calls leave the same files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pofx.errors import BadSource
from pofx.files.folders.folder import Folder
from pofx.files.folders.opening import open_folder


@pytest.fixture(params=["here", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    if request.param == "here":
        yield open_folder(tmp_path / "out")
        return
    yield open_folder("memory://folders/out/")
    system: Any = fsspec.filesystem("memory")
    if system.exists("/folders"):
        system.rm("/folders", recursive=True)


def made(folder: Folder, file: str, data: bytes) -> None:
    with folder.scratch() as scratch:
        (scratch / "made").write_bytes(data)
        folder.put_file(file, scratch / "made")


def test_files_appear_and_go(folder: Folder) -> None:
    assert (folder.top(), folder.modified(), folder.find("a")) == ([], {}, None)
    with folder.held() as alone:
        assert alone
        assert folder.put_new("plan", b"plan")
        made(folder, "parts/one", b"1")
        made(folder, "parts/two", b"22")
        folder.replace(".marks/a", b"hidden")
        folder.replace("sums", b"old")
        folder.replace("sums", b"new")
        assert folder.top() == ["parts", "plan", "sums"]
        assert list(folder.modified()) == ["parts/one", "parts/two", "plan", "sums"]
        assert min(folder.modified().values()) > 1e9
        assert folder.find("sums") == b"new"
        assert folder.find(".marks/a") == b"hidden"
        assert folder.find_all(["parts/two", "parts/three", "plan"]) == {"parts/two": b"22", "plan": b"plan"}
        assert (
            folder.sha256("parts/two") == "785f3ec7eb32f30b90cd0fcf3657d388b5ff4297f2f9716ff66e9b69c05ddd09"
        )
        assert folder.sha256("parts/three") is None
        assert folder.path("parts/two") == f"{folder.name}/parts/two"
        folder.remove("parts/one", "none", ".marks")
        assert folder.find(".marks/a") is None
        assert list(folder.modified()) == ["parts/two", "plan", "sums"]
        folder.remove("parts")
        folder.tidy()
        assert list(folder.modified()) == ["plan", "sums"]


def test_a_folder_in_which_nothing_was_written_is_not_left(folder: Folder, tmp_path: Path) -> None:
    with folder.held():
        pass
    assert folder.top() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["store"], indirect=True)
def test_a_store_replaces_no_file(folder: Folder) -> None:
    assert folder.put_new("plan", b"first")
    assert not folder.put_new("plan", b"second")
    assert folder.find("plan") == b"first"
    made(folder, "part", b"bytes")
    made(folder, "part", b"bytes")
    with pytest.raises(BadSource, match=r"out/part: expected a free name or the same bytes, got other bytes"):
        made(folder, "part", b"others")
    assert folder.find("part") == b"bytes"


@pytest.mark.parametrize("folder", ["store"], indirect=True)
def test_a_store_that_asks_first_and_writes_afterwards_is_told_of(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = type(fsspec.filesystem("memory"))
    real = system.pipe_file
    monkeypatch.setattr(system, "pipe_file", fsspec.AbstractFileSystem.pipe_file)
    with folder.held() as alone:
        assert not alone
    assert folder.top() == []
    monkeypatch.setattr(system, "pipe_file", lambda self, path, value: real(self, path, value))
    with folder.held() as alone:
        assert not alone


def test_a_folder_of_a_file_url_is_the_directory(tmp_path: Path) -> None:
    open_folder(f"file://{tmp_path}/out").replace("a", b"a")
    assert (tmp_path / "out" / "a").read_bytes() == b"a"
