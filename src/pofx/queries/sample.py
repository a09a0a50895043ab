"""Draws from p, each with its log-probability."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.inversion import inverse_of_logs
from pofx.errors import BadValue
from pofx.interactive.shown import Shown
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.scoring.terms import Given, Terms, terms, terms_given_ids
from pofx.transforms.given import Prefix, check_possible
from pofx.transforms.given import given as with_prefix
from pofx.transforms.given_string import given_string
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import Vocab, to_bytes

# The number of rows that are drawn side by side. It is fixed, so that draw i does not depend on the number of draws.
BATCH = 256


@dataclass(frozen=True, eq=False, repr=False)
class Draw(Shown):
    """One draw from p, with its log-probability.

    Attributes:
        text: The draw as UTF-8; stray bytes are shown as U+FFFD.
        bytes: The bytes of the draw.
        tokens: The ids of the draw, `[t]`, EOS not included.
        logp: log p of each token under the distribution of the draw, nats, `[t + 1]`; the last entry is of EOS. `[t]` where
            the draw did not end.
        ended: Whether EOS was drawn. If not, `max_tokens` cut the draw off, and the draw is of a prefix.
        terms: The terms that were counted, and their rules.
        warp: The warp of the distribution, such as "temperature 0.7, top-k 50"; "" for no warp.
        own: log p of each token under the model without the warp, nats. None without a warp, and where the draw begins
            inside a token of the prefix, whose spellings were weighed by the warped distribution.

    Right: `sample(lm)[0].total`. Wrong: comparing the `total` of draws of which only some `ended`.
    """

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
        """Σ logp, nats: log p of a draw that ended, else log P of the draw as a prefix."""
        return float(self.logp.sum())

    @property
    def own_total(self) -> float | None:
        """Σ own, nats: the `total` under the model without the warp; None where `own` is None."""
        return None if self.own is None else float(self.own.sum())


def sample(
    lm: LM,
    n: int = 1,
    given: Given = "",
    max_tokens: int = 256,
    seed: int | None = None,
    boundary: Literal["token", "exact"] = "exact",
) -> list[Draw]:
    """Draw n independent texts x ~ p(· | given), token by token: x1 ~ p(·|x0), x2 ~ p(·|x0,x1), … until EOS.

    `sample` draws from the distribution that `score` scores. For a temperature draw from `warp(lm, temperature=…)`.

    Args:
        lm: The model.
        n: The number of draws.
        given: The prefix to condition on: a string, or a conversation (`chat`).
        max_tokens: The most tokens of a draw; a longer draw is cut off.
        seed: The same seed gives the same draws, and draw i does not depend on n. For None the system gives a fresh seed.
        boundary: With "exact", `given` is a string, and a token that begins inside `given` may spell the draw's first bytes
            ("The interes" + "ting"). `tokens[0]` may then be such a token. `bytes` has only its part after the prefix, and
            `logp[0]` includes log p of this spelling of the prefix, given the prefix. With "token", the draw begins with a
            new token.

    Returns:
        The draws.

    Raises:
        NoBOS: The model has no x0, and `given` is empty.
        Impossible: `given` has probability zero.
        BadValue: An argument is outside its domain.

    Right: `sample(lm, 5, seed=1)`. Wrong: taking a draw with `ended` False for a whole text, since it is a prefix.
    """
    if isinstance(given, Prefix):
        draws = sample(with_prefix(lm, given), n, "", max_tokens, seed, boundary)
        return [replace(d, terms=terms_given_ids(lm, d.terms, given)) for d in draws]
    found = dict(each_draw(lm, n, given, max_tokens, seed, boundary))
    draws = [found[k] for k in range(len(found))]
    return [
        draw for lo in range(0, len(draws), BATCH) for draw in with_own(lm, given, draws[lo : lo + BATCH])
    ]


def each_draw(
    lm: LM,
    n: int,
    given: str | bytes,
    max_tokens: int,
    seed: int | None,
    boundary: Literal["token", "exact"],
) -> Iterator[tuple[int, Draw]]:
    """Yield each draw of `sample` as soon as it has ended, with its number among the draws; `own` is not computed.

    The arguments and the draws are the same as in `sample`.
    """
    n, max_tokens = check_whole_number("n", n), check_whole_number("max_tokens", max_tokens, 1)
    seed = None if seed is None else check_whole_number("seed", seed, advice="None draws a fresh seed")
    if boundary not in ("token", "exact"):
        raise BadValue(
            f"expected 'exact' or 'token', got {boundary!r}",
            "write one of the two words",
            argument="boundary",
        )
    given, _ = lm.vocab.read(given)
    warping = lm.warping()
    inside = boundary == "exact" and len(given) and not lm.vocab.unambiguous
    found = (_draws_exact if inside else _draws_after)(lm, n, given, max_tokens, seed)
    for k, draw in found:
        yield k, draw if warping is None else replace(draw, warp=warping.text)


def with_own(lm: LM, given: str | bytes, draws: Sequence[Draw]) -> list[Draw]:
    """Return the draws with `own`, log p under the model without the warp, where there is a warp and `own` is known."""
    warping = lm.warping()
    if warping is None or any(draw.terms.boundary == "exact" for draw in draws):
        return list(draws)
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    paths = [[*draw.tokens.tolist(), *(end if draw.ended else [])] for draw in draws]
    own = with_prefix(warping.lm, lm.vocab.read(given)[0]).forward(paths).logp
    return [replace(draw, own=p) for draw, p in zip(draws, own)]


def draw_paths(
    lm: LM, n: int, max_tokens: int, rng: np.random.Generator, state: State | None = None
) -> list[tuple[list[int], list[float]]]:
    """Draw n rows side by side; a row that has drawn EOS leaves the batch.

    Args:
        lm: The model.
        n: The number of rows, at most `BATCH`.
        max_tokens: The most tokens of a row.
        rng: The source of randomness.
        state: The state of n prefixes that the rows follow; None for rows after x0.

    Returns:
        For each row its tokens, and log p of each token, nats.
    """
    drawn = {row: (ids, logp) for row, ids, logp in _each_path(lm, n, max_tokens, rng, state)}
    return [drawn[row] for row in range(n)]


def _each_path(
    lm: LM, n: int, max_tokens: int, rng: np.random.Generator, state: State | None = None
) -> Iterator[tuple[int, list[int], list[float]]]:
    """Yield each row of `draw_paths` as soon as it has ended."""
    end = lm.vocab.end
    drawn: list[tuple[list[int], list[float]]] = [([], []) for _ in range(n)]
    live = np.arange(n)
    state = lm.start(n) if state is None else state
    for step in range(max_tokens):
        # Every row of a full batch gets a random number, so that no draw depends on its neighbours.
        u = rng.random(BATCH)[live]
        ids = inverse_of_logs(state.logp, u)
        for row, i, lp in zip(live, ids, state.logp[np.arange(len(live)), ids]):
            drawn[row][0].append(int(i))
            drawn[row][1].append(float(lp))
        state = state.without_distributions()  # V numbers a row, so only the rows of one step stay in memory
        going = np.flatnonzero(ids != end) if end is not None else np.arange(len(live))
        last = not len(going) or step + 1 == max_tokens
        for row in live if last else np.delete(live, going):
            yield int(row), *drawn[row]
        if last:
            break
        if len(going) < len(live):
            state, live, ids = state.take(going), live[going], ids[going]
        state = lm.extend(state, ids[:, None])


def _draws_after(
    lm: LM, n: int, given: str | bytes, max_tokens: int, seed: int | None
) -> Iterator[tuple[int, Draw]]:
    """Draw texts after the tokens of a prefix."""
    source, given_bytes = with_prefix(lm, given), len(to_bytes(given))
    seeds = np.random.SeedSequence(seed)
    for lo in range(0, n, BATCH):
        (stream,) = seeds.spawn(1)
        for row, ids, logp in _each_path(
            source, min(BATCH, n - lo), max_tokens, np.random.default_rng(stream)
        ):
            yield lo + row, _record(source.vocab, lm, ids, logp, given_bytes)


def _draws_exact(
    lm: LM, n: int, given: str | bytes, max_tokens: int, seed: int | None
) -> Iterator[tuple[int, Draw]]:
    """Draw texts after a string: first a token sequence that covers the string, then tokens."""
    join, given_bytes = given_string(lm, given), len(to_bytes(given))
    if join.tail:
        check_possible(join.lm, [list(join.tail)], [given])
    seeds = np.random.SeedSequence(seed)
    for lo in range(0, n, BATCH):
        (stream,) = seeds.spawn(1)
        first, *rngs = (np.random.default_rng(s) for s in stream.spawn(3))
        rows = min(BATCH, n - lo)
        opened = join.draw(first.random((BATCH, 2))[:rows])
        for new in (0, 1):  # rows after whole tokens come first, then rows that first close a token
            group = np.flatnonzero((opened.token >= 0) == new)
            state = opened.state.take(group)
            if new and len(group):
                state = lm.extend(state, opened.token[group, None])
            ends: Iterable[tuple[int, list[int], list[float]]] = (
                (k, list[int](), list[float]()) for k in range(len(group))
            )
            if len(group) and max_tokens > new:
                ends = _each_path(lm, len(group), max_tokens - new, rngs[new], state)
            for k, ids, logp in ends:
                row = group[k]
                p, token = float(opened.logp[row]), int(opened.token[row])
                if token >= 0:
                    ids, logp = [token, *ids], [p, *logp]
                else:
                    logp = [logp[0] + p, *logp[1:]]
                draw = _record(lm.vocab.continuation, lm, ids, logp, given_bytes, int(opened.depth[row]))
                yield lo + int(row), replace(draw, terms=replace(draw.terms, boundary="exact"))


def _record(
    vocab: Vocab, lm: LM, ids: list[int], logp: list[float], given_bytes: int, inside: int = 0
) -> Draw:
    """Make the record of one row; `inside` bytes of its first token lie in the prefix."""
    ended = bool(ids) and ids[-1] == lm.vocab.end
    tokens = np.array(ids[:-1] if ended else ids, dtype=np.int64)
    spelled = vocab.decode(tokens)[inside:]  # type: ignore[arg-type]
    small_print = terms(lm, len(tokens), len(spelled), given_bytes, ended)
    return Draw(spelled.decode("utf-8", "replace"), spelled, tokens, np.array(logp), ended, small_print)
