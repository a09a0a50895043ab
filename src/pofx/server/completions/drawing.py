"""Continuations of prompts, token by token, which are drawn by the same transforms as in `pofx sample`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats, likeliest
from pofx.algorithms.statistics.inversion import inverse_of_logs
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.server.completions.request import CompletionRequest
from pofx.server.completions.token import Token
from pofx.transforms.warp import Warp

# Rows that are drawn together. Their distributions over 50,000 tokens take 50 MB.
ROWS = 128


@dataclass(frozen=True)
class Plan:
    """The way in which continuations are drawn.

    Attributes:
        max_tokens: The most tokens of each continuation, EOS included.
        copies: How many continuations of each prompt.
        warp: The distributions from which tokens are drawn; None for the likeliest token each time.
        seed: The seed; None for a new seed.
        top: How many likeliest tokens are reported at each position.
    """

    max_tokens: int
    copies: int
    warp: Warp | None
    seed: int | None
    top: int


def plan_of(lm: LM, asked: CompletionRequest, max_tokens: int) -> Plan:
    """Return the plan of the continuations of a request."""
    warp = None
    if not asked.greedy:
        k = asked.top_k if asked.top_k and asked.top_k > 0 else None
        warp = Warp(lm, 1.0 if asked.temperature is None else asked.temperature, k, asked.top_p)
    return Plan(
        max_tokens, asked.copies, warp, asked.seed, 0 if asked.logprobs is None else max(1, asked.logprobs)
    )


def draw_all(lm: LM, paths: Sequence[Sequence[int]], plan: Plan, keep: Callable[[int, Token], bool]) -> None:
    """Draw all continuations.

    Args:
        lm: The model that reads the paths.
        paths: The path of each prompt.
        plan: The way in which they are drawn.
        keep: A function of the number of a row and its next token, which returns whether the row goes on. Row
            `prompt · copies + copy` continues a prompt.
    """
    rows = len(paths) * plan.copies
    seed = np.random.SeedSequence().entropy if plan.seed is None else plan.seed % 2**64
    for lo in range(0, rows, ROWS):
        live = np.arange(lo, min(lo + ROWS, rows))
        first, last = lo // plan.copies, int(live[-1]) // plan.copies
        state = _after(lm, paths[first : last + 1]).take(live // plan.copies - first)
        # The draws of a row depend on the seed and on its place among the copies, and not on its neighbours.
        keys = [
            (r % plan.copies,) if plan.seed is not None else divmod(r, plan.copies) for r in live.tolist()
        ]
        streams = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=k)) for k in keys]
        for step in range(plan.max_tokens):
            u = np.array([streams[r - lo].random() for r in live])
            tokens = _next(state.logp, u, plan)
            kept = [keep(int(r), t) for r, t in zip(live, tokens)]
            going = np.flatnonzero(kept)
            if not len(going) or step + 1 == plan.max_tokens:
                break
            state, live = state.without_distributions(), live[going]
            if len(going) < len(kept):
                state = state.take(going)
            state = lm.extend(state, np.array([[tokens[g].id] for g in going]))


def _next(logp: Floats, u: NDArray[np.float64], plan: Plan) -> list[Token]:
    """Return the next token of each row, with its log-probability under the model itself."""
    ids: Ints = np.argmax(logp, axis=1) if plan.warp is None else inverse_of_logs(plan.warp.warped(logp), u)
    own = logp[np.arange(len(ids)), ids].astype(np.float64).tolist()
    if not plan.top:
        return [Token(i, p) for i, p in zip(ids.tolist(), own)]
    best = likeliest(logp, plan.top)
    values = np.take_along_axis(logp, best, axis=1).astype(np.float64)
    return [Token(*t) for t in zip(ids.tolist(), own, zip(best.tolist(), values.tolist()))]


def _after(lm: LM, paths: Sequence[Sequence[int]]) -> State:
    """Return the state after each path; a common prefix is read once, and further tokens of equal number together."""
    # A prefix of both the least and the greatest path is a prefix of all paths.
    least, greatest = list(min(map(list, paths))), list(max(map(list, paths)))
    pairs = enumerate(zip(least, greatest))
    shared = least[: next((k for k, (a, b) in pairs if a != b), min(len(least), len(greatest)))]
    rests = [list(p[len(shared) :]) for p in paths]
    state = lm.start(1)
    if shared:
        state = lm.extend(state, [shared])
    states, order = [], []
    for size in sorted({len(r) for r in rests}):
        same = [k for k, r in enumerate(rests) if len(r) == size]
        copies = state.take(np.zeros(len(same), dtype=np.int64))
        states.append(lm.extend(copies, [rests[k] for k in same]) if size else copies)
        order += same
    whole = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
    return whole.take(np.argsort(order)) if len(states) > 1 else whole
