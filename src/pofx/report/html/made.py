"""How a page was made: the version of pofx, the command, and each model with its x0 and EOS."""

from __future__ import annotations

from dataclasses import dataclass

from pofx.lm.model import LM
from pofx.lm.scorer import Scorer
from pofx.vocab.vocabulary import Vocab


@dataclass(frozen=True)
class ModelNote:
    """The line of a page about a model.

    Attributes:
        name: The name that the user gave the model.
        x0: The symbol x0 and how x0 is known, such as "<s> (declared)"; "none" for a model without x0, "" where nobody
            knows whether the model has x0.
        eos: The name of EOS; "none" where texts never end, "" where nobody knows whether texts end.
        fingerprint: A hash of the model; "" for a model without a hash.
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
    """Return the line of a page about a model.

    Args:
        name: The name that the user gave the model.
        model: The model, or a scorer, of which only the name is known.
    """
    if not isinstance(model, LM):
        return ModelNote(name)
    eos = "none" if model.vocab.end is None else end_name(model.vocab)
    return ModelNote(name, str(model.begin), eos, model.fingerprint)


def end_name(vocab: Vocab) -> str:
    """Return the name of EOS in a vocabulary that has one; "EOS" where the vocabulary gives no name."""
    return next((text for text, i in vocab.control.names.items() if i == vocab.end), "EOS")
