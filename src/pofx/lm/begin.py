"""The symbol x0 that stands before every text: its id, how it is known, and the refusal of a model that has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pofx.errors import Advice, NoBOS

Known = Literal["trained", "declared", "assumed", "none"]


@dataclass(frozen=True)
class Begin:
    """The symbol x0 of a model, and how we know that the model has learned p(x_1 | x0).

    Attributes:
        known: The evidence. "trained": every training text stood after x0, or a pinned audit found that the model knows
            x0. "declared": the author of the LM, or the tokenizer, names x0. "assumed": the caller chose x0. "none":
            there is no x0, and the model only continues texts.
        text: The name of x0, such as "<s>".
        id: The id of x0, or None. In a model fitted here the id is one past the last outcome. In a pretrained model x0
            is a control token of the vocabulary.
        note: The reason why there is no x0, for the message of `NoBOS`; "" where the model was fitted without x0.
        advice: The steps that a user can take where there is no x0.

    Right: `pofx.load("smollm2", begin="<|endoftext|>").begin.known`, which is "assumed". Wrong: taking an x0 that is
    "assumed" for an x0 that was trained; `pofx.audit` measures which it is.
    """

    known: Known
    text: str = ""
    id: int | None = None
    note: str = ""
    advice: tuple[Advice, ...] = ()

    def __str__(self) -> str:
        return "none" if self.known == "none" else f"{self.text or 'x0'} ({self.known})"


# The default of an LM whose author says nothing of x0.
DECLARED = Begin("declared")

# The first advice where there is no x0. The command line gives this advice only for verbs that take a prefix.
NAME_A_PREFIX = Advice("condition on a text you name", "given=…", "--given", parameter="given")

# The reason in `refuse_unconditional` for a model that was fitted without x0.
_FITTED_WITHOUT = (
    "this model was fitted without a begin-of-text symbol x0, so it never learned how texts begin"
)
_FIT_WITH = Advice("fit with x0", "begin=True", "without --no-begin")


def refuse_unconditional(begin: Begin, what: str = "p(x1)") -> NoBOS:
    """Return the error to raise where the first factor p(x_1 | x0) is asked of a model that has no x0.

    Args:
        begin: The `begin` of the model, whose `note` says why there is no x0.
        what: The quantity that was asked for.
    """
    return NoBOS(
        f"how texts begin is not known, so {what} is not defined: it needs p(x1 | x0), the first factor of the chain rule, "
        f"but {begin.note or _FITTED_WITHOUT}",
        begin.advice or (NAME_A_PREFIX, _FIT_WITH),
    )
