"""The rows of a long run, kept as they come: whoever is killed goes on after the last whole block."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any

from pofx.errors import BadSource, BadValue

FORMAT = 1
# Rows reach the disk at least this often; each time costs two fsyncs, some 10 ms.
SECONDS = 1.0
# A state is a few KB; what is larger was not written here.
MOST_STATE = 1 << 24


@dataclass(frozen=True)
class Saved:
    """How far a run has come: `offset` bytes of rows, and what its caller wants to know again (plain JSON)."""

    offset: int
    state: Mapping[str, Any]


class Journal:
    """TARGET.part, rows as lines of JSON, and TARGET.progress, how many of its bytes count and what they are of.

    A block of rows is appended as a whole. What stands in the file behind the last checkpoint is cut off when the
    run is taken up again, so a torn line never counts. Not a record: it is written to; made by `opened`.
    """

    def __init__(self, target: Path, parts: Mapping[str, Any], file: BufferedRandom, saved: Saved) -> None:
        self.target, self._parts, self._file = target, dict(parts), file
        self.saved = saved
        self._written = time.monotonic()

    @property
    def part(self) -> Path:
        """The rows."""
        return part_of(self.target)

    def append(self, lines: bytes, state: Mapping[str, Any]) -> None:
        """One block of whole lines, and the state behind it; on the disk within a second or so."""
        self._file.write(lines)
        # One assignment: an interrupt finds the state of the last block or of this one.
        self.saved = Saved(self.saved.offset + len(lines), state)
        if time.monotonic() - self._written >= SECONDS:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Put what was appended on the disk, then say so: in that order, or a power cut could promise lost rows."""
        saved = self.saved
        self._file.flush()
        os.fsync(self._file.fileno())
        record = {"format": FORMAT, "parts": self._parts, "offset": saved.offset, "state": saved.state}
        _replace_progress(self.target, record)
        self._written = time.monotonic()

    def finish(self, write: Callable[[Path, Path], None] | None) -> None:
        """Make TARGET in one step. write(rows, new) makes the file `new` of the rows; None: they are the file."""
        self.checkpoint()
        if write is None:
            os.replace(self.part, self.target)
        else:
            new = _beside(self.target, "new")
            try:
                write(self.part, new)
                with new.open("rb") as f:
                    os.fsync(f.fileno())
                os.replace(new, self.target)
            finally:
                new.unlink(missing_ok=True)
        self.discard()

    def discard(self) -> None:
        """Take the files away: there is nothing to go on with."""
        self.close()
        # The rows first: .progress without .part is nobody's, .part without .progress would be somebody else's.
        for leftover in (self.part, progress_of(self.target), _beside(self.target, "progress")):
            leftover.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the files as they are, for another run to take up."""
        with suppress(OSError):
            self._file.close()


def part_of(target: Path) -> Path:
    """Where the rows are kept."""
    return target.with_name(target.name + ".part")


def progress_of(target: Path) -> Path:
    """Where it is kept how far they count."""
    return target.with_name(target.name + ".progress")


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")


def _replace_progress(target: Path, record: Mapping[str, Any]) -> None:
    # Not cache.write_atomically: a kill in the middle would leave a file of another name each time.
    new = _beside(target, "progress")
    with new.open("wb") as f:
        f.write(json.dumps(record).encode("ascii") + b"\n")
        f.flush()
        os.fsync(f.fileno())
    os.replace(new, progress_of(target))


def opened(target: Path, parts: Mapping[str, Any], state: Mapping[str, Any], fresh: bool) -> Journal:
    """The journal of a run: a new one, or the one that a stopped run left, if it was of the same `parts`.

    parts: whatever decides the rows, by the name that a message should give it, as plain JSON. state: that of a
    run that begins. fresh: throw away what was left. `BadValue` names the parts that differ; `BadSource` where
    the files are damaged, another run is writing them, or nothing can be written there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise BadSource(f"{target}: expected a file to write, found a directory; choose another")
        existed = part_of(target).exists()
        # A new run claims the name before it has rows, so a .part without .progress is somebody else's file.
        if existed and not fresh and not progress_of(target).exists():
            raise BadSource(
                f"{part_of(target)}: expected no such file, or one that a stopped run left with its .progress, found "
                "one without; move it away, or start over: --fresh"
            )
        if not existed:
            _replace_progress(target, {})
        file = _exclusive(target)
        try:
            left = _left(target, parts) if existed and not fresh else None
            if left is None:
                _replace_progress(target, {})
                left = Saved(0, state)
            file.truncate(left.offset)
            file.seek(left.offset)
        except BaseException:
            file.close()
            raise
        return Journal(target, parts, file, left)
    except OSError as e:
        raise BadSource(
            f"{target}: expected a place to write, found: {e.strerror or e}; choose another"
        ) from None


def _left(target: Path, parts: Mapping[str, Any]) -> Saved | None:
    progress = progress_of(target)
    damaged = BadSource(
        f"{progress}: expected how far a stopped run came, found a damaged file; start over: --fresh"
    )
    try:
        if progress.stat().st_size > MOST_STATE:
            raise damaged
        record = json.loads(progress.read_bytes())
    except (ValueError, RecursionError):
        raise damaged from None
    if record == {}:  # stopped before its first checkpoint
        return None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise damaged
    was, offset, state = record.get("parts"), record.get("offset"), record.get("state")
    if not isinstance(was, dict) or not isinstance(state, dict) or type(offset) is not int or offset < 0:
        raise damaged
    _check_same(target, was, parts)
    if offset > part_of(target).stat().st_size:
        raise BadSource(
            f"{part_of(target)}: expected at least the {offset:,} bytes that its .progress counts, found fewer; "
            "start over: --fresh"
        )
    return Saved(offset, state)


def _check_same(target: Path, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    plain = json.loads(json.dumps(now))
    names = [name for name in {**was, **plain} if was.get(name) != plain.get(name)]
    if names:
        told = "; ".join(
            f"{name}: {_shown(was.get(name))} there, {_shown(plain.get(name))} here" for name in names[:5]
        )
        more = f"; and {len(names) - 5} more" if len(names) > 5 else ""
        raise BadValue(
            f"{part_of(target)}: expected the rows of this very run, to go on with them, found those of another "
            f"({told}{more}); run that one again to finish it, write elsewhere, or start over: --fresh"
        )


def _shown(value: Any) -> str:
    shown = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _exclusive(target: Path) -> BufferedRandom:
    """The rows' file, for this process alone: two runs of one command would write through each other."""
    part = part_of(target)
    part.touch()
    file = part.open("r+b")
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise BadSource(
            f"{part}: expected to write it alone, found another run that is writing it; wait for it, or write elsewhere"
        ) from None
    return file
