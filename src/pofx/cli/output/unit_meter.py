"""The progress of a job of units on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from pofx.cli.output.progress import RareLines

if TYPE_CHECKING:
    from pofx.jobs.sharded.running import ShardsStart, UnitDone
    from pofx.jobs.sharded.workers import UnitFailed


class UnitMeter:
    """The counts of a run; the run hands in its events."""

    def __init__(self, tell: Callable[[str, float], None], quiet: bool = False) -> None:
        self._tell, self._quiet, self._started = tell, quiet, time.monotonic()
        self._units = self._bytes = self._done = self._done_bytes = self._tokens = self._earlier = 0

    def stage(self, told: str) -> None:
        """Say what the run does after its units."""
        self._tell(told, 1.0)

    def note(self, event: ShardsStart | UnitDone | UnitFailed) -> None:
        """Count an event, and say how far the run is."""
        from pofx.jobs.sharded.running import ShardsStart, UnitDone
        from pofx.units import count_noun

        if isinstance(event, ShardsStart):
            self._units, self._bytes = event.units, event.bytes
            self._done, self._done_bytes = event.done, event.done_bytes
            self._earlier = event.done_bytes
            if not event.alone:
                click.echo(
                    "pofx: warning: the store has no put-if-absent; start no second run of this job before this one ends",
                    err=True,
                )
            if event.done and not self._quiet:
                click.echo(
                    f"pofx: going on after {event.done:,} of {count_noun(event.units, 'unit')} (--fresh starts over)",
                    err=True,
                )
        elif isinstance(event, UnitDone):
            self._done += 1
            self._done_bytes += event.unit.bytes
            self._tokens += event.commit.tokens
        took = max(time.monotonic() - self._started, 1e-9)
        told = f"{self._done:,} of {count_noun(self._units, 'unit')}"
        if self._tokens:
            told += f"  {count_noun(self._tokens, 'token')}  {self._tokens / took:,.0f} tokens/s"
            left = took * (self._bytes - self._done_bytes) / max(self._done_bytes - self._earlier, 1)
            told += f"  {round(left) // 60}:{round(left) % 60:02d} left"
        self._tell(told, self._done_bytes / max(self._bytes, 1))


@contextmanager
def unit_meter(shown: bool) -> Iterator[UnitMeter]:
    """Show units, tokens a second and the time left: one live line, or a few lines without a terminal."""
    if not shown:
        yield UnitMeter(lambda text, share: None, quiet=True)
    elif not sys.stderr.isatty():
        yield UnitMeter(RareLines())
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}")
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("cutting", total=1.0)
            yield UnitMeter(lambda text, share: bar.update(task, completed=share, description=text))
