"""A tape in a file: a run that was killed in the middle of a text goes on from there."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path

import numpy as np

from pofx.files.reading_tape import Arrays

# Seconds between two writes of stretches to the disk; a text that takes less time is never written.
SECONDS = 1.0
_DIGEST = 16
_SIZE = 8
_BROKEN = (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile)


class TapeFile:
    """A file of stretches, which begins with a seal: a text that names their place in a run.

    Under another seal the stretches do not count. Each stretch has its hash, so a damaged stretch ends the tape. Where the
    disk is full, the tape ends, and the run goes on. The caller has locked the run.
    """

    def __init__(self, path: Path, seal: str) -> None:
        self.path, self._seal = path, seal
        self._file: BufferedRandom | None = None
        self._waiting: list[bytes] = []
        self._latest = time.monotonic()
        self._failed = False
        self.left = self._opened()
        self.kept = 0

    def recall(self, key: str) -> Arrays | None:
        """Do as `Tape` says."""
        if not self.left or self._file is None:
            return None
        at = self._file.tell()
        found = _arrays(self._next(), key)
        if found is None:  # the run asks another question than before, so no later stretch will fit
            self.left = 0
            self._file.seek(at)
            self._file.truncate()
            return None
        self.left -= 1
        self.kept += 1
        return found

    def record(self, key: str, found: Arrays) -> None:
        """Do as `Tape` says; the stretch is on the disk within a second or so."""
        if self._failed:
            return
        out = io.BytesIO()
        np.savez(out, **found)  # type: ignore[arg-type]
        self._waiting.append(_sealed(bytes.fromhex(key) + out.getvalue()))
        if time.monotonic() - self._latest >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the recorded stretches to the disk."""
        if not self._waiting or self._failed:
            return
        try:
            if self._file is None:
                self._file = self.path.open("w+b")
                self._file.write(_sealed(self._seal.encode("ascii")))
            self._file.write(b"".join(self._waiting))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.kept += len(self._waiting)
        except OSError:  # the disk is full, which the next write of rows reports
            self._failed = True
        self._waiting, self._latest = [], time.monotonic()

    def restart(self, seal: str) -> None:
        """Drop all stretches, and begin under another seal: the run has come to another place."""
        self.discard()
        self._seal, self._waiting, self._failed = seal, [], False
        self.left = self.kept = 0

    def discard(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self.close()
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the file as it is."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def _opened(self) -> int:
        """Open the file, and return how many stretches it has under the seal; a file without stretches is removed."""
        try:
            self._file = self.path.open("r+b")
        except OSError:
            return 0
        count = 0
        if self._next() == self._seal.encode("ascii"):
            begin = end = self._file.tell()
            while self._next() is not None:
                count += 1
                end = self._file.tell()
            self._file.truncate(end)
            self._file.seek(begin)
        if not count:
            self.discard()
        return count

    def _next(self) -> bytes | None:
        """Return the next whole record, None where there is none."""
        assert self._file is not None  # noqa: S101  (ours)
        head = self._file.read(_SIZE + _DIGEST)
        size = int.from_bytes(head[:_SIZE], "little")
        if len(head) < _SIZE + _DIGEST or size > os.fstat(self._file.fileno()).st_size:
            return None
        body = self._file.read(size)
        return body if len(body) == size and _sealed(body).startswith(head) else None


def _sealed(body: bytes) -> bytes:
    digest = hashlib.blake2b(body, digest_size=_DIGEST).digest()
    return len(body).to_bytes(_SIZE, "little") + digest + body


def _arrays(body: bytes | None, key: str) -> Arrays | None:
    if body is None or body[:_DIGEST] != bytes.fromhex(key):
        return None
    try:
        with np.load(io.BytesIO(body[_DIGEST:]), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except _BROKEN:
        return None
