"""The journal of a long run keeps its rows block by block; a run that was killed goes on after the last whole block."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import Any

from pofx.arithmetic import list_differences
from pofx.errors import BadSource, not_replaced
from pofx.files import locks
from pofx.files.atomic import replaced_file
from pofx.files.journal_files import (
    START_OVER,
    JournalState,
    file_size,
    hidden_name,
    is_finished,
    new_hash,
    open_rows,
    part_of,
    passes_of,
    progress_of,
    read_stopped_run,
    record_of,
    write_progress,
)
from pofx.files.reading_tape_file import TapeFile

# Rows reach the disk at least this often; each time costs two fsyncs, some 10 ms.
SECONDS = 1.0


class Journal:
    """Three files beside a target, from which a run that was stopped goes on.

    TARGET.part has rows as lines of JSON. TARGET.progress says how many bytes of these rows count, and which run wrote the
    rows. TARGET.passes is the `tape`: the results of a model for parts of the texts whose rows come next.

    A block of rows is appended as a whole. When a run is resumed, the bytes after the last checkpoint are cut off, so a torn
    line never counts. `open_journal` makes a journal, which changes with each block. Where a disk is full or fails, the
    methods raise `BadSource`, and the rows of the last checkpoint stay.

    Attributes:
        target: The file that the run makes in the end.
        saved: The state after the last block that was appended.
        other_arithmetic: A line of text for each part in which the arithmetic of the kept rows differs from this run's.
        tape: The results of the model for parts of the texts whose rows come next.
        in_vain: Whether a stopped run had begun and kept nothing.
    """

    def __init__(
        self,
        target: Path,
        parts: Mapping[str, Any],
        arithmetic: Mapping[str, str],
        file: BufferedRandom,
        saved: JournalState,
        rows: hashlib.blake2b,
        began: bool = False,
    ) -> None:
        self.target, self._parts, self._file, self._rows = target, dict(parts), file, rows
        self._arithmetic = dict(arithmetic)
        self.other_arithmetic = list_differences(saved.arithmetic, arithmetic)
        self.saved = self._kept = saved
        self._written = time.monotonic()
        self.tape = TapeFile(passes_of(target), self._seal())

        self.in_vain = began and not self.keeps and not saved.finished

    @property
    def part(self) -> Path:
        """The file of the rows."""
        return part_of(self.target)

    @property
    def kept(self) -> JournalState:
        """The state at the last checkpoint, from which another run would go on."""
        return self._kept

    @property
    def keeps(self) -> bool:
        """Whether another run could go on from rows, or from passes over a text that has no row yet."""
        return bool(self._kept.offset or self.tape.kept or self.tape.left)

    def append(self, lines: bytes, state: Mapping[str, Any]) -> None:
        """Append one block of rows, which is on the disk within about a second.

        Args:
            lines: Whole lines of JSON.
            state: The state after the block, as plain JSON.

        Raises:
            BadSource: The disk is full or fails.
        """
        with self._on_the_disk():
            self._file.write(lines)
        self._rows.update(lines)
        # The state changes in one assignment, so an interrupt finds the state of the last block or of this block.
        self.saved = self.saved.moved(len(lines), state, self._arithmetic)
        if self.tape.kept or time.monotonic() - self._written >= SECONDS:
            self.checkpoint()
        self.tape.restart(self._seal())

    def checkpoint(self) -> None:
        """Put the rows on the disk, then count them: in the other order a power cut could leave a count of lost rows."""
        saved = self.saved
        with self._on_the_disk():
            self._file.flush()
            os.fsync(self._file.fileno())
            write_progress(self.target, record_of(self._parts, saved, self._rows.hexdigest()))
        self._kept = saved
        self.tape.flush()
        self._written = time.monotonic()

    def finish(self, write: Callable[[Path, Path], None] | None) -> None:
        """Make the target in one step, and remove the journal.

        Args:
            write: A function of the file of rows and a new file, which it fills. None where the file of rows is the target.

        Raises:
            BadSource: The disk is full or fails.
        """
        self.checkpoint()
        with self._on_the_disk():
            if write is None:
                os.replace(self.part, self.target)
            else:
                with replaced_file(self.target, hidden_name(self.target, "new")) as new:
                    write(self.part, new)
        self.discard()

    def discard(self) -> None:
        """Remove the files, so that the next run begins from the first row."""
        if locks.fcntl is None:
            self.close()  # a system without such locks, Windows, removes no file that is open
        # All files are removed while the rows are locked, since a run that waits for the lock would take the files for its
        # own. Another run may begin as soon as the rows have no name, and its first files must not be removed.
        early = passes_of(self.target), hidden_name(self.target, "progress")
        # The rows go before .progress, since .part without .progress would look like the file of another program.
        for leftover in (*early, self.part, progress_of(self.target)):
            leftover.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave the files as they are, so that another run can go on from them."""
        self.tape.close()
        with suppress(OSError):
            self._file.close()

    def _seal(self) -> str:
        # The tape of another place has other texts, and a row is computed under one arithmetic.
        found = new_hash()
        place = (self._parts, self._arithmetic, self.saved.offset, self._rows.hexdigest())
        found.update(repr(place).encode())
        return found.hexdigest()

    @contextmanager
    def _on_the_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            kept = (
                f"the rows so far are in {self.part}, and the same command goes on from there"
                if self.keeps
                else "no row was kept"
            )
            raise BadSource(
                f"{self.target}: expected room to write, got: {e.strerror or e}",
                f"make room, or choose another path; {kept}",
            ) from None


