"""A prompt as a path of a model: which ids it shows, which of them are scored, and after which x0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pofx.lm.model import LM
from pofx.server.errors import RequestError
from pofx.server.table import ServedModel


@dataclass(frozen=True)
class Prompt:
    """A prompt, ready to be read.

    Attributes:
        lm: The model that reads the path: with x0 put before it, or bare.
        shown: The ids that the client sees, x0 included where the client sent it.
        path: The ids of the path of `lm`.
        hidden: How many shown ids stand before the path: 1 where the client sent x0 itself, else 0.
        skip: How many positions of the path have no log-probability.
    """

    lm: LM
    shown: tuple[int, ...]
    path: tuple[int, ...]
    hidden: int
    skip: int


def prompts_of(served: ServedModel, prompt: str | Sequence[object], add_special_tokens: bool) -> list[Prompt]:
    """The prompts of a request: a text, texts, ids, or lists of ids."""
    if isinstance(prompt, str):
        return [_text(served, prompt, add_special_tokens)]
    if not prompt:
        return [_ids(served, (), 0)]
    if isinstance(prompt[0], str):
        return [_text(served, str(p), add_special_tokens) for p in prompt]
    if isinstance(prompt[0], int):
        return [_ids(served, [int(i) for i in prompt], 0)]  # type: ignore[call-overload]
    return [_ids(served, list(p), k) for k, p in enumerate(prompt)]  # type: ignore[call-overload]


def _text(served: ServedModel, text: str, add_special_tokens: bool) -> Prompt:
    """A text stands behind x0, where the model has one."""
    ids = tuple(served.lm.vocab.encode(text))
    if add_special_tokens or served.bare is None:
        return Prompt(served.lm, ids, ids, 0, int(served.lm.begin.known == "none"))
    return Prompt(served.bare, ids, ids, 0, 1)


def _ids(served: ServedModel, ids: Sequence[int], number: int) -> Prompt:
    """Ids are taken as they are; x0 may be the first of them, and stands before them in models that always have it."""
    lm = served.lm
    begin = lm.begin.id
    rest = ids[1:] if ids and ids[0] == begin else ids
    wrong = next((i for i in rest if not 0 <= i < lm.vocab.size), None)
    if wrong is not None:
        raise RequestError(
            400,
            "invalid_token",
            f"expected ids from 0 to {lm.vocab.size - 1}, got {wrong}",
            f"prompt.{number}",
        )
    if len(rest) < len(ids) or (not ids and lm.begin.known != "none"):
        return Prompt(lm, tuple(ids), tuple(rest), len(ids) - len(rest), 0)
    if served.bare is None:
        return Prompt(
            lm, tuple(ids), tuple(ids), 0, 1
        )  # the first has a number, which no client of ids expects
    return Prompt(served.bare, tuple(ids), tuple(ids), 0, 1)
