"""p(· | prefix) for a prefix that is a string: what follows may be spelled by tokens that begin inside it."""

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
from pofx.transforms.bytewise.hypotheses import END, Covers
from pofx.transforms.bytewise.shared_history_tree import beams
from pofx.transforms.bytewise.sorted_tokens import Tokens, sorted_tokens
from pofx.transforms.given import Given
from pofx.vocab.vocabulary import to_bytes

# Histories of a join, and bytes at the end of a prefix that are read as bytes, at least. Both cost calls of the model, and
# every byte widens the bounds of what follows.
BEAM, TAIL = 16, 16
# The same above so many tokens, where a history costs milliseconds: behind prefixes that end with a space, SmolLM2's answers
# differ from those by 6e-4 nats in the mean over 24 prefixes, at a quarter of the time.
LARGE = 10_000
BEAM_OF_LARGE, TAIL_OF_LARGE = 7, 8
# Tokens of the heads of a batch: 190 MB of keys and values of SmolLM2.
HELD = 4096


@dataclass(frozen=True)
class Join:
    """A prefix in two parts: `head`, read as tokens, and `tail`, the rest, whose bytes any tokens may spell.

    lm: the law of bytes behind the head, whose tokens are `ids`; source: the law of tokens there.

    p(y | prefix) = p(tail y) / P(tail), both under `lm`.
    """

    lm: LM
    source: LM
    head: bytes
    tail: bytes
    ids: tuple[int, ...] = ()

    @cached_property
    def covers(self) -> Covers:
        """The hypotheses behind the tail."""
        covers: Covers = self.lm.extend(self.lm.start(1), [list(self.tail)]).carry
        return covers

    def draw(self, u: NDArray[np.float64]) -> Opened:
        """Covers of the prefix, drawn by P(cover | prefix) from uniform numbers `u[n, 2]`."""
        c = self.covers
        ranges, logp = c.tokens.ranges, c.inner.logp
        spelled = c.prior - c.spelling[c.at] + ranges.mass(logp, c.at, c.lo, c.hi)
        weight = np.where(c.ends, c.prior, spelled)
        share = weight - logsumexp(weight)
        k = _drawn(share, u[:, 0])
        gain, token = share[k], np.full(len(k), -1)
        for h in np.unique(k[c.depth[k] > 0]):
            ids = ranges.ids[c.lo[h] : c.hi[h]]
            law = logp[c.at[h], ids].astype(np.float64)
            law -= logsumexp(law)
            rows = np.flatnonzero(k == h)
            t = _drawn(law, u[rows, 1])
            token[rows] = ids[t]
            gain[rows] += law[t]
        return Opened(c.inner.take(c.at[k]), token, c.depth[k], gain)


@dataclass(frozen=True, eq=False)
class Opened:
    """n covers of a prefix. state: of the tokens before the last one. token: the last one, of which `depth` bytes lie
    in the prefix; −1 where the prefix ends with a token. logp: log P(cover | prefix), nats."""

    state: State
    token: Ints
    depth: Ints
    logp: NDArray[np.float64]


def _drawn(logp: NDArray[np.float64], u: NDArray[np.float64]) -> Ints:
    mass = np.cumsum(np.exp(logp))
    found: Ints = np.searchsorted(mass, u * mass[-1], "right").astype(np.int64)
    return np.minimum(found, len(mass) - 1)


