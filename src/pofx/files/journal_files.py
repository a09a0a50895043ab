"""The files of a journal: their names, the record of progress, and the lock on the rows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any

from pofx.errors import Advice, BadSource, BadValue
from pofx.files.atomic import replaced_file
from pofx.files.json_file import read_object, seal_of
from pofx.files.locks import is_locked, open_locked, written_by_another

FORMAT = 3
EARLIER = (1, 2)

# A state takes a few KB; a larger file was not written by pofx.
MOST_STATE = 1 << 24
STATE = "the progress of a stopped run"
START_OVER = Advice("start over", "fresh=True", "--fresh")


@dataclass(frozen=True)
class JournalState:
    """How far a run has come.

    Attributes:
        offset: Bytes of rows that count.
        state: The state of the caller, as plain JSON.
        rows: The hash of the first `offset` bytes; None where there is no hash to compare.
        finished: Whether the target is made, so that only the files beside it are left.
        arithmetic: Each arithmetic under which rows were computed (`Arithmetic.parts`), once, in the order of the rows.
    """

    offset: int
    state: Mapping[str, Any]
    rows: str | None = None
    finished: bool = False
    arithmetic: tuple[Mapping[str, str], ...] = ()

    def moved(self, more: int, state: Mapping[str, Any], arithmetic: Mapping[str, str]) -> JournalState:
        """Return the state after `more` bytes of rows, which were computed under this arithmetic."""
        under = self.arithmetic if arithmetic in self.arithmetic else (*self.arithmetic, dict(arithmetic))
        return JournalState(self.offset + more, state, arithmetic=under)


def part_of(target: Path) -> Path:
    """Return the file of the rows."""
    return target.with_name(target.name + ".part")


def progress_of(target: Path) -> Path:
    """Return the file that says how many bytes of the rows count."""
    return target.with_name(target.name + ".progress")


def is_finished(target: Path) -> bool:
    """Return whether the target is there, and no stopped run is about to replace it, as a .progress would show."""
    return target.is_file() and not progress_of(target).exists()


def passes_of(target: Path) -> Path:
    """Return the file of the passes over texts that have no row yet."""
    return target.with_name(target.name + ".passes")


def files_beside(target: Path) -> tuple[Path, ...]:
    """Return all files that a run writes before its target."""
    return (
        part_of(target),
        progress_of(target),
        passes_of(target),
        hidden_name(target, "progress"),
        hidden_name(target, "new"),
    )


def hidden_name(target: Path, what: str) -> Path:
    """Return the name that the progress or the target has until it is whole."""
    return target.with_name(f".{target.name}.{what}")


def open_rows(target: Path) -> BufferedRandom:
    """Open the file of the rows for this process alone: two runs of one command would overwrite each other's rows.

    The lock is on the rows themselves, so that it also holds for callers that have another cache, or none.
    """
    part = part_of(target)
    try:
        file = open_locked(part)
    except BlockingIOError:
        raise written_by_another(part) from None
    # A run that ends gives its rows the name of the target, and then removes its .progress. Until then the run holds the
    # lock of its rows, which are the target now. So the lock of a new file of rows would not show the other run.
    if is_locked(target):
        with suppress(OSError):
            if not file_size(file):
                part.unlink(missing_ok=True)
        file.close()
        raise written_by_another(target)
    return file


def write_progress(target: Path, record: Mapping[str, Any]) -> None:
    """Replace .progress in one step."""
    # After each kill in the middle, `write_atomically` would leave a file of another name.
    with replaced_file(progress_of(target), hidden_name(target, "progress")) as new:
        new.write_bytes(json.dumps(record).encode("ascii") + b"\n")


def read_stopped_run(
    target: Path, parts: Mapping[str, Any], size: int, overwrite: bool = True
) -> JournalState | None:
    """Return the progress of the run that left `size` bytes of rows; None where no run can go on.

    Args:
        target: The file that the run makes in the end.
        parts: The inputs that decide the rows, as in `open_journal`.
        size: The bytes of the file of rows.
        overwrite: Whether the finished target of another run may be replaced.

    Raises:
        BadSource: The record is damaged, or has more bytes of rows than the file.
        BadValue: The run had other parts.
    """
    progress = progress_of(target)
    damaged = damaged_progress(target)
    record = read_object(progress, MOST_STATE, STATE, START_OVER, infinite=True)
    if record == {} and not size:  # earlier versions left this for a run without a checkpoint
        return None
    if record.get("format") in EARLIER:
        raise BadSource(
            f"{progress}: expected a stopped run in format {FORMAT}, got format {record['format']}, of an earlier "
            "version of pofx",
            ["finish that run with the earlier version", START_OVER],
        )
    if record.get("format") != FORMAT:
        raise damaged
    seal = record.pop("seal", None)
    was, offset, state = record.get("parts"), record.get("offset"), record.get("state")
    if not isinstance(was, dict) or not isinstance(state, dict) or type(offset) is not int or offset < 0:
        raise damaged
    under = record.get("arithmetic")
    if not isinstance(under, list) or not all(_is_arithmetic(a) for a in under):
        raise damaged
    if seal != seal_of(record):
        raise damaged
    if not offset and not passes_of(target).exists():
        return None
    made = offset > 0 == size and _was_made(target, offset)
    now = json.loads(json.dumps(parts))  # the record has its parts in this form, with lists for tuples
    differing = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    if made and overwrite and differing:
        return None  # another run has made its target, and may be about to remove this record
    if differing:
        raise _another_run(target, was, now, differing)
    if made:
        return JournalState(offset, state, finished=True, arithmetic=tuple(under))
    if offset > size:
        raise BadSource(
            f"{part_of(target)}: expected at least the {offset:,} bytes that its .progress counts, got fewer",
            START_OVER,
        )
    return JournalState(offset, state, record.get("rows"), arithmetic=tuple(under))


def _is_arithmetic(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())


def _was_made(target: Path, offset: int) -> bool:
    """Return whether a run whose rows are gone was killed after its last step: only that step takes them away."""
    try:
        found, progress = target.stat(), progress_of(target).stat()
    except FileNotFoundError:
        return False
    return found.st_size == offset or found.st_mtime_ns >= progress.st_mtime_ns


def new_hash() -> hashlib.blake2b:
    """Return a new hash, for rows and for records of progress."""
    return hashlib.blake2b(digest_size=16)


def record_of(parts: Mapping[str, Any], saved: JournalState, rows: str) -> dict[str, Any]:
    """Return the record of progress for rows whose hash is `rows`."""
    record = {
        "format": FORMAT,
        "parts": dict(parts),
        "offset": saved.offset,
        "rows": rows,
        "state": saved.state,
        "arithmetic": [dict(a) for a in saved.arithmetic],
    }
    return {**record, "seal": seal_of(record)}


def damaged_progress(target: Path) -> BadSource:
    """Return the error of a record of progress that cannot be true."""
    return BadSource(f"{progress_of(target)}: expected {STATE}, got a damaged file", START_OVER)


def _another_run(target: Path, was: Mapping[str, Any], now: Mapping[str, Any], names: list[str]) -> BadValue:
    differences = "; ".join(
        f"{name}: {_shown(was.get(name))} there, {_shown(now.get(name))} here" for name in names[:5]
    )
    more = f"; and {len(names) - 5} more" if len(names) > 5 else ""
    return BadValue(
        f"{part_of(target)}: expected the rows of the same command, got rows of another one "
        f"({differences}{more})",
        ["repeat the earlier command to finish its run", "write to another path", START_OVER],
    )


def _shown(value: Any) -> str:
    shown = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 80 else shown[:79] + "…"


def file_size(file: BufferedRandom) -> int:
    """Return the size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size
