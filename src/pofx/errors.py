"""What can go wrong, as a tree.

    PofxError (ValueError)
    ├── NoBOS          the model never learned p(x1): only p(continuation | text) exists
    ├── NoEOS          the model never ends a text: only prefix probabilities exist
    ├── TooLong        a text does not fit the model's window, and no window rule was chosen
    ├── NotText        the input is no text of the vocabulary (lone surrogate, unknown character, …)
    ├── BadSource      a file, directory or name that holds no readable model or corpus
    ├── BadValue       an argument outside its domain
    ├── Impossible     conditioning on an event of probability zero
    ├── NoLaw          a model whose probabilities are no numbers (nan, or +∞)
    ├── Unreached      no particle met a condition, whose probability may be zero or just small
    ├── Undecodable    a compressed file that is damaged, or was made by another model
    ├── OutOfMemory    more memory is needed than there is
    ├── Interrupted    a fit was stopped by the user; it says where it can be taken up
    ├── JobStopped     a job was interrupted; it says which rows are kept (`pofx.jobs`)
    └── MissingExtra   an optional dependency is not installed

An error says what was expected and what was found (`message`), and what to do (`advice`); `str` is both in one line.
Each class has a `code` that stays as it is from version to version, for HTTP answers and JSON.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Advice:
    """Something to do about an error, with the spelling of Python and that of the command line.

    Attributes:
        do: the advice in words that hold in both places, an imperative.
        python: the argument or function that does it, "" where the words are enough.
        shell: the option of the command line that does it, "" where the words are enough.
        parameter: the parameter that a verb must have for the advice to be of use there; "" where any verb will do.
    """

    do: str
    python: str = ""
    shell: str = ""
    parameter: str = ""

    def __str__(self) -> str:
        return f"{self.do} ({self.python})" if self.python else self.do


@dataclass(frozen=True)
class Argument:
    """What a message is about: the name of an argument in Python, and that of its option on the command line."""

    python: str
    shell: str


class PofxError(ValueError):
    """The root: an input that pofx cannot answer for. Never a bug of pofx itself.

    Attributes:
        code: the name of the class for programs that read it as text, such as "bad-value"; stable.
        message: what was expected and what was found.
        advice: ways out, any of which will do; empty where the message alone says what to do.
        argument: what the message is about, where Python and the command line call that by different names.

    Right: `BadValue(f"order: expected at least 1, found {n}", "write a larger one")`. Wrong: advice within the message,
    which the command line could not spell its own way.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        advice: str | Advice | Sequence[str | Advice] | None = None,
        argument: Argument | None = None,
    ) -> None:
        super().__init__(message)
        ways = [] if advice is None else [advice] if isinstance(advice, str | Advice) else advice
        self.message, self.argument = message, argument
        self.advice = tuple(a if isinstance(a, Advice) else Advice(a) for a in ways)

    def __str__(self) -> str:
        about = f"{self.argument.python}: " if self.argument is not None else ""
        return one_line(about + self.message, [str(a) for a in self.advice])

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, self.__dict__)

    def within(self, where: str) -> Self:
        """The same error with a name before its message: that of the file or document where it happened."""
        out = copy.copy(self)
        out.message = f"{where}: {self.message}"
        return out


def one_line(message: str, ways: Sequence[str]) -> str:
    """A message and the ways out of it, as every error is told."""
    return f"{message}; {', or '.join(ways)}" if ways else message


def _remade(kind: type[PofxError], args: tuple[Any, ...], fields: dict[str, Any]) -> PofxError:
    """A copy of an error, whatever its class asks for when it is made: what `copy` and `pickle` call."""
    out = kind.__new__(kind, *args)
    out.__dict__.update(fields)
    return out


class NoBOS(PofxError):
    """An unconditional question to a model that has no trained x0, so no p(x1)."""

    code = "no-bos"


class NoEOS(PofxError):
    """The probability of a complete text, asked of a model that never ends one."""

    code = "no-eos"


class TooLong(PofxError):
    """A text longer than the model's window where no window rule applies."""

    code = "too-long"


class NotText(PofxError):
    """Input that is not a text of the vocabulary."""

    code = "not-text"


class BadSource(PofxError):
    """A path or a name that holds no readable model or corpus."""

    code = "bad-source"


class BadValue(PofxError):
    """An argument outside its domain."""

    code = "bad-value"


class Impossible(PofxError):
    """Conditioning on an event of probability zero."""

    code = "impossible"


class NoLaw(PofxError):
    """A model whose log-probabilities are no numbers: nan, or +∞."""

    code = "no-law"


class Unreached(PofxError):
    """A condition that no particle met; whether it is impossible or only improbable is not known."""

    code = "unreached"


class Undecodable(PofxError):
    """A compressed file that is damaged, or that another model, version or machine made."""

    code = "undecodable"


class OutOfMemory(PofxError):
    """Work that needs more memory than this machine or its accelerator gives."""

    code = "out-of-memory"


def not_replaced(path: str | Path) -> BadValue:
    """The refusal of a path to be written where a finished output stands: the same words from every verb."""
    return BadValue(
        f"{path}: expected a name that is free, found an output that is finished",
        ["name another", Advice("replace it", "overwrite=True", "--overwrite")],
    )


def no_documents(where: str = "documents", of: str = "") -> BadSource:
    """The refusal of an input in which no document is left: the same words from every verb that reads documents.

    where: the files, or the argument. of: which documents were looked for, where they are not just any.
    """
    return BadSource(
        f"{where}: expected at least one document{of}, found none",
        Advice("check the files, and how documents lie in them", "field=…, split=…", "--field, --split"),
    )


class Interrupted(PofxError):
    """A fit that was stopped between two steps.

    Attributes:
        step: steps that were done.
        fraction: the share of the fit that was done.
        checkpoint: where the fit can be taken up, or None.
    """

    code = "interrupted"

    def __init__(
        self,
        step: int,
        fraction: float,
        checkpoint: Path | None,
        advice: str | Advice = "a checkpoint keeps it next time: checkpoint=path",
    ) -> None:
        self.step, self.fraction, self.checkpoint = step, fraction, checkpoint
        done = f"interrupted after step {step}, {100 * fraction:.0f} % of the fit"
        if checkpoint is None:
            super().__init__(f"{done}; nothing was kept", advice)
        else:
            super().__init__(
                done, Advice("go on", f"resume=True, checkpoint={str(checkpoint)!r}", "--resume")
            )


@contextmanager
def not_resumable(advice: str | Advice) -> Iterator[None]:
    """Where a fit is part of something that keeps no checkpoint: `Interrupted` gives this advice instead."""
    try:
        yield
    except Interrupted as e:
        raise Interrupted(e.step, e.fraction, None, advice) from None


class MissingExtra(PofxError):
    """An optional dependency is not installed."""

    code = "missing-extra"


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, or raise `MissingExtra` with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not installed",
            f"install it with: pip install 'pofx[{extra}]'",
        ) from None
