"""The JSON of completions, in the shape of OpenAI and vLLM."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from math import isinf
from typing import Any

from pofx.server.completions.choice import Part
from pofx.server.completions.prompt import Prompt
from pofx.server.completions.token import Token
from pofx.server.table import ServedModel
from pofx.server.tokens.strings import TokenStrings

# JSON has no −∞; OpenAI and its clients use this number.
NEVER = -9999.0


def head(served: ServedModel) -> dict[str, Any]:
    """Return the fields that all chunks of an answer share."""
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": served.name,
        "system_fingerprint": f"pofx-{served.lm.fingerprint[:16]}" if served.lm.fingerprint else None,
    }


def choice_record(index: int, part: Part, strings: TokenStrings, top: int | None) -> dict[str, Any]:
    """Return a choice, or a part of a choice.

    Args:
        index: The number of the choice.
        part: The content of the choice.
        strings: The strings of tokens.
        top: How many likeliest tokens are reported at each position; None for no log-probabilities.
    """
    return {
        "index": index,
        "text": part.text,
        "logprobs": None if top is None else _logprobs(part, strings, max(1, top)),
        "finish_reason": part.finish,
    }


def _logprobs(part: Part, strings: TokenStrings, top: int) -> dict[str, Any]:
    names: list[str] = []
    numbers: list[float | None] = []
    tops: list[dict[str, float] | None] = []
    for token, first in part.tokens:
        if token.logp is None:
            names.append(strings.plain(token.id, first))
            numbers.append(None)
            tops.append(None)
            continue
        found = _with_own(token, top)
        keys = strings.keys(list(found), first)
        tops.append(dict(zip(keys, found.values())))
        names.append(keys[list(found).index(token.id)])
        numbers.append(found[token.id])
    return {
        "tokens": names,
        "token_logprobs": numbers,
        "top_logprobs": tops,
        "text_offset": list(part.offsets),
    }


def _with_own(token: Token, top: int) -> dict[int, float]:
    """Return the likeliest tokens at a position by id, and the token itself, with the same double in both places."""
    ids, logs = token.top
    found = {i: p for i, p in zip(ids[:top], logs[:top]) if not isinf(p)}
    own = NEVER if token.logp is None or isinf(token.logp) else token.logp
    return {**found, token.id: own}


def prompt_logprobs(tokens: Sequence[Token], top: int, strings: TokenStrings) -> list[dict[str, Any] | None]:
    """Return the likeliest tokens at each position of a prompt by id, in vLLM's form: log-probability, rank and text."""
    out: list[dict[str, Any] | None] = []
    for token in tokens:
        if token.logp is None:
            out.append(None)
            continue
        ranks = {i: k + 1 for k, i in enumerate(token.top[0][:top])}
        found = _with_own(token, top)
        # The token of the prompt comes first, since clients take the first entry for this token.
        found = {token.id: found[token.id], **found}
        out.append(
            {
                str(i): {"logprob": p, "rank": ranks.get(i, token.rank), "decoded_token": strings.plain(i)}
                for i, p in found.items()
            }
        )
    return out


def echoed(prompt: Prompt, echo: bool | None) -> int:
    """Return how many of the first tokens of a choice belong to its prompt."""
    return len(prompt.ids) - prompt.hidden if echo else 0


def usage(prompts: Sequence[Prompt], drawn: int) -> dict[str, int]:
    """Return the numbers of tokens, with the x0 that stands before a text."""
    n = sum(len(p.ids) for p in prompts)
    return {"prompt_tokens": n, "completion_tokens": drawn, "total_tokens": n + drawn}
