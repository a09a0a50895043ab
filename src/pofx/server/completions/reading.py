"""The log-probabilities of prompts: one pass over all prompts of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pofx.lm.model import LM
from pofx.lm.trace import Trace, Want
from pofx.server.completions.prompt import Prompt
from pofx.server.completions.token import Token


@dataclass(frozen=True)
class Reading:
    """A prompt with its log-probabilities.

    Attributes:
        tokens: All ids of the prompt, with the requested numbers.
        likeliest: The likeliest token after the prompt; None where the request does not need the token.
    """

    tokens: tuple[Token, ...]
    likeliest: Token | None


def read_prompts(
    lm: LM, prompts: Sequence[Prompt], top: int, rank: bool, numbers: bool, after: bool
) -> list[Reading]:
    """Read prompts in one pass, which reads shared prefixes once.

    Args:
        lm: The model that reads the paths of the prompts.
        prompts: The prompts.
        top: How many likeliest tokens are reported at each position.
        rank: Whether ranks are reported.
        numbers: Whether the tokens of the prompts are scored.
        after: Whether the likeliest token after each prompt is reported.
    """
    if not (numbers or after):
        return [Reading(tuple(map(Token, p.ids)), None) for p in prompts]
    # The distribution after a path is read at one more token, whose id does not matter.
    paths = [[*p.path, 0] if after else p.path for p in prompts]
    skips = [p.skip if numbers else len(p.path) for p in prompts]
    trace = lm.forward(paths, Want(rank=rank, top=top), skips)
    return [_reading(trace, k, p, numbers, after) for k, p in enumerate(prompts)]


def _reading(trace: Trace, k: int, prompt: Prompt, numbers: bool, after: bool) -> Reading:
    logp = trace.logp[k].tolist()
    top_ids, top_logp = trace.top_ids, trace.top_logp
    if top_ids is None or top_logp is None:
        raise AssertionError("ours: `Want` asked for the likeliest tokens")
    tops = list(zip(top_ids[k].tolist(), top_logp[k].tolist()))
    ranks = [0] * len(logp) if trace.rank is None else trace.rank[k].tolist()
    if not numbers:
        tokens = tuple(map(Token, prompt.ids))
    else:
        blank, scored = prompt.ids[: prompt.unknown], prompt.ids[prompt.unknown :]
        tokens = (*map(Token, blank), *(Token(*t) for t in zip(scored, logp, tops, ranks)))
    if not after:
        return Reading(tokens, None)
    ids, logs = tops[-1]
    return Reading(tokens, Token(ids[0], logs[0], (ids, logs), 1))
