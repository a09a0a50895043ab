"""A file or a directory that appears in one step: a reader sees the old one or the new one, whole."""

# `atomicwrites` is no longer maintained, and neither that package nor the standard library swaps directories.

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file `path` by `data` in one step, and flush the data to the disk; missing directories are made.

    Where `path` is a link, the file that the link names is replaced. A device or a pipe is written to.

    Raises:
        OSError: the directory cannot be written, or the disk is full; then no partial file is left.

    Right: `write_atomically(p, b"…")`. Wrong: the path of a log, which other programs hold open for appending.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.exists() and not path.is_file():  # to replace /dev/null by a file would harm every other program
        path.write_bytes(data)
        return
    _made_parent(path)
    # Each writer has a name of its own, so that two writers at once do not write into one file.
    with replaced_file(path, _beside(path, "part")) as part:
        part.write_bytes(data)


def _made_parent(path: Path) -> None:
    """Make the directories above; an `OSError` names `path`, which the caller knows."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        e.filename = os.fspath(path)
        raise


@contextmanager
def replaced_file(path: Path, part: Path) -> Iterator[Path]:
    """Write a file under another name; it takes the name `path`, in one step, when the block ends without an error.

    Args:
        path: the file to make or to replace.
        part: where to write, in the same directory, since a rename is atomic only within one file system.

    Yields:
        `part`, which the block makes by a plain `open`, so that it has the mode of the user's umask.

    Raises:
        OSError: the disk is full or fails, or the place takes no file. The error names `path`; `part` is removed.
    """
    try:
        yield part
        with part.open("rb+") as f:
            os.fsync(f.fileno())
        os.replace(part, path)
    except OSError as e:
        # The caller knows the name `path` only. The error of a full disk has no name, and other errors name `part`.
        if e.filename is None or os.fspath(e.filename) == os.fspath(part):
            e.filename, e.filename2 = os.fspath(path), None
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def replaced_directory(
    path: Path, mode: int = 0o777, is_kept: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Write a directory under another name; it takes the name `path`, in one step, when the block ends without an error.

    Args:
        path: the directory to make, or to replace with all that is in it.
        mode: the directory's permissions, less the user's umask.
        is_kept: a function that is called with a directory that another process has put there first; True leaves that
            directory in place.

    Yields:
        An empty directory beside `path`.

    Raises:
        OSError: the place cannot be written. The older directory is back in its place, and nothing else is left.
    """
    part, old = _beside(path, "part"), _beside(path, "old")
    try:
        part.mkdir(parents=True, mode=mode)
        yield part
        while not _is_moved(part, path):
            if is_kept is not None and is_kept(path):
                break
            shutil.rmtree(
                old, ignore_errors=True
            )  # another process was faster, and its directory is the older directory now
            with suppress(FileNotFoundError):
                path.rename(old)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)


def remove(path: Path) -> None:
    """Rename a file or a directory in one step, then delete it, so that no reader sees half a directory."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    doomed = _beside(path, "old")
    with suppress(FileNotFoundError):
        path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def is_leftover(path: Path) -> bool:
    """Return whether the name is that of a file or directory which a killed process left unfinished."""
    return path.name.startswith(".") and path.name.endswith((".part", ".old"))


def _beside(path: Path, end: str) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.{end}")


def _is_moved(part: Path, path: Path) -> bool:
    try:
        part.rename(path)
    except OSError as e:
        if e.errno in (errno.EEXIST, errno.ENOTEMPTY) and path.is_dir():
            return False
        raise
    return True
