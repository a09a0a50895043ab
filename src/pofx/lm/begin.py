"""x0, the begin-of-text symbol of a model: what it is, and what is refused without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pofx.errors import Advice, NoBOS

Known = Literal["trained", "declared", "assumed", "none"]


@dataclass(frozen=True)
class Begin:
    """What x0 is, and how we know that the model knows p(x1 | x0).

    known: "trained" (every training text stood behind it), "declared" (the author of the LM says so),
    "assumed" (the caller chose it), "none" (there is no x0: the model only continues texts).
    id: one past the last outcome for an x0 of our own; a control token of the vocabulary for a pretrained model.
    note: with known "none", why there is no x0, for the message of `NoBOS`; advice: what can be done.
    """

    known: Known
    text: str = ""
    id: int | None = None
    note: str = ""
    advice: tuple[Advice, ...] = ()

    def __str__(self) -> str:
        return "none" if self.known == "none" else f"{self.text or 'x0'} ({self.known})"


# What a model says that leaves x0 to itself.
DECLARED = Begin("declared")

# The first advice to whoever has no x0; the command line gives it where the verb at hand takes a prefix.
NAME_A_PREFIX = Advice("condition on a text you name", "given=…", "--given", parameter="given")

# What `refuse_unconditional` says of a model that was fitted without x0.
_FITTED_WITHOUT = (
    "this model was fitted without a begin-of-text symbol x0, so it never learned how texts begin"
)
_FIT_WITH = Advice("fit with x0", "begin=True", "without --no-begin")


def refuse_unconditional(begin: Begin, what: str = "p(x1)") -> NoBOS:
    """The error of a model that has no x0, to be raised by whoever is asked for the first factor.

    begin: of the model; its `note` says why there is none and what to do, else the model was fitted so.
    """
    return NoBOS(
        f"{what} needs p(x1 | x0), the first factor of the chain rule, but {begin.note or _FITTED_WITHOUT}",
        begin.advice or (NAME_A_PREFIX, _FIT_WITH),
    )
