"""The distribution after a prefix that is a string: the text may be spelled by tokens that begin in the prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.transforms.bytewise.bytewise import BATCH, Bytewise, over_bytes
from pofx.transforms.bytewise.hypotheses import END, Hypotheses
from pofx.transforms.bytewise.shared_history_tree import beams
from pofx.transforms.bytewise.sorted_tokens import SortedVocabulary, sorted_tokens
from pofx.transforms.bytewise.steps import StepTerms, read_steps
from pofx.transforms.given import Given
from pofx.vocab.vocabulary import to_bytes

# The most histories of a join, and the fewest last bytes of a prefix that are read as bytes. Larger numbers cost more calls
# of the model, and every byte widens the bounds of the text that follows.
BEAM, TAIL = 16, 16
# The same two numbers for a vocabulary larger than LARGE, where a history costs milliseconds. After 24 prefixes that end
# with a space, SmolLM2's numbers differ by 6e-4 nats in the mean from the numbers with 16, at a quarter of the time.
LARGE = 10_000
BEAM_OF_LARGE, TAIL_OF_LARGE = 7, 8
# The most tokens of the heads of a batch: 190 MB of keys and values of SmolLM2.
HELD = 4096


@dataclass(frozen=True)
class Join:
    """A prefix in two parts: a head that is read as tokens, and a tail whose bytes any tokens may spell.

        p(y | prefix) = p(tail y) / P(tail), both under `lm`

    Attributes:
        lm: The distribution over bytes after the head.
        source: The distribution over tokens after the head.
        head: The bytes of the head.
        tail: The bytes of the tail.
        ids: The tokens of the head.
    """

    lm: LM
    source: LM
    head: bytes
    tail: bytes
    ids: tuple[int, ...] = ()

    @cached_property
    def hypotheses(self) -> Hypotheses:
        """The hypotheses after the tail."""
        hypotheses: Hypotheses = self.lm.extend(self.lm.start(1), [list(self.tail)]).carry
        return hypotheses

    def draw(self, u: NDArray[np.float64]) -> Opened:
        """Draw covers of the prefix by P(cover | prefix).

        Args:
            u: Uniform numbers in [0, 1), `[n, 2]`: the first chooses a hypothesis, the second its open token.
        """
        h = self.hypotheses
        ranges, logp = h.tokens.ranges, h.histories.logp
        spelled = h.prior - h.spelling[h.history] + ranges.mass(logp, h.history, h.lo, h.hi)
        weight = np.where(h.ends, h.prior, spelled)
        share = weight - logsumexp(weight)
        drawn = _draw(share, u[:, 0])
        gain, token = share[drawn], np.full(len(drawn), -1)
        for k in np.unique(drawn[h.depth[drawn] > 0]):
            ids = ranges.ids[h.lo[k] : h.hi[k]]
            share_of_token = logp[h.history[k], ids].astype(np.float64)
            share_of_token -= logsumexp(share_of_token)
            rows = np.flatnonzero(drawn == k)
            t = _draw(share_of_token, u[rows, 1])
            token[rows] = ids[t]
            gain[rows] += share_of_token[t]
        return Opened(h.histories.take(h.history[drawn]), token, h.depth[drawn], gain)


@dataclass(frozen=True, eq=False)
class Opened:
    """A sample of n covers of a prefix.

    Attributes:
        state: The state after the tokens before the last token, n rows.
        token: The id of the last token, `[n]`; −1 where the prefix ends with a token.
        depth: The number of bytes of the last token that lie in the prefix, `[n]`.
        logp: log P(cover | prefix), `[n]`, nats.
    """

    state: State
    token: Ints
    depth: Ints
    logp: NDArray[np.float64]


def _draw(logp: NDArray[np.float64], u: NDArray[np.float64]) -> Ints:
    mass = np.cumsum(np.exp(logp))
    place: Ints = np.searchsorted(mass, u * mass[-1], "right").astype(np.int64)
    return np.minimum(place, len(mass) - 1)


def given_string(lm: LM, prefix: str | bytes, beam: int | Literal["auto"] | None = "auto") -> Join:
    """Return the distribution over bytes after the head of a prefix, and the tail to condition this distribution on.

    The tail begins at the last place, 16 bytes or more before the end of the prefix, that no token straddles. Such a place
    lies between words where tokens are parts of words. A prefix of up to 16 bytes is all tail. The head is read as
    `encode` cuts it. For a large vocabulary 8 bytes take the place of 16. A model without x0 cannot predict the first
    token, so the head then has at least this token.

    Args:
        lm: A model of tokens.
        prefix: The prefix.
        beam: The most histories; None for all. "auto" is 16, or 7 for a large vocabulary, or None for an n-gram. An n-gram
            has few histories (`LM.sufficient`), so the exact sum is faster than a beam of 16.

    Returns:
        The join of the prefix with the texts that follow.

    Raises:
        NoBOS: The model has no x0, and the prefix has no token.

    Right: `join = given_string(lm, "free soft")`, then `log_prob(join.lm, "ware", given=join.tail)`; or, for short,
    `log_prob(lm, "ware", given="free soft", boundary="exact")`. Wrong: forgetting the tail.
    """
    text = to_bytes(prefix)
    least = int(lm.begin.known == "none")
    large = lm.vocab.size > LARGE
    tail = TAIL_OF_LARGE if large else TAIL
    if len(text) <= tail and not least:
        return Join(over_bytes(lm, affordable_beam(lm) if beam == "auto" else beam), lm, b"", text)
    ids = lm.vocab.encode(prefix)
    ends = np.cumsum([0, *map(len, lm.vocab.pieces(ids))])
    if least > len(ids):
        raise refuse_unconditional(lm.begin)
    opening = b" " if lm.vocab.opening else b""
    reach = sorted_tokens(lm.vocab.token_bytes).reach(opening + text)
    furthest = np.maximum.accumulate(np.arange(len(reach)) + reach) - len(opening)
    latest = len(text) - max(tail, 1)  # a token that reaches the end may continue in the text that follows
    clean = [
        k for k in range(1, len(ids)) if ends[k] <= latest and furthest[ends[k] - 1 + len(opening)] <= ends[k]
    ]
    k = max(clean, default=least)
    at = int(ends[k])
    source = Given(lm, ids[:k], text[:at]) if k else lm
    return Join(
        over_bytes(source, affordable_beam(source) if beam == "auto" else beam),
        source,
        text[:at],
        text[at:],
        tuple(map(int, ids[:k])),
    )


def affordable_beam(lm: LM) -> int | None:
    """Return the beam of a distribution over strings that is not named: None, the exact sum, where this sum is cheap."""
    if lm.vocab.size > LARGE:
        return BEAM_OF_LARGE
    return BEAM if lm.sufficient(lm.start(1)) is None else None


def forward_joins(
    lm: LM,
    joins: Sequence[Join],
    which: Sequence[int],
    paths: Sequence[Path],
    want: Want,
    skips: Sequence[int],
) -> Trace:
    """Return the trace of each path of bytes after its join; all paths are read side by side if only log p is requested.

    Args:
        lm: The model of tokens that all joins have.
        joins: The joins.
        which: The join of each path.
        paths: Ids of bytes.
        want: The request for more numbers than log p.
        skips: The number of first positions of each path that are not scored.
    """
    lms = [join.lm for join in joins]
    first = lms[0] if lms else None
    ids = [np.asarray(p, dtype=np.int64) for p in paths]
    if not isinstance(first, Bytewise) or not first.looks_ahead(want) or any(END in p[:-1] for p in ids):
        return _one_by_one(lms, which, paths, want, skips)
    tokens = SortedVocabulary.of(lm)
    terms = [StepTerms(*np.zeros((4, 0)))] * len(ids)
    heads = sorted(range(len(joins)), key=lambda k: len(joins[k].ids))
    for batch in _batches(heads, [len(joins[k].ids) for k in heads]):
        states = [_after_head(lm, joins[k]) for k in batch]
        root = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
        rows = {k: r for r, k in enumerate(batch)}
        mine = [i for i, k in enumerate(which) if k in rows and len(ids[i])]
        if not mine:
            continue
        steps = beams(tokens, [ids[i] for i in mine], first.beam or 1, root, [rows[which[i]] for i in mine])
        for i, each in zip(mine, steps):
            terms[i] = read_steps(each, skips[i], first.vocab.size)
    logp, low, high, leak = (tuple(getattr(t, f) for t in terms) for f in StepTerms._fields)
    return Trace(logp, low=low, high=high, leak=leak)


def _after_head(lm: LM, join: Join) -> State:
    return lm.extend(lm.start(1), np.array([join.ids])) if join.ids else lm.start(1)


def _batches(heads: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """Group heads, the shortest first; the heads of a group have at most `HELD` tokens together."""
    out: list[list[int]] = []
    for k, size in zip(heads, sizes):
        if out and (len(out[-1]) + 1) * max(size, 1) <= HELD and len(out[-1]) < BATCH:
            out[-1].append(k)
        else:
            out.append([k])
    return out


def _one_by_one(
    lms: Sequence[LM], which: Sequence[int], paths: Sequence[Path], want: Want, skips: Sequence[int]
) -> Trace:
    """Return one trace of the passes of each distribution over the paths of its join."""
    traces: dict[int, tuple[Trace, dict[int, int]]] = {}
    for k, each_lm in enumerate(lms):
        mine = [i for i, w in enumerate(which) if w == k]
        trace = each_lm.forward([paths[i] for i in mine], want, [skips[i] for i in mine])
        traces[k] = trace, {i: j for j, i in enumerate(mine)}
    every = [(traces[k][0], traces[k][1][i]) for i, k in enumerate(which)]

    def field(name: str) -> Any:
        values = [getattr(trace, name) for trace, _ in every]
        return None if None in values else tuple(v[j] for v, (_, j) in zip(values, every))

    return Trace(**{f.name: field(f.name) for f in fields(Trace)})
