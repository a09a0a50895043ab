"""The errors of pofx, as a tree.

    PofxError (ValueError)
    ├── NoBOS          the model never learned p(x_1); it only knows p(continuation | text)
    ├── NoEOS          the model never ends a text; it only knows prefix probabilities
    ├── TooLong        a text exceeds the context of the model, and no window rule applies
    ├── NotText        the input is no text of the vocabulary (lone surrogate, unknown character, …)
    ├── BadSource      a file, directory or name holds no readable model or corpus
    ├── BadValue       an argument is outside its domain
    ├── Impossible     the event to condition on has probability zero
    ├── NoLaw          the probabilities of a model are no numbers (nan, or +∞)
    ├── Unreached      no particle met a condition, whose probability may be zero or just small
    ├── Undecodable    a compressed file is damaged, or another model made it
    ├── OutOfMemory    the work needs more memory than the machine has
    ├── Interrupted    the user stopped a fit; the error says how to continue it
    ├── JobStopped     the user stopped a job; the error says which rows are kept (`pofx.jobs`)
    └── MissingExtra   an optional dependency is not installed

The field `message` says what was expected and what pofx got, and the field `advice` says what to do; `str` joins both in
one line. Each class has a `code` for HTTP answers and JSON, which stays the same from version to version.
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
    """One way out of an error, as Python spells it and as the command line spells it.

    Attributes:
        do: An imperative that holds in both places.
        python: The argument or function of Python for it; "" where the imperative is enough.
        shell: The option of the command line for it; "" where the imperative is enough.
        parameter: The option that a verb must have for the advice to be shown, without dashes ("max-tokens"); "" for advice
            that suits every verb.
    """

    do: str
    python: str = ""
    shell: str = ""
    parameter: str = ""

    def __str__(self) -> str:
        return f"{self.do} ({self.python})" if self.python else self.do


@dataclass(frozen=True)
class Argument:
    """The argument that a message is about.

    Attributes:
        python: The name of the argument in Python.
        shell: The option of the command line for it; "" for the option of the verb that bears the same name.
    """

    python: str
    shell: str = ""


class PofxError(ValueError):
    """The root of all errors of pofx: an input for which there is no answer, and never a bug of pofx itself.

    Attributes:
        code: A stable name of the class for programs, such as "bad-value".
        message: What was expected, and what pofx got.
        advice: Ways out, any of which will do; empty where the message alone says what to do.
        argument: The argument that the message is about; None where the message is about no argument.

    Right: `except PofxError as e: print(e.subject)`; `BadValue(f"expected at least 1, got {n}", "write a larger number",
    argument="order")`. Wrong: the argument or advice inside the message, since the command line spells both in its own way.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        advice: str | Advice | Sequence[str | Advice] | None = None,
        argument: Argument | str | None = None,
    ) -> None:
        super().__init__(message)
        ways = [] if advice is None else [advice] if isinstance(advice, str | Advice) else advice
        self.message = message
        self.argument = Argument(argument) if isinstance(argument, str) else argument
        self.advice = tuple(a if isinstance(a, Advice) else Advice(a) for a in ways)

    @property
    def subject(self) -> str:
        """The message after the name of its argument in Python; without advice."""
        return self.message if self.argument is None else f"{self.argument.python}: {self.message}"

    def __str__(self) -> str:
        return one_line(self.subject, [str(a) for a in self.advice])

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, self.__dict__)

    def within(self, where: str) -> Self:
        """Return a copy of the error, whose message begins with the name of the file or document where it happened."""
        out = copy.copy(self)
        out.message = f"{where}: {self.message}"
        return out


def one_line(message: str, ways: Sequence[str]) -> str:
    """Join a message and the ways out into the one line that every error shows."""
    return f"{message}; {', or '.join(ways)}" if ways else message


def _remade(kind: type[PofxError], args: tuple[Any, ...], fields: dict[str, Any]) -> PofxError:
    """Make a copy of an error for `copy` and `pickle`, without calling `__init__` of its class."""
    out = kind.__new__(kind, *args)
    out.__dict__.update(fields)
    return out


class NoBOS(PofxError):
    """An unconditional question to a model without x0, which has no p(x_1).

    Right: `pofx.log_prob(lm, "a text", given="Once ")`. Wrong: `pofx.log_prob(lm, "a text")` of such a model.
    """

    code = "no-bos"


class NoEOS(PofxError):
    """A question about a complete text to a model that never ends a text.

    Right: `pofx.prefix_log_prob(lm, "a text")`. Wrong: `pofx.log_prob(lm, "a text")` of such a model.
    """

    code = "no-eos"


