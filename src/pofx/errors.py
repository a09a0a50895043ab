"""What can go wrong, as a tree.

    PofxError (ValueError)
    ├── NoBOS          the model never learned p(x1): only p(continuation | text) exists
    ├── NoEOS          the model never ends a text: only prefix probabilities exist
    ├── TooLong        a text does not fit the model's window, and no window rule was chosen
    ├── NotText        the input is no text of the vocabulary (lone surrogate, unknown character, …)
    ├── BadSource      a file, directory or name that holds no readable model or corpus
    ├── BadValue       an argument outside its domain
    ├── Impossible     conditioning on an event of probability zero
    ├── NoLaw          a model whose probabilities are no numbers (nan)
    ├── Unreached      no particle met a condition, whose probability may be zero or just small
    ├── Undecodable    a compressed file that is damaged, or was made by another model
    ├── Interrupted    a fit was stopped by the user; it says where it can be taken up
    └── MissingExtra   an optional dependency is not installed

Every message says what was expected, what was found and what to do, in one line.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class PofxError(ValueError):
    """The root: an input that pofx cannot answer for. Never a bug of pofx itself."""


class NoBOS(PofxError):
    """An unconditional question to a model that has no trained x0, so no p(x1)."""


class NoEOS(PofxError):
    """The probability of a complete text, asked of a model that never ends one."""


class TooLong(PofxError):
    """A text longer than the model's window where no window rule applies."""


class NotText(PofxError):
    """Input that is not a text of the vocabulary."""


class BadSource(PofxError):
    """A path or a name that holds no readable model or corpus."""


class BadValue(PofxError):
    """An argument outside its domain."""


class Impossible(PofxError):
    """Conditioning on an event of probability zero."""


class NoLaw(PofxError):
    """A model whose log-probabilities are no numbers: nan, or +∞."""


class Unreached(PofxError):
    """A condition that no particle met; whether it is impossible or only improbable is not known."""


class Undecodable(PofxError):
    """A compressed file that is damaged, or that another model, version or machine made."""


def not_replaced(path: str | Path) -> BadValue:
    """The refusal of a path to be written where a finished output stands: the same words from every verb."""
    return BadValue(
        f"{path}: expected a name that is free, found an output that is finished; name another, or replace it: "
        "--overwrite"
    )


class Interrupted(PofxError):
    """A fit that was stopped between two steps. `checkpoint` is where it can be taken up, or None."""

    def __init__(
        self,
        step: int,
        fraction: float,
        checkpoint: Path | None,
        then: str = "a checkpoint keeps it next time: checkpoint=path",
    ) -> None:
        self.step, self.fraction, self.checkpoint = step, fraction, checkpoint
        then = (
            f"go on with: resume=True, checkpoint={str(checkpoint)!r} (--resume)"
            if checkpoint is not None
            else f"nothing was kept; {then}"
        )
        super().__init__(f"interrupted after step {step}, {100 * fraction:.0f} % of the fit; {then}")


@contextmanager
def not_resumable(then: str) -> Iterator[None]:
    """Where a fit is part of something that keeps no checkpoint: `Interrupted` says what to do then, in these words."""
    try:
        yield
    except Interrupted as e:
        raise Interrupted(e.step, e.fraction, None, then) from None


class MissingExtra(PofxError):
    """An optional dependency is not installed."""


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or raise `MissingExtra` with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not installed; "
            f"install it with: pip install 'pofx[{extra}]'"
        ) from None
