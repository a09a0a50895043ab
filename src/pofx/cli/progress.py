"""How far a long run has come, on standard error, where a person is looking."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pofx.corpus import BadRow, Document

# Called with the latest row (None: no place known), and how many tokens and rows have come since the last call.
Moved = Callable[["Document | BadRow | None", int, int], None]


@contextmanager
def meter(files: tuple[str, ...], shown: bool) -> Iterator[Moved]:
    """A line with rows, tokens a second and, for plain files, the time that is left; nothing where stderr is no terminal."""
    if not shown or not sys.stderr.isatty():
        yield lambda item, tokens, rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    place = _Place(files)
    started = time.monotonic()
    tokens_done = rows_done = 0
    first: float | None = None
    with Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("reading", total=1.0 if place.known else None)

        def moved(item: Document | BadRow | None, tokens: int, rows: int) -> None:
            nonlocal tokens_done, rows_done, first
            tokens_done, rows_done = tokens_done + tokens, rows_done + rows
            if item is None:
                return
            at = place.of(item)
            if first is None:
                first = 0.0 if rows_done == rows else at  # a run that is taken up again begins where it was
            took = time.monotonic() - started
            told = f"{rows_done:,} rows  {tokens_done / max(took, 1e-9):,.0f} tokens/s{_cores()}"
            if place.known and at > first:
                told += f"  {_clock(took * (1 - at) / (at - first))} left"
            bar.update(task, completed=at if place.known else None, description=told)

        yield moved


class _Place:
    """What share of plain files lies before a row: by lines (rows of Parquet), counted once."""

    def __init__(self, files: tuple[str, ...]) -> None:
        counts = [_lines(f) for f in files]
        self.known = all(c is not None for c in counts)
        self._before: dict[str, int] = {}
        total = 0
        for f, count in zip(files, counts):
            self._before[f] = total
            total += count or 0
        self._total = max(total, 1)

    def of(self, item: Document | BadRow) -> float:
        """Between 0 and 1."""
        return min((self._before.get(item.source, 0) + item.line) / self._total, 1.0)


def _lines(path: str) -> int | None:
    """How many lines a plain file has, at 2 GB a second; None for what is packed, or cannot be read twice."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) or path.lower().endswith((".gz", ".zst")):
            return None
        if path.lower().endswith(".parquet"):
            from pyarrow.parquet import read_metadata

            return int(read_metadata(path).num_rows)
        with open(path, "rb") as f:
            return 1 + sum(chunk.count(b"\n") for chunk in iter(lambda: f.read(1 << 20), b""))
    except (OSError, ValueError, ImportError):
        return None  # the reading itself will say what is wrong


def _cores() -> str:
    """How many a neural network computes on: the estimate holds for so many."""
    torch = sys.modules.get("torch")  # where it is not loaded, no network is at work
    n = 1 if torch is None else torch.get_num_threads()
    return f" on {n} core{'s' if n > 1 else ''}"


def _clock(seconds: float) -> str:
    s = round(seconds)
    return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}" if s >= 3600 else f"{s // 60}:{s % 60:02d}"
