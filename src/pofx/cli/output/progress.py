"""The progress of a long run on standard error: after each block, and after each pass inside a block."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pofx.corpus.bad_rows import BadRow
    from pofx.corpus.documents import Document

# Without a terminal: seconds to the first line, and the most seconds between two lines; the time doubles after each line.
FIRST, MOST = 3.0, 600.0


@contextmanager
def meter(files: tuple[str, ...], shown: bool) -> Iterator[SoFar]:
    """Show rows, tokens a second and, for plain files, the time left: one live line, or a few lines without a terminal."""
    from pofx.lm.reading_progress import listen_to_reading

    if not shown:
        yield SoFar(_Place(()), lambda text, share: None)
        return
    if not sys.stderr.isatty():
        so_far = SoFar(_Place(files), RareLines())
        with listen_to_reading(so_far.inside, so_far.recalled):
            yield so_far
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    place = _Place(files)
    with Progress(
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("reading", total=1.0 if place.known else None)

        def tell(text: str, share: float) -> None:
            bar.update(task, completed=share if place.known else None, description=text)

        so_far = SoFar(place, tell)
        with listen_to_reading(so_far.inside, so_far.recalled):
            yield so_far


class SoFar:
    """The state of a run. The run reports rows, blocks and passes; the state calls `tell(text, share)`."""

    def __init__(self, place: _Place, tell: Callable[[str, float], None]) -> None:
        self._place, self._tell = place, tell
        self._started = time.monotonic()
        self._tokens = self._rows = 0
        self._recalled = 0  # tokens that an earlier run has read
        self._first = self._at = 0.0
        self._first_known = False
        self._latest: Document | BadRow | None = None

    def begin(self, rows: int) -> None:
        """Note how many rows an earlier run has done."""
        self._rows, self._first_known = rows, not rows

    def read(self, first: Document | BadRow, last: Document | BadRow) -> None:
        """Note the first and the last row of a block that is about to be answered."""
        if not self._first_known:  # the first block of a resumed run is not the first block of the input
            self._first = self._at = self._place.of(first)
            self._first_known = True
        self._latest = last

    def moved(self, item: Document | BadRow, tokens: int, rows: int) -> None:
        """Note that a block is done: its last row, and its numbers of tokens and rows."""
        self._tokens += tokens
        self._rows += rows
        self._at = self._place.of(item)
        self._say(self._tokens, self._at)

    def inside(self, done: int, of: int) -> None:
        """Note how many tokens of the current block have been read after a pass."""
        self._say(self._tokens + done, self._inside(done, of))

    def recalled(self, done: int, of: int) -> None:
        """Note how many tokens of the current block an earlier run has read, at no cost to this run."""
        self._recalled = self._tokens + done
        self._first = self._inside(done, of)

    def _inside(self, done: int, of: int) -> float:
        end = self._at if self._latest is None else self._place.of(self._latest)
        return self._at + (end - self._at) * done / max(of, 1)

    def _say(self, tokens: int, at: float) -> None:
        from pofx.units import count_noun

        took = time.monotonic() - self._started
        rate = (tokens - self._recalled) / max(took, 1e-9)
        digits = 1 if rate < 10 else 0
        told = f"{count_noun(self._rows, 'row')}  {count_noun(tokens, 'token')}  {rate:,.{digits}f} tokens/s{_cores()}"
        if self._place.known and at >= 1.0:
            told += "  all read"  # the rows do not show how long the file takes to be made
        elif self._place.known and at > self._first:
            told += f"  {_clock(took * (1 - at) / (at - self._first))} left"
        self._tell(told, at)


class RareLines:
    """Progress lines for a file or a pipe, which are printed rarely."""

    def __init__(self) -> None:
        self._latest, self._wait = time.monotonic(), FIRST

    def __call__(self, text: str, share: float) -> None:
        """Print the progress as a line, where the last line is long enough ago."""
        now = time.monotonic()
        if now - self._latest >= self._wait:
            self._latest, self._wait = now, min(2 * self._wait, MOST)
            click.echo(f"pofx: so far {text}", err=True)


# Formats in which a text with line ends stands in one line, or in one row.
_A_LINE_A_ROW = (".jsonl", ".ndjson", ".json", ".parquet")


class _Place:
    """The share of plain files that lies before a row, by lines (rows of Parquet), which are counted once."""

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
        """Return the share before a row, between 0 and 1."""
        lines = item.line
        if not item.source.lower().endswith(_A_LINE_A_ROW):
            lines += getattr(item, "text", "").count("\n")
        return min((self._before.get(item.source, 0) + lines) / self._total, 1.0)


def _lines(path: str) -> int | None:
    """Count the lines of a plain file, at 2 GB a second; None for a packed file, or a pipe."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) or path.lower().endswith((".gz", ".zst", ".bz2", ".xz")):
            return None
        if path.lower().endswith(".parquet"):
            from pyarrow.parquet import read_metadata

            return int(read_metadata(path).num_rows)
        with open(path, "rb") as f:
            count, last = 0, b"\n"
            for chunk in iter(lambda: f.read(1 << 20), b""):
                count += chunk.count(b"\n")
                last = chunk[-1:]
            return count + (last != b"\n")
    except (OSError, ValueError, ImportError):
        return None  # the reading itself reports the error


def _cores() -> str:
    """Return on how many cores a neural network computes, since the estimate holds for that number."""
    torch = sys.modules.get("torch")  # no network computes where torch is not loaded
    n = 1 if torch is None else torch.get_num_threads()
    return f" on {n} core{'s' if n > 1 else ''}"


def _clock(seconds: float) -> str:
    s = round(seconds)
    return f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}" if s >= 3600 else f"{s // 60}:{s % 60:02d}"
