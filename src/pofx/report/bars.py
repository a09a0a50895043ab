"""The progress bars of pofx: a line of rich on a terminal, HTML in a notebook, nothing elsewhere."""

from __future__ import annotations

import html
import sys
from typing import Any, Protocol


class Bar(Protocol):
    """The methods of a progress bar that pofx calls, which a bar of tqdm has, too."""

    def update(self, n: int) -> object:
        """Move on by n steps."""

    def close(self) -> object:
        """End the bar."""


def default_bar(total: int | None, desc: str) -> Bar:
    """Return the bar that suits the place where Python runs.

    Args:
        total: The number of steps; None where it is not known.
        desc: The name of the stage.
    """
    if in_notebook():
        return NotebookBar(total, desc)
    return TerminalBar(total, desc) if sys.stderr.isatty() else NoBar()


def in_notebook() -> bool:
    """Return whether a kernel of Jupyter runs this process."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class NoBar:
    """A bar that shows nothing, such as where standard error is a file."""

    def update(self, n: int) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class TerminalBar:
    """A line on standard error, which vanishes at its end."""

    def __init__(self, total: int | None, desc: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        columns = (
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description} {task.fields[note]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._progress.start()
        self._task = self._progress.add_task(desc, total=total, note="")

    def set_postfix_str(self, note: str) -> None:
        """Show a few words after the name of the stage."""
        self._progress.update(self._task, note=note)

    def update(self, n: int) -> None:
        """Move on by n steps."""
        self._progress.update(self._task, advance=n)

    def close(self) -> None:
        """Remove the line."""
        self._progress.stop()


class NotebookBar:
    """A bar of HTML under the cell, which vanishes at its end, and is drawn again at each per cent, not at each step."""

    def __init__(self, total: int | None, desc: str) -> None:
        from IPython.display import HTML, display

        self._html: Any = HTML
        self._total, self._desc, self._note, self._at, self._shown = total, desc, "", 0, -1
        self._handle: Any = display(HTML(self._drawn()), display_id=True)

    def set_postfix_str(self, note: str) -> None:
        """Show a few words after the name of the stage, with the next step."""
        self._note = note

    def update(self, n: int) -> None:
        """Move on by n steps."""
        self._at += n
        percent = 100 * self._at // (self._total or 1)
        if percent != self._shown:
            self._shown = percent
            self._handle.update(self._html(self._drawn()))

    def close(self) -> None:
        """Remove the bar."""
        self._handle.update(self._html(""))

    def _drawn(self) -> str:
        value = "" if self._total is None else f' max="{self._total}" value="{self._at}"'
        words = html.escape(f"{self._desc} {self._note}".strip())
        return f"<label><progress{value}></progress> {words}</label>"
