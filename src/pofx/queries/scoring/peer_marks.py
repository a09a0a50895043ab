"""The control tokens around a text, as other tools find them in the files of a model."""

from __future__ import annotations

from dataclasses import dataclass

from pofx.lm.model import LM


@dataclass(frozen=True)
class Marks:
    """The control tokens that other tools find in the files of a model.

    Attributes:
        before: The ids that the tokenizer itself puts before a text.
        after: The ids that the tokenizer itself puts after a text.
        begin: The id of the declared BOS; None without one.
        end: The id of the declared EOS; None without one.
        own: Whether the model itself puts x0 before a text, so that x0 is no token of its input.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    begin: int | None
    end: int | None
    own: bool


def marks_of(lm: LM) -> Marks:
    """Return the control tokens that other tools find in the files of a model."""
    if lm.bare() is None:
        # The tokenizer.json of a model of pofx's own puts x0 before every text.
        x0 = lm.begin.id if lm.begin.id is not None else lm.vocab.size
        return Marks((x0,), (), x0, lm.vocab.end, own=True)
    # An id has one role, and "bos" comes first. So the vocabulary names an EOS that is also BOS, as in GPT-2.
    control = lm.vocab.control
    roles = dict(control.candidates)
    return Marks(
        control.adds_before,
        control.adds_after,
        roles.get("bos"),
        roles.get("eos", lm.vocab.end),
        own=False,
    )