class TooLong(PofxError):
    """A text that exceeds the context of the model, where no window rule applies.

    Right: `pofx.score(pofx.windowed(lm), texts)`. Wrong: cutting the text, whose probability is then another one.
    """

    code = "too-long"


class NotText(PofxError):
    """An input that is no text of the vocabulary, such as a lone surrogate or an unknown character.

    Right: `CharVocab.learn(texts, escape=True)`, which spells every text. Wrong: replacing characters without a word.
    """

    code = "not-text"


class BadSource(PofxError):
    """A file, directory or name that holds no readable model or corpus.

    Right: `pofx.load("model")`. Wrong: `pofx.load("model/config.json")`, which names a file of the model.
    """

    code = "bad-source"


class BadValue(PofxError):
    """An argument that is outside its domain.

    Right: `pofx.warp(lm, temperature=0.7)`. Wrong: `pofx.warp(lm, temperature=-1)`, which raises this error.
    """

    code = "bad-value"


class Impossible(PofxError):
    """A condition or prefix of probability zero, given which nothing has a probability.

    Right: `except Impossible`, and take a smoothed model. Wrong: −∞ as the answer, since 0/0 is no probability.
    """

    code = "impossible"


class NoLaw(PofxError):
    """A model whose log-probabilities are nan or +∞, from damaged weights or an overflow.

    Right: loading the weights again, or in float32. Wrong: replacing nan by a number.
    """

    code = "no-law"


class Unreached(PofxError):
    """A condition that no particle met, so that nobody knows whether it is impossible or only improbable.

    Right: `condition(lm, on, n=10000)`. Wrong: taking the error for a proof that P = 0.
    """

    code = "unreached"


class Undecodable(PofxError):
    """A compressed file that is damaged, or was made by another model, version or machine.

    Right: `decompress(lm, blob)` with the model that `compress` had. Wrong: a model that was fitted again.
    """

    code = "undecodable"


class OutOfMemory(PofxError):
    """Work that needs more memory than the machine or its accelerator has; fewer texts in one call need less."""

    code = "out-of-memory"


def not_replaced(path: str | Path) -> BadValue:
    """Return the error of an output path at which a finished output stands already."""
    return BadValue(
        "expected a free path, got the path of a finished output",
        ["name another path", Advice("replace the output", "overwrite=True", "--overwrite")],
        Argument(str(path), str(path)),
    )


def no_documents(where: str = "documents", of: str = "") -> BadSource:
    """Return the error of an input `where` that holds no document; `of` is a kind of documents, such as " of class a"."""
    return BadSource(
        f"{where}: expected at least one document{of}, got none",
        Advice("check the files, and how documents lie in them", "field=…, split=…", "--field, --split"),
    )


class Interrupted(PofxError):
    """A fit that the user stopped between two steps.

    Attributes:
        step: How many steps are done.
        fraction: The share of the fit that is done.
        checkpoint: The file from which the fit can be continued, or None.
    """

    code = "interrupted"

    def __init__(
        self,
        step: int,
        fraction: float,
        checkpoint: Path | None,
        advice: str | Advice = "pass checkpoint=path next time, so that an interrupted fit can be continued",
    ) -> None:
        self.step, self.fraction, self.checkpoint = step, fraction, checkpoint
        done = f"interrupted after step {step}, {100 * fraction:.0f} % of the fit"
        if checkpoint is None:
            super().__init__(f"{done}; nothing was kept", advice)
        else:
            super().__init__(
                done, Advice("continue the fit", f"resume=True, checkpoint={str(checkpoint)!r}", "--resume")
            )


@contextmanager
def not_resumable(advice: str | Advice) -> Iterator[None]:
    """Replace the advice of `Interrupted` inside this context, where a fit is part of work that keeps no checkpoint."""
    try:
        yield
    except Interrupted as e:
        raise Interrupted(e.step, e.fraction, None, advice) from None


class MissingExtra(PofxError):
    """An optional dependency is not installed.

    Right: `pip install 'pofx[torch]'`, as the advice says. Wrong: `except ImportError`, which this error is not.
    """

    code = "missing-extra"


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional module, which an extra of pofx installs and which some work (`purpose`) needs.

    Raises:
        MissingExtra: The module is not installed; the advice is the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(
            f"{purpose} needs the package {module.split('.')[0]!r}, which is not installed",
            f"install it with: pip install 'pofx[{extra}]'",
        ) from None
