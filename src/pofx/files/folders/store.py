"""A prefix of an object store as a folder: files appear whole by the store's own promise, and no file is replaced."""

from __future__ import annotations

import errno
import hashlib
import inspect
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.filesystem import filesystem_of, store_errors
from pofx.files.folders.folder import Folder, is_hidden, sha256_of

_CHUNK = 1 << 20
# Places that fsspec only reads, or writes by one commit a file, which is too slow for the files of a job.
_READ_ONLY = {
    "http": "a place of the web, which is only read",
    "https": "a place of the web, which is only read",
    "hf": "a repository of the Hugging Face Hub, where each file is a commit",
}
# A bucket answers some hundred requests at once; fsspec itself sends so many of them together.
_BATCH = 1000


class StoreFolder(Folder):
    """A prefix of an object store that fsspec reaches.

    A store has no rename and no lock. Put-if-absent takes the place of both: of two runs that write one file, the first
    wins, and the second finds the same bytes.

    Args:
        url: The prefix as a URL.

    Raises:
        BadSource: fsspec knows no such protocol, or its library refuses the URL.
        MissingExtra: The protocol needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        self._system, path = filesystem_of(self.name)
        self._top = path.rstrip("/")

    def _at(self, file: str) -> str:
        return f"{self._top}/{file}"

    def check(self) -> None:
        """List the prefix."""
        self._check_writable()
        try:
            self._listing()
        except OSError as e:
            raise self._refused(e) from None

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Try the store; yields whether the store has put-if-absent, without which only one run at a time is safe."""
        self._check_writable()
        try:
            once = self._puts_once()
        except OSError as e:
            raise self._refused(e) from None
        yield once

    def _check_writable(self) -> None:
        protocol, _, rest = self.name.partition("://")
        found = _READ_ONLY.get(protocol.lower())
        if found and not rest.startswith("buckets/"):  # the Hub also has buckets, whose files are no commits
            raise BadSource(
                f"{self.name}: expected a store that can be written, got {found}",
                "write to a local directory, and copy it",
            )

    def _refused(self, e: OSError) -> BadSource:
        return BadSource(
            f"{self.name}: expected a store that can be written, got: {e.strerror or e}",
            "check the bucket, the credentials and the address of the store",
        )

    def _puts_once(self) -> bool:
        """Return whether a second put-if-absent of one name is refused by the store itself."""
        system = self._system
        method = getattr(type(system), "_pipe_file", None) or type(system).pipe_file
        # The method that every system of fsspec inherits asks first and writes afterwards.
        known = "mode" in inspect.signature(method).parameters and not method.__module__.startswith(
            ("fsspec.spec", "fsspec.asyn")
        )
        probe = f".probe-{secrets.token_hex(8)}"
        with suppress(FileExistsError), store_errors():  # a repeated request may meet its own first one
            self._create(probe, b"")
        try:
            try:
                with store_errors():
                    self._system.pipe_file(self._at(probe), b"", mode="create")
            except FileExistsError:
                return known
            except (OSError, TypeError):
                return False
            return False
        finally:
            self.remove(probe)

    def _is_taken(self, at: str) -> bool:
        """Return whether the store has an object now; fsspec would answer from an older listing."""
        self._system.invalidate_cache()
        return bool(self._system.exists(at))

    def _create(self, file: str, data: bytes | Path) -> None:
        """Write a file whose name is free; `FileExistsError` for a name that is taken."""
        at = self._at(file)
        try:
            if isinstance(data, Path):
                self._system.put_file(str(data), at, mode="create")
            else:
                self._system.pipe_file(at, data, mode="create")
        except FileExistsError:
            raise
        except (OSError, TypeError, NotImplementedError) as e:
            if isinstance(e, OSError) and e.errno != errno.ENOSYS:
                # Another run may have won in the same moment, and a repeated request may meet its own first one.
                if not isinstance(e, FileNotFoundError | PermissionError) and self._is_taken(at):
                    raise FileExistsError(errno.EEXIST, "the name is taken", at) from None
                raise
            if self._is_taken(at):
                raise FileExistsError(errno.EEXIST, "the name is taken", at) from None
            self._overwrite(at, data)

    def _overwrite(self, at: str, data: bytes | Path) -> None:
        try:
            if isinstance(data, Path):
                self._system.put_file(str(data), at)
            else:
                self._system.pipe_file(at, data)
        except NotImplementedError:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS)) from None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a directory for temporary files of this machine."""
        with tempfile.TemporaryDirectory(prefix="pofx-unit-") as temporary:
            yield Path(temporary)

    def find(self, file: str) -> bytes | None:
        """Return the content of a file; None where there is no such file."""
        self._system.invalidate_cache()
        try:
            with store_errors():
                return bytes(self._system.cat_file(self._at(file)))
        except FileNotFoundError:
            return None

    def find_all(self, files: Iterable[str]) -> dict[str, bytes]:
        """Return the content of those of the files that exist; one listing, and then many requests at once."""
        there = self._listing()
        wanted = [file for file in files if self._at(file) in there]
        out: dict[str, bytes] = {}
        for k in range(0, len(wanted), _BATCH):
            batch = wanted[k : k + _BATCH]
            with store_errors():
                found = self._system.cat([self._at(file) for file in batch])
            out |= {file: bytes(found[self._at(file)]) for file in batch}
        return out

    def sha256(self, file: str) -> str | None:
        """Return the SHA-256 of a file in hexadecimal; None where there is no such file. The file is fetched."""
        code = hashlib.sha256()
        try:
            with store_errors(), self._system.open(self._at(file), "rb") as f:
                while data := f.read(_CHUNK):
                    code.update(data)
        except FileNotFoundError:
            return None
        return code.hexdigest()

    def fetch(self, file: str, into: Path) -> Path:
        """Copy a file into a directory of this machine."""
        made = into / file.replace("/", "-")
        with store_errors():
            self._system.get_file(self._at(file), str(made))
        return made

    def put_new(self, file: str, data: bytes) -> bool:
        """Put a file if its name is free; return whether the name was free."""
        try:
            with store_errors():
                self._create(file, data)
        except FileExistsError:
            return False
        return True

    def put_file(self, file: str, made: Path) -> None:
        """Put a file if its name is free, or has the same bytes."""
        try:
            with store_errors():
                self._create(file, made)
        except FileExistsError:
            if self.sha256(file) != sha256_of(made):
                raise BadSource(
                    f"{self.path(file)}: expected a free name or the same bytes, got other bytes",
                    ["remove the file", f"run pofx verify {self.name}/ --redo"],
                ) from None

    def replace(self, file: str, data: bytes) -> None:
        """Put a file in place of an older one."""
        with store_errors():
            self._overwrite(self._at(file), data)

    def remove(self, *names: str) -> None:
        """Remove files, and prefixes with all that is below them."""
        self._system.invalidate_cache()
        for name in names:
            with suppress(FileNotFoundError), store_errors():
                doomed = self._system.find(self._at(name))
                if doomed:
                    self._system.rm(doomed)

    def top(self) -> list[str]:
        """Return the names directly below the prefix, sorted, without hidden names."""
        return sorted({name.split("/")[0] for name in self.modified()})

    def modified(self) -> dict[str, float]:
        """Return each file below the prefix with the time of its last change, seconds since 1970."""
        there = self._listing()
        return {at.removeprefix(f"{self._top}/"): _time(there[at]) for at in sorted(there)}

    def tidy(self) -> None:
        """Do nothing: no run leaves unfinished files in a store."""

    def _listing(self) -> dict[str, Any]:
        """Return the files below the prefix by their path in the store, as the store lists them now; no hidden names."""
        self._system.invalidate_cache()
        with store_errors():
            found = self._system.find(self._top, detail=True)
        # A store may list the object that has the very name of the prefix.
        start = f"{self._top}/"
        return {at: i for at, i in found.items() if at.startswith(start) and not is_hidden(at[len(start) :])}


def _time(info: dict[str, Any]) -> float:
    """Return the time of the last change in a listing; 0 where the store does not say."""
    found = next(
        (info[n] for n in ("LastModified", "mtime", "updated", "last_modified", "created") if info.get(n)), 0
    )
    if isinstance(found, str):
        found = datetime.fromisoformat(found.replace("Z", "+00:00"))
    return found.timestamp() if isinstance(found, datetime) else float(found)