def open_journal(
    target: Path,
    parts: Mapping[str, Any],
    arithmetic: Mapping[str, str],
    state: Mapping[str, Any],
    fresh: bool,
    overwrite: bool = True,
) -> Journal:
    """Open the journal of a run: a new journal, or the journal that a stopped run of the same `parts` left.

    Of two runs that begin at once the second is refused.

    Args:
        target: The file to write in the end.
        parts: The inputs that decide the rows, as plain JSON, by the names that messages give them.
        arithmetic: The arithmetic that decides the last digits of the rows (`Arithmetic.parts`). A stopped run goes on under
            another arithmetic, too. Then `Journal.other_arithmetic` names the differences, and `JournalState.arithmetic`
            has both.
        state: The state of a run that begins, as plain JSON.
        fresh: Whether to throw away what a stopped run left.
        overwrite: Whether to replace a finished target in the end.

    Returns:
        The open journal, whose rows are locked until it is closed.

    Raises:
        BadValue: The parts differ, which the message names, or the target is finished.
        BadSource: The files are damaged, another run is writing them, or nothing can be written there.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise BadSource(f"{target}: expected a file to write, got a directory", "choose another path")
        # The lock comes first, since only the process that holds the lock may read and change the files.
        file = open_rows(target)
        try:
            if not overwrite and is_finished(target):
                raise not_replaced(target)
            began = not fresh and progress_of(target).exists()
            left = _taken_up(target, parts, file, fresh, overwrite)
            if left is None:
                passes_of(target).unlink(missing_ok=True)
                left = JournalState(0, state)
                write_progress(target, record_of(parts, left, new_hash().hexdigest()))
            rows = new_hash()
            if not left.finished:
                file.truncate(left.offset)
                file.seek(0)
                while chunk := file.read(1 << 20):
                    rows.update(chunk)
            if left.rows not in (rows.hexdigest(), None):
                raise BadSource(
                    f"{part_of(target)}: expected the rows of the stopped run, got rows that were changed since",
                    START_OVER,
                )
        except FileNotFoundError:  # another run ended in between, and removed its files
            _let_go(target, file)
            raise locks.written_by_another(target) from None
        except BaseException:  # every exception, Ctrl-C included, must release the lock
            _let_go(target, file)
            raise
        return Journal(target, parts, arithmetic, file, left, rows, began)
    except OSError as e:
        raise BadSource(
            f"{target}: expected a place to write, got: {e.strerror or e}", "choose another path"
        ) from None


def _taken_up(
    target: Path, parts: Mapping[str, Any], file: BufferedRandom, fresh: bool, overwrite: bool
) -> JournalState | None:
    """Return the state that a stopped run left; None where no rows can be kept."""
    if fresh:
        return None
    # A run writes .progress before it has rows, so rows without .progress are in a file of another program.
    if not progress_of(target).exists():
        if file_size(file):
            raise BadSource(
                f"{part_of(target)}: expected no such file, got rows without the .progress of a stopped run",
                ["move the file away", START_OVER],
            )
        return None
    return read_stopped_run(target, parts, file_size(file), overwrite)


def _let_go(target: Path, file: BufferedRandom) -> None:
    """Remove the empty file that a refused run made in order to lock it."""
    with suppress(OSError):
        if not file_size(file) and not progress_of(target).exists():
            part_of(target).unlink(missing_ok=True)
    file.close()
