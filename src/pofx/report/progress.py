"""The progress of a slow call as a bar of tqdm, of a similar library, or of pofx."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from pofx.errors import BadValue
from pofx.lm.reading_progress import listen_to_reading
from pofx.report.bars import default_bar

STEPS = 1000


class ProgressBar:
    """A bar for `progress=` of `fit`, `load`, `compress`, `decompress` and `corpus_report`; in a `with`, for any query.

    Args:
        bar: The callable that makes a bar: `tqdm.auto.tqdm`, or any other that takes `total=` and `desc=`, and returns an
            object with `update(n)` and `close()`. None: a line of rich on a terminal, HTML in a notebook, else nothing.

    Raises:
        BadValue: `bar` cannot be called.

    Right: `fit(texts, TransformerSpec(), progress=ProgressBar())`; `with ProgressBar(tqdm): score(lm, texts)`. Wrong:
    `score(lm, texts, progress=ProgressBar())`, since `score` has no `progress`.
    """

    def __init__(self, bar: Callable[..., Any] | None = None) -> None:
        if bar is not None and not callable(bar):
            raise BadValue(
                f"expected a callable such as tqdm, got {type(bar).__name__}",
                "pass the class of the bar, not one of its bars",
                argument="bar",
            )
        self._make = bar or default_bar
        self._bar: Any = None
        self._stage = ""
        self._at = 0
        self._listening = ExitStack()

    def __call__(self, report: Any, share: float | None = None) -> None:
        """Show the progress of a call.

        Args:
            report: The name of a stage; or a `FitProgress`.
            share: The share of the stage that is done; None where the call only names its stages.
        """
        if hasattr(report, "fraction"):
            self._show("fitting", report.fraction, f"{report.train_bits_per_byte:.3f} bits per byte")
        else:
            self._show(str(report), share)

    def __enter__(self) -> Self:
        """Show each pass of a model in this context, too."""
        self._listening.enter_context(
            listen_to_reading(lambda done, of: self._show("reading", done / max(of, 1)))
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        self.close()

    def close(self) -> None:
        """End the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._at = None, 0

    def _show(self, stage: str, share: float | None, note: str = "") -> None:
        at = 0 if share is None else round(STEPS * min(1.0, share))
        if self._bar is None or stage != self._stage or at < self._at:
            self.close()
            self._bar, self._stage = self._make(total=None if share is None else STEPS, desc=stage), stage
        if note and hasattr(self._bar, "set_postfix_str"):
            self._bar.set_postfix_str(note)
        self._bar.update(at - self._at)
        self._at = at
        if at == STEPS:
            self.close()
