"""A prompt as a path of a model, with its x0, and the ids that have log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.server.completions.request import CompletionRequest
from pofx.server.incoming.errors import RequestError
from pofx.server.table import ServedModel
from pofx.server.tokens.endpoints import check_ids
from pofx.server.tokens.special import begin_id


@dataclass(frozen=True)
class Prompt:
    """A prompt, ready to be read.

    Attributes:
        ids: The ids of the prompt, x0 included where the text stands after it.
        hidden: How many of the first `ids` are not echoed: 1 for the x0 before a text, else 0.
        path: The ids that the model reads, without x0 for a model that itself puts x0 before every path.
        skip: How many positions of the path have no log-probability.
    """

    ids: tuple[int, ...]
    hidden: int
    path: tuple[int, ...]
    skip: int

    @property
    def unknown(self) -> int:
        """The number of first `ids` without a log-probability."""
        return len(self.ids) - len(self.path) + self.skip


def reader(served: ServedModel) -> LM:
    """Return the model that reads the paths of prompts.

    For a model with an x0 by `with_begin`, this reader is the model without x0, in which x0 is an id like any other. So all
    prompts of all requests can be read together.
    """
    return served.lm if served.bare is None else served.bare


def prompts_of(served: ServedModel, asked: CompletionRequest, begin: bool = False) -> list[Prompt]:
    """Return the prompts of a request.

    Args:
        served: The model.
        asked: The request.
        begin: Whether x0 stands before ids that do not begin with it.

    Raises:
        RequestError: An id is no token of the model.
        NoBOS: A prompt is empty, and the model has no x0.
        NotText: A text has no tokens in this vocabulary.
    """
    prompt = asked.prompt
    special = asked.add_special_tokens is not False
    if isinstance(prompt, str):
        return [_text(served, prompt, special)]
    if not prompt:
        return [_ids(served, (), "prompt", begin)]
    if isinstance(prompt[0], str):
        return [_text(served, str(p), special) for p in prompt]
    if isinstance(prompt[0], int):
        return [_ids(served, prompt, "prompt", begin)]
    return [_ids(served, p, f"prompt.{k}", begin) for k, p in enumerate(prompt)]


def _text(served: ServedModel, text: str, special: bool) -> Prompt:
    """Return the prompt of a text, which stands after x0 if the model has x0; x0 is not echoed."""
    ids = tuple(served.encode(text))
    x0 = begin_id(served)
    if special and x0 is not None:
        return _after_x0(served, x0, ids, 1)
    return _verbatim(served, ids)


def _ids(served: ServedModel, ids: Sequence[int], param: str, begin: bool) -> Prompt:
    """Return the prompt of ids, which are taken as they are, after x0 where `begin` says so; the empty prompt is x0."""
    x0, size = begin_id(served), served.lm.vocab.size
    check_ids(served, list(ids), param)
    if x0 is not None and (not ids or (begin and ids[0] != x0 and (x0 < size or x0 not in ids))):
        return _after_x0(served, x0, tuple(ids), 1)
    if ids and ids[0] == x0:
        inner = next((k for k, i in enumerate(ids) if k and i >= size), None)
        if inner is None:
            return _after_x0(served, x0, tuple(ids[1:]), 0)
    elif x0 not in ids or (x0 is not None and x0 < size):
        return _verbatim(served, tuple(ids))
    raise RequestError(
        400,
        "invalid_token",
        f"{param}: expected x0 (id {x0}) as the first id alone, got x0 after other ids",
        param,
        ("leave x0 out",),
    )


def _after_x0(served: ServedModel, x0: int, rest: tuple[int, ...], hidden: int) -> Prompt:
    ids = (x0, *rest)
    return Prompt(ids, hidden, rest, 0) if served.bare is None else Prompt(ids, hidden, ids, 1)


def _verbatim(served: ServedModel, ids: tuple[int, ...]) -> Prompt:
    """Return the prompt of ids without x0, before which a model that was trained with x0 still puts x0."""
    if not ids and served.bare is not None:
        raise refuse_unconditional(served.lm.begin)
    return Prompt(ids, 0, ids, min(1, len(ids)))


def check_room(served: ServedModel, prompts: Sequence[Prompt], asked_for: int | None, default: int) -> int:
    """Return the number of tokens by which each prompt may be continued.

    Args:
        served: The model.
        prompts: The prompts.
        asked_for: The `max_tokens` of the request; None for the default, or for fewer where the context ends earlier.
        default: The default.

    Raises:
        RequestError: 400 where prompt and continuation exceed the context of the model, since a prompt is never cut.
    """
    context = served.lm.context
    if context is None:
        return default if asked_for is None else asked_for
    lead = int(reader(served).seen(1)[0])
    longest = lead + max(len(p.path) for p in prompts)
    # The last token is predicted, and is not read.
    room = context + 1 - longest
    tokens = min(default, max(room, 1)) if asked_for is None else asked_for
    if tokens > room:
        raise RequestError(
            400,
            "context_length_exceeded",
            f"prompt: expected at most {context} tokens of x0, prompt and `max_tokens` together, got {longest} to read and "
            f"`max_tokens` {tokens}",
            "prompt",
            ("shorten the prompt", "ask for fewer tokens (max_tokens)"),
        )
    return tokens
