"""Draws from p, each with its log-probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.inversion import inverse_of_logs
from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.scoring.terms import Given, Terms, terms, terms_given_ids
from pofx.transforms.given import check_possible
from pofx.transforms.given import given as with_prefix
from pofx.transforms.given_string import given_string
from pofx.transforms.prefix_ids import Prefix
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import Vocab, to_bytes

# Rows drawn side by side. Fixed, so that draw i is the same however many are asked for.
BATCH = 256


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw. bytes: what it spells; text: the same as UTF-8, stray bytes shown as U+FFFD. logp: of each token,
    EOS last, nats. ended: False where `max_tokens` cut it off: then it is a draw of a prefix, not of p.

    warp: how p was changed token by token before the draw ("temperature 0.7, top-k 50"), "" where it was not: `logp` is
    of the changed law. own: log p of each token under the model itself, where the two differ; None where they do not, or
    where the draw begins inside a token of a prefix, whose spellings are weighed by the law that was drawn from."""

    text: str
    bytes: bytes
    tokens: NDArray[np.int64]
    logp: NDArray[np.float64]
    ended: bool
    terms: Terms
    warp: str = ""
    own: NDArray[np.float64] | None = None

    @property
    def total(self) -> float:
        """Σ logp: log p of the draw if it ended, else log P of it as a prefix."""
        return float(self.logp.sum())

    @property
    def own_total(self) -> float | None:
        """The same under the model itself, where `own` is known."""
        return None if self.own is None else float(self.own.sum())


def sample(
    lm: LM,
    n: int = 1,
    given: Given = "",
    max_tokens: int = 256,
    seed: int | None = None,
    boundary: Literal["token", "exact"] = "exact",
) -> list[Draw]:
    """n independent draws x ~ p(· | given), ancestral: x1 ~ p(·|x0), x2 ~ p(·|x0,x1), … until EOS.

    What is drawn from is what `score` scores. The same seed gives the same draws, whatever n; None asks the
    system for a fresh one. For a temperature draw from `warp(lm, temperature=…)`. `NoBOS` for a model without x0
    and an empty `given`; `Impossible` for a `given` of probability zero.

    boundary: "exact", `given` is a string, and the draw may be spelled by a token that begins inside it
    ("The interes" + "ting"): tokens[0] may then be such a token, of which `bytes` has the rest only, and logp[0] counts
    how the prefix was spelled, given that it was. Or "token": the draw begins with a new token.

    Right: `sample(lm, 5, seed=1)`. Wrong: taking a draw with `ended` False for one of p: it is a prefix.
    """
    n, max_tokens = check_whole_number("n", n), check_whole_number("max_tokens", max_tokens, 1)
    seed = None if seed is None else check_whole_number("seed", seed, advice="None draws a fresh one")
    if boundary not in ("token", "exact"):
        raise BadValue(f"boundary: expected 'exact' or 'token', found {boundary!r}", None)
    if isinstance(given, Prefix):
        draws = sample(with_prefix(lm, given), n, "", max_tokens, seed, boundary)
        return [replace(d, terms=terms_given_ids(lm, d.terms, given)) for d in draws]
    given, _ = lm.vocab.read(given)
    warping = lm.warping()
    warp = "" if warping is None else warping.text
    if boundary == "exact" and len(given) and not lm.vocab.unambiguous:
        return [replace(draw, warp=warp) for draw in _healed(lm, n, given, max_tokens, seed)]
    source = with_prefix(lm, given)
    given_bytes = len(to_bytes(given))
    seeds = np.random.SeedSequence(seed)
    out: list[Draw] = []
    while len(out) < n:
        (stream,) = seeds.spawn(1)
        rows = draw_paths(source, min(BATCH, n - len(out)), max_tokens, np.random.default_rng(stream))
        drawn = [_record(source.vocab, lm, ids, logp, given_bytes) for ids, logp in rows]
        if warping is not None:
            own = with_prefix(warping.lm, given).forward([ids for ids, _ in rows]).logp
            drawn = [replace(draw, warp=warp, own=p) for draw, p in zip(drawn, own)]
        out.extend(drawn)
    return out


def draw_paths(
    lm: LM, n: int, max_tokens: int, rng: np.random.Generator, state: State | None = None
) -> list[tuple[list[int], list[float]]]:
    """n rows side by side, behind `state` or x0; a row that has drawn EOS leaves the batch."""
    end = lm.vocab.end
    drawn: list[tuple[list[int], list[float]]] = [([], []) for _ in range(n)]
    live = np.arange(n)
    state = lm.start(n) if state is None else state
    for step in range(max_tokens):
        # Every row of a full batch gets its number, live or not, so that no draw depends on its neighbours.
        u = rng.random(BATCH)[live]
        ids = inverse_of_logs(state.logp, u)
        for row, i, lp in zip(live, ids, state.logp[np.arange(len(live)), ids]):
            drawn[row][0].append(int(i))
            drawn[row][1].append(float(lp))
        state = state.without_law()  # the laws of a batch are V numbers a row: those of one step at a time
        going = np.flatnonzero(ids != end) if end is not None else np.arange(len(live))
        if not len(going) or step + 1 == max_tokens:
            break
        if len(going) < len(live):
            state, live, ids = state.take(going), live[going], ids[going]
        state = lm.extend(state, ids[:, None])
    return drawn


def _healed(lm: LM, n: int, given: str | bytes, max_tokens: int, seed: int | None) -> list[Draw]:
    """Draws behind a string: a cover of it first, then tokens."""
    join = given_string(lm, given)
    if join.tail:
        check_possible(join.lm, [list(join.tail)], [given])
    out: list[Draw] = []
    seeds = np.random.SeedSequence(seed)
    while len(out) < n:
        (stream,) = seeds.spawn(1)
        first, *rngs = (np.random.default_rng(s) for s in stream.spawn(3))
        rows = min(BATCH, n - len(out))
        opened = join.draw(first.random((BATCH, 2))[:rows])
        paths: list[tuple[list[int], list[float]]] = [([], [])] * rows
        for new in (0, 1):  # rows behind whole tokens, and rows that close one first
            some = np.flatnonzero((opened.token >= 0) == new)
            state = opened.state.take(some)
            if new and len(some):
                state = lm.extend(state, opened.token[some, None])
            if len(some) and max_tokens > new:
                for k, path in zip(some, draw_paths(lm, len(some), max_tokens - new, rngs[new], state)):
                    paths[k] = path
        for (ids, logp), token, depth, p in zip(paths, opened.token, opened.depth, opened.logp):
            if token >= 0:
                ids, logp = [int(token), *ids], [float(p), *logp]
            else:
                logp = [logp[0] + float(p), *logp[1:]]
            draw = _record(lm.vocab.continuation, lm, ids, logp, len(to_bytes(given)), int(depth))
            out.append(replace(draw, terms=replace(draw.terms, boundary="exact")))
    return out


def _record(
    vocab: Vocab, lm: LM, ids: list[int], logp: list[float], given_bytes: int, inside: int = 0
) -> Draw:
    """inside: how many bytes of the first token lie in the prefix."""
    ended = bool(ids) and ids[-1] == lm.vocab.end
    tokens = np.array(ids[:-1] if ended else ids, dtype=np.int64)
    spelled = vocab.decode(tokens)[inside:]  # type: ignore[arg-type]
    small_print = terms(lm, len(tokens), len(spelled), given_bytes, ended)
    return Draw(spelled.decode("utf-8", "replace"), spelled, tokens, np.array(logp), ended, small_print)
