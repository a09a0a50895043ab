"""How a page was made: the version of pofx, the command, and each model with its x0 and EOS."""

from __future__ import annotations

from dataclasses import dataclass

from pofx.lm.model import LM
from pofx.lm.scorer import Scorer


@dataclass(frozen=True)
class ModelNote:
    """What a page says of a model.

    Attributes:
        name: The name that the user gave the model.
        x0: The symbol x0 and how it is known, such as "<s> (declared)"; "none" where there is none, "" where that is
            unknown.
        eos: The name of EOS; "none" where texts never end; "" where that is unknown.
        fingerprint: A hash of the model; "" where there is none.
    """

    name: str
    x0: str = ""
    eos: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class Made:
    """How a page was made.

    Attributes:
        command: The command line, without keys; "" for a page that no command made.
        models: The models whose numbers the page shows.
    """

    command: str = ""
    models: tuple[ModelNote, ...] = ()


def model_note(name: str, model: LM | Scorer) -> ModelNote:
    """Return what a page says of a model.

    Args:
        name: The name that the user gave the model.
        model: The model. Of a scorer nothing but the name is known.
    """
    if not isinstance(model, LM):
        return ModelNote(name)
    end = model.vocab.end
    named = next((text for text, i in model.vocab.control.names.items() if i == end), "EOS")
    return ModelNote(name, str(model.begin), "none" if end is None else named, model.fingerprint)
