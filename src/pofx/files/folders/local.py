"""A directory of this machine as a folder: files are renamed into place, and a lock keeps a second run out."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from pofx.errors import BadSource
from pofx.files.atomic import replaced_file, write_atomically
from pofx.files.folders.folder import Folder, is_hidden, sha256_of
from pofx.files.locks import open_locked

_LOCK = ".lock"
# No file that is read as a whole is larger: a plan has some 50 bytes a unit.
_MOST = 1 << 30


def _no_file(path: Path, found: str) -> BadSource:
    return BadSource(
        f"{str(path)!r}: expected a file of a job, got {found}", "remove it, and run the job again"
    )


class LocalFolder(Folder):
    """A directory.

    Attributes:
        directory: The directory, which need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = str(directory)

    def local(self, file: str) -> Path:
        """Return the path of a file."""
        return self.directory / file

    def path(self, file: str) -> str:
        """Return the path of a file as text."""
        return str(self.local(file))

    def check(self) -> None:
        """Do nothing: `held` tells of a directory what there is to tell."""

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Lock the directory for one run, and make it where it is missing; yields True."""
        directory = self.directory
        if directory.exists() and not directory.is_dir():
            raise BadSource(f"{directory}: expected a directory, got a file", "name another directory")
        made = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
        try:
            with self.lock():
                yield True
        finally:
            # What is refused leaves nothing. Hidden files are of a filter's first pass, which is continued.
            if made and directory.is_dir() and set(os.listdir(directory)) <= {_LOCK}:
                shutil.rmtree(directory, ignore_errors=True)

    def lock(self) -> IO[bytes]:
        """Return the lock of the directory, which closing releases.

        Raises:
            BadSource: Another run has the lock.
        """
        try:
            return open_locked(self.local(_LOCK))
        except BlockingIOError:
            raise BadSource(
                f"{self.directory}: expected a directory that no other run writes to, got one in use",
                "wait for the other run, or name another directory",
            ) from None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a hidden directory inside, since a rename is atomic only within one file system."""
        with TemporaryDirectory(prefix=".unit-", dir=self.directory) as temporary:
            yield Path(temporary)

    def find(self, file: str) -> bytes | None:
        """Return the content of a file; None where there is no such file."""
        path = self._regular(file)
        if path is None:
            return None
        size = path.stat().st_size
        if size > _MOST:
            raise _no_file(path, f"{size:,} bytes")
        return path.read_bytes()

    def _regular(self, file: str) -> Path | None:
        """Return the path of a file; None where there is no such file.

        Raises:
            BadSource: Something else has the name: to read from a pipe or a device may never end.
        """
        path = self.local(file)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise _no_file(path, f"a link that leads nowhere ({e.strerror})") from None
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
            raise _no_file(path, kind)
        return path

    def find_all(self, files: Iterable[str]) -> dict[str, bytes]:
        """Return the content of those of the files that exist."""
        return {file: data for file in files if (data := self.find(file)) is not None}

    def sha256(self, file: str) -> str | None:
        """Return the SHA-256 of a file in hexadecimal; None where there is no such file."""
        path = self._regular(file)
        return None if path is None else sha256_of(path)

    def fetch(self, file: str, into: Path) -> Path:
        """Return the file itself."""
        return self.local(file)

    def put_new(self, file: str, data: bytes) -> bool:
        """Write a file in one step, and return True; the run that holds the lock replaces a file of the same name."""
        self.replace(file, data)
        return True

    def put_file(self, file: str, made: Path) -> None:
        """Flush a file to the disk, and rename it."""
        path = self.local(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(path, made):
            pass

    def replace(self, file: str, data: bytes) -> None:
        """Write a file in one step, in place of an older one."""
        write_atomically(self.local(file), data)

    def remove(self, *names: str) -> None:
        """Remove files, and directories with all that is in them."""
        for path in (self.directory / name for name in names):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def top(self) -> list[str]:
        """Return the names in the directory, sorted, without hidden names."""
        try:
            return sorted(n for n in os.listdir(self.directory) if not n.startswith("."))
        except FileNotFoundError:
            return []

    def modified(self) -> dict[str, float]:
        """Return each file below the directory with the time of its last change, seconds since 1970."""
        found = (p for p in self.directory.rglob("[!.]*") if p.is_file())
        files = {p.relative_to(self.directory).as_posix(): p.stat().st_mtime for p in found}
        return {name: files[name] for name in sorted(files) if not is_hidden(name)}

    def tidy(self) -> None:
        """Remove what workers that were killed left, and the lock."""
        for leftover in self.directory.glob(".unit-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for hidden in self.directory.rglob(".*.part"):
            with suppress(OSError):
                hidden.unlink()
        (self.directory / _LOCK).unlink(missing_ok=True)