def given_string(lm: LM, prefix: str | bytes, beam: int | Literal["auto"] | None = "auto") -> Join:
    """The law of bytes behind the head of the prefix, and the tail that is to be conditioned on under it.

    The tail is the whole prefix up to 16 bytes; else it begins at the last place, 16 bytes or more before the end,
    that no token straddles: between words, where tokens are parts of words. What is before it is read as `encode`
    cuts it. Of a large vocabulary it is 8 bytes. A model without x0 is given at least the first token, which it cannot
    predict (`NoBOS` where there is none). beam: "auto" for 16 histories, 7 of a large vocabulary, and all of an n-gram,
    which are few (`LM.sufficient`): exact, and faster than 16.

    Right: `join = given_string(lm, "free soft")`, then `log_prob(join.lm, "ware", given=join.tail)`; or, for short,
    `log_prob(lm, "ware", given="free soft", boundary="exact")`. Wrong: forgetting the tail.
    """
    text = to_bytes(prefix)
    least = int(lm.begin.known == "none")
    large = lm.vocab.size > LARGE
    tail = TAIL_OF_LARGE if large else TAIL
    if len(text) <= tail and not least:
        return Join(over_bytes(lm, _beam(lm, beam)), lm, b"", text)
    ids = lm.vocab.encode(prefix)
    ends = np.cumsum([0, *map(len, lm.vocab.pieces(ids))])
    if least > len(ids):
        raise refuse_unconditional(lm.begin)
    opening = b" " if lm.vocab.opening else b""
    reach = sorted_tokens(lm.vocab.token_bytes).reach(opening + text)
    furthest = np.maximum.accumulate(np.arange(len(reach)) + reach) - len(opening)
    latest = len(text) - max(tail, 1)  # a token that reaches the end may go on in what follows
    clean = [
        k for k in range(1, len(ids)) if ends[k] <= latest and furthest[ends[k] - 1 + len(opening)] <= ends[k]
    ]
    k = max(clean, default=least)
    at = int(ends[k])
    behind = Given(lm, ids[:k], text[:at]) if k else lm
    return Join(
        over_bytes(behind, _beam(behind, beam)), behind, text[:at], text[at:], tuple(map(int, ids[:k]))
    )


def _beam(lm: LM, beam: int | Literal["auto"] | None) -> int | None:
    if beam != "auto":
        return beam
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
    """`joins[which[i]].lm.forward` of each path of bytes; where no more than log p is wanted, all paths side by side."""
    laws = [join.lm for join in joins]
    first = laws[0] if laws else None
    ids = [np.asarray(p, dtype=np.int64) for p in paths]
    if not isinstance(first, Bytewise) or not first.looks_ahead(want) or any(END in p[:-1] for p in ids):
        return _one_by_one(laws, which, paths, want, skips)
    tokens = Tokens.of(lm)
    logp = [np.zeros(len(p) - s) for p, s in zip(ids, skips)]
    extra = [np.zeros((3, len(p) - s)) for p, s in zip(ids, skips)]
    heads = sorted(range(len(joins)), key=lambda k: len(joins[k].ids))
    for some in _batches(heads, [len(joins[k].ids) for k in heads]):
        states = [_behind_head(lm, joins[k]) for k in some]
        root = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
        rows = {k: r for r, k in enumerate(some)}
        mine = [i for i, k in enumerate(which) if k in rows and len(ids[i])]
        if not mine:
            continue
        found = beams(tokens, [ids[i] for i in mine], first.beam or 1, root, [rows[which[i]] for i in mine])
        for i, steps in zip(mine, found):
            first.write(steps, skips[i], logp[i], extra[i])
    low, high, leak = (tuple(e[k] for e in extra) for k in range(3))
    return Trace(tuple(logp), low=low, high=high, leak=leak)


def _behind_head(lm: LM, join: Join) -> State:
    return lm.extend(lm.start(1), np.array([join.ids])) if join.ids else lm.start(1)


def _batches(heads: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """Heads, the shortest first, side by side as long as they hold no more than so many tokens together."""
    out: list[list[int]] = []
    for k, size in zip(heads, sizes):
        if out and (len(out[-1]) + 1) * max(size, 1) <= HELD and len(out[-1]) < BATCH:
            out[-1].append(k)
        else:
            out.append([k])
    return out


def _one_by_one(
    laws: Sequence[LM], which: Sequence[int], paths: Sequence[Path], want: Want, skips: Sequence[int]
) -> Trace:
    """Each law's own pass over its paths, put together."""
    traces: dict[int, tuple[Trace, dict[int, int]]] = {}
    for k, law in enumerate(laws):
        mine = [i for i, w in enumerate(which) if w == k]
        trace = law.forward([paths[i] for i in mine], want, [skips[i] for i in mine])
        traces[k] = trace, {i: j for j, i in enumerate(mine)}
    every = [(traces[k][0], traces[k][1][i]) for i, k in enumerate(which)]

    def field(name: str) -> Any:
        values = [getattr(trace, name) for trace, _ in every]
        return None if None in values else tuple(v[j] for v, (_, j) in zip(values, every))

    return Trace(**{f.name: field(f.name) for f in fields(Trace)})
