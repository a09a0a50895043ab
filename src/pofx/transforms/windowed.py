"""The window rule: how a model of bounded context is a distribution over texts of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.branches import Branches, ByExtension
from pofx.errors import BadValue
from pofx.lm import LM, id_rows, per_path
from pofx.passes import behind, passed, recalled
from pofx.state import State
from pofx.tape import Arrays, read_once
from pofx.trace import Ints, Path, Trace, Want
from pofx.transforms.windowed_branches import WindowedBranches
from pofx.values import whole

# Of a stretch: so many products of a network, some 5 s of a core, or of what takes next to none so many tokens.
PRODUCTS = 2 * 10**11
TOKENS = 1 << 14


def windowed(lm: LM, context: int | None = None, stride: int | None = None) -> LM:
    """p(x) = Π p(x_i | x0, its window before i): texts longer than `context` are read by windows.

    Every window is a path of the model of its own, so x0 stands at the front of each, and counts as one of the
    `context` tokens that are read. The last token of a window is predicted and not read, so that a text of which
    all but EOS fits is read whole. Each further window begins `stride` tokens later (half the context) and
    re-reads what it shares with the last; a token is predicted once, by the first window that holds it, which
    gives it the longest context of those that do. Which one depends on its position only, never on what follows,
    so p stays a distribution: `seen` says how much a position is given, `window` states the rule.

    context: at most the model's own (`BadValue`), which is the default; a model without one is given back as it
    is. Right: `windowed(lm)` for whole books. Wrong: comparing log p of long texts under two strides.
    """
    most = lm.context if context is None else whole("context", context, 2)
    if most is None:
        return lm
    if lm.context is not None and most > lm.context:
        raise BadValue(
            f"context: expected at most the {lm.context:,} tokens of the model, found {most:,}; leave it out"
        )
    lead = int(lm.seen(1)[0])  # x0, and what is given
    room = most - lead + 1  # the last token of a window is predicted, and needs no place
    # Without x0 a window that re-reads nothing would have to say how texts begin.
    longest = room - (lm.begin.known == "none")
    if longest < 1 or most < 2:
        raise BadValue(
            f"context: expected room for at least two tokens, found {most} of which {lead} are taken by x0 and "
            "what is given; take a longer one"
        )
    step = min(max(most // 2, 1), longest) if stride is None else stride
    step = whole("stride", step, 1, longest, f"a window of {most:,} tokens has room for no more")
    return Windowed(lm, most, room, step)


class Windowed(LM):
    """Windows of `room` predicted tokens behind x0, each `stride` after the last; made by `windowed`."""

    def __init__(self, lm: LM, context: int, room: int, stride: int) -> None:
        self.lm, self.context, self.room, self.stride = lm, context, room, stride
        self.vocab, self.begin, self.dtype = lm.vocab, lm.begin, lm.dtype
        self.fingerprint, self.positive, self.interval = lm.fingerprint, lm.positive, lm.interval
        self.work = lm.work
        self.window = rule(context, stride, context - room + 1)

    def start(self, n: int) -> State:
        """n times the model's start, in an empty window."""
        inner = self.lm.start(n)
        return _state(inner, Rows(np.zeros((n, 0), dtype=np.int64), np.zeros(n, dtype=np.int64)))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Rows whose window is full begin the next one, and re-read what it shares with the last."""
        new = id_rows(ids, state.n)
        if not new.size:
            return state
        inner, rows = state.carry
        longer = rows.followed(new)
        full = longer.fill >= self.room
        if not full.any():
            return _state(self.lm.extend(inner, new), longer)
        # A full window may be followed by several, of which only the last is to be read.
        skipped = np.where(full, 1 + (longer.fill - self.room) // self.stride, 0) * self.stride
        kept = longer.without(skipped)
        going = np.flatnonzero(~full)
        states, order = [self.lm.extend(inner.take(going), new[going])] if len(going) else [], [going]
        for size in np.unique(kept.fill[full]):
            some = np.flatnonzero(full & (kept.fill == size))
            fresh = self.lm.start(len(some))
            states.append(self.lm.extend(fresh, kept.ids[some, :size]) if size else fresh)
            order.append(some)
        back = np.argsort(np.concatenate(order))
        joined = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
        return _state(joined if len(states) == 1 else joined.take(back), kept)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """All windows of all paths, but for those in which nothing is asked.

        Paths of one window go through the model together; the windows of longer ones in stretches of some seconds, each
        of which is recorded (`tape`). Where stretches are cut depends on the paths and the model alone.
        """
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        skips = per_path(skip, ids)
        cut: list[NDArray[np.int64]] = []
        read: list[int] = []
        ends: list[int] = []
        for path, first in zip(ids, skips):
            for lo, hi, fresh in cuts(len(path), first, self.room, self.stride):
                cut.append(path[lo:hi])
                read.append(fresh - lo)
            ends.append(len(cut))
        sizes = [len(w) - r for w, r in zip(cut, read)]
        parts = stretches(sizes, ends, max(1, PRODUCTS // self.work) if self.work else TOKENS)
        done, of = 0, sum(sizes)
        found: list[dict[str, NDArray[Any]]] = [{} for _ in cut]
        for some in parts:
            with behind(done, of):
                trace, known = self._read([cut[w] for w in some], [read[w] for w in some], want)
            done += sum(sizes[w] for w in some)
            (recalled if known else passed)(done, of)
            for name, values in trace.items():
                for w, part in zip(some, np.split(values, np.cumsum([sizes[w] for w in some])[:-1])):
                    found[w][name] = part
        # Whatever a trace reports of positions, this does.
        names = found[0] if found else {}
        return Trace(**{"logp": (), **{n: _joined([f[n] for f in found], ends) for n in names}})

    def _read(self, cut: Sequence[Ints], read: Sequence[int], want: Want) -> tuple[Arrays, bool]:
        """What the model says of the positions of some windows, laid end to end; and whether it had said so before."""

        def ask() -> Arrays:
            trace = self.lm.forward(cut, want, read)
            told = {f.name: getattr(trace, f.name) for f in fields(trace)}
            return {name: np.concatenate(values) for name, values in told.items() if values is not None}

        return read_once(("windows", *want.plain, *read, *cut), ask)

    def branches(self, state: State) -> Branches:
        """As the model's own, in the window of each row."""
        inner, rows = state.carry
        return WindowedBranches(
            self.lm.branches(inner), ByExtension(self.extend, state), rows.fill, self.room
        )

    def seen(self, n: int) -> Ints:
        """By the window rule: what the model is given in the window that predicts the position."""
        at = np.arange(n, dtype=np.int64)
        before = np.where(at < self.room, 0, 1 + (at - self.room) // self.stride) * self.stride
        seen: Ints = self.lm.seen(min(n, self.room))[at - before]
        return seen

    def bare(self) -> LM | None:
        """As the model itself, without windows."""
        return self.lm.bare()


def rule(context: int, stride: int, lead: int) -> str:
    """The rule in words, for `LM.window`."""
    front = ("no x0", "x0 at the front of each")[lead] if lead < 2 else "x0 and what is given before each"
    return (
        f"windows of {context:,} tokens, {front}; the next begins {stride:,} later; "
        f"effective context {context + 1 - stride:,} to {context:,}"
    )


def cuts(n: int, skip: int, room: int, stride: int) -> list[tuple[int, int, int]]:
    """Windows (start, stop, first position that counts) of a path of n tokens, those before `skip` not asked for.

    Window k holds the positions k·stride … k·stride + room, and predicts those that no earlier one holds. At
    least one, for a path of which nothing is asked an empty one.
    """
    if skip >= n:
        return [(0, 0, 0)]
    k = 0 if skip < room else 1 + (skip - room) // stride
    out = []
    while True:
        lo = k * stride
        hi = min(lo + room, n)
        out.append((lo, hi, max(skip, lo + room - stride if k else 0)))
        if hi == n:
            return out
        k += 1


@dataclass(frozen=True, eq=False)
class Rows:
    """The tokens of each row's window so far: `ids[n, w]`, of which the first `fill[n]` count."""

    ids: Ints
    fill: Ints

    def take(self, rows: Ints) -> Rows:
        """These rows."""
        return Rows(self.ids[rows], self.fill[rows])

    def cat(self, others: Sequence[Rows]) -> Rows:
        """These rows and then those."""
        every = [self, *others]
        width = max(r.ids.shape[1] for r in every)
        ids = [np.pad(r.ids, ((0, 0), (0, width - r.ids.shape[1]))) for r in every]
        return Rows(np.concatenate(ids), np.concatenate([r.fill for r in every]))

    def followed(self, new: Ints) -> Rows:
        """Each row followed by its row of `new[n, t]`."""
        t = new.shape[1]
        ids = np.pad(self.ids, ((0, 0), (0, t)))
        np.put_along_axis(ids, self.fill[:, None] + np.arange(t), new, axis=1)
        return Rows(ids, self.fill + t)

    def without(self, first: Ints) -> Rows:
        """Each row without its first so many tokens."""
        fill = self.fill - first
        at = np.minimum(first[:, None] + np.arange(int(fill.max(initial=0))), self.ids.shape[1] - 1)
        return Rows(np.take_along_axis(self.ids, at, axis=1), fill)


def _state(inner: State, rows: Rows) -> State:
    return State(lambda: inner.logp, (inner, rows), inner.n)


def stretches(sizes: Sequence[int], ends: Sequence[int], most: int) -> list[list[int]]:
    """The windows, of so many tokens each, in the order in which they are read, some at a time.

    First those that are a whole path, all at once: what they have in common is read once. Then the others, about `most`
    tokens at a time. Path i has the windows from `ends[i − 1]` up to `ends[i]`.
    """
    alone: list[int] = []
    out: list[list[int]] = []
    size = most
    for lo, hi in zip((0, *ends), ends):
        if hi - lo == 1:
            alone.append(lo)
            continue
        for w in range(lo, hi):
            if size + sizes[w] > most:
                out.append([])
                size = 0
            out[-1].append(w)
            size += sizes[w]
    return [alone, *out] if alone else out


def _joined(found: Sequence[NDArray[Any]], ends: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """Arrays of windows as arrays of paths; path i has those up to `ends[i]`."""
    out, lo = [], 0
    for hi in ends:
        out.append(found[lo] if hi - lo == 1 else np.concatenate(found[lo:hi]))
        lo = hi
    return tuple(out)
