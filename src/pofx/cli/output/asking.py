"""The progress of an audit of a server on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

# Without a terminal: seconds to the first line, and the most seconds between two lines; the time doubles after each line.
FIRST, MOST = 3.0, 60.0


@contextmanager
def asking_progress(what: str) -> Iterator[None]:
    """Show how many requests a server has answered: one live line, or a few lines without a terminal."""
    from pofx.models.outside.asking_progress import listen_to_asking
    from pofx.units import count_noun

    requests = tokens = 0
    started = latest = time.monotonic()
    wait = FIRST

    def told() -> str:
        took = time.monotonic() - started
        return f"{count_noun(requests, 'request')}  {count_noun(tokens, 'token')} sent  {took:,.0f} s"

    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(f"{what} …") as status:

            def live(sent: int) -> None:
                nonlocal requests, tokens
                requests, tokens = requests + 1, tokens + sent
                status.update(f"{what} …  {told()}")

            with listen_to_asking(live):
                yield
        return

    def rarely(sent: int) -> None:
        nonlocal requests, tokens, latest, wait
        requests, tokens = requests + 1, tokens + sent
        now = time.monotonic()
        if now - latest >= wait:
            latest, wait = now, min(2 * wait, MOST)
            click.echo(f"pofx: {what}: so far {told()}", err=True)

    with listen_to_asking(rarely):
        yield
