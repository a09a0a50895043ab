"""The window rule: how a model of bounded context is a distribution over texts of any length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.files.reading_tape import Arrays, read_once
from pofx.lm.bounds import Bounds
from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.model import LM
from pofx.lm.paths import as_id_rows, skip_per_path
from pofx.lm.reading_progress import offset_reading, report_read, report_recalled
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.transforms.window_cuts import cuts, joined, rule, stretches
from pofx.transforms.windowed_branches import WindowedBranches
from pofx.transforms.wrapper import LMWrapper
from pofx.values import check_whole_number

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
    most = lm.context if context is None else check_whole_number("context", context, 2)
    if most is None:
        return lm
    if lm.context is not None and most > lm.context:
        raise BadValue(
            f"context: expected at most the {lm.context:,} tokens of the model, found {most:,}",
            "leave it out",
        )
    lead = int(lm.seen(1)[0])  # x0, and what is given
    room = most - lead + 1  # the last token of a window is predicted, and needs no place
    # Without x0 a window that re-reads nothing would have to say how texts begin.
    longest = room - (lm.begin.known == "none")
    if longest < 1 or most < 2:
        raise BadValue(
            f"context: expected room for at least two tokens, found {most} of which {lead} are taken by x0 and "
            "what is given",
            "take a longer one",
        )
    step = min(max(most // 2, 1), longest) if stride is None else stride
    step = check_whole_number("stride", step, 1, longest, f"a window of {most:,} tokens has room for no more")
    return Windowed(lm, most, room, step)


class Windowed(LMWrapper):
    """Windows of `room` predicted tokens behind x0, each `stride` after the last; made by `windowed`."""

    def __init__(self, lm: LM, context: int, room: int, stride: int) -> None:
        self.room, self.stride = room, stride
        window = rule(context, stride, context - room + 1)
        # What a token is conditioned on hangs on its place in the text, so no number of last tokens decides its law.
        super().__init__(lm, replace(lm.info, context=context, window=window, memory=None))

    def over(self, lm: LM) -> LM:
        """The same windows."""
        return Windowed(lm, self.context or 0, self.room, self.stride)

    def start(self, n: int) -> State:
        """n times the model's start, in an empty window."""
        empty = Rows(np.zeros((n, 0), dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros((n, 2)))
        return self._state(self.lm.start(n), empty)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Rows whose window is full begin the next one, and re-read what it shares with the last."""
        new = as_id_rows(ids, state.n)
        if not new.size:
            return state
        if self.interval and new.shape[1] > 1:  # the bounds of each full window count
            for token in new.T:
                state = self.extend(state, token[:, None])
            return state
        inner, rows = state.carry
        longer = rows.followed(new)
        full = longer.fill >= self.room
        if not full.any():
            return self._state(self.lm.extend(inner, new), longer)
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
        every = states[0].cat(*states[1:]) if len(states) > 1 else states[0]
        after = every if len(states) == 1 else every.take(back)
        if self.interval:
            kept = replace(kept, before=_passed_on(inner, after, kept.before, new[:, 0], full))
        return self._state(after, kept)

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
        skips = skip_per_path(skip, ids)
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
            with offset_reading(done, of):
                trace, known = self._read([cut[w] for w in some], [read[w] for w in some], want)
            done += sum(sizes[w] for w in some)
            (report_recalled if known else report_read)(done, of)
            for name, values in trace.items():
                for w, part in zip(some, np.split(values, np.cumsum([sizes[w] for w in some])[:-1])):
                    found[w][name] = part
        # Whatever a trace reports of positions, this does.
        names = found[0] if found else {}
        return Trace(**{"logp": (), **{n: joined([f[n] for f in found], ends) for n in names}})

    def _read(self, cut: Sequence[Ints], read: Sequence[int], want: Want) -> tuple[Arrays, bool]:
        """What the model says of the positions of some windows, laid end to end; and whether it had said so before."""

        def ask() -> Arrays:
            trace = self.lm.forward(cut, want, read)
            told = {f.name: getattr(trace, f.name) for f in fields(trace)}
            return {name: np.concatenate(values) for name, values in told.items() if values is not None}

        return read_once(("windows", *want.key, *read, *cut), ask)

    def branches(self, state: State) -> Branches:
        """As the model's own, in the window of each row."""
        inner, rows = state.carry
        return WindowedBranches(
            self.lm.branches(inner), ExtensionBranches(self.extend, state), rows.fill, self.room
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

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """None: what a window will drop hangs on where the text began."""
        return None

    def _state(self, inner: State, rows: Rows) -> State:
        return State(
            lambda: inner.logp,
            (inner, rows),
            inner.n,
            bounds=_bounds if self.interval else None,
            leak=(lambda carry: carry[0].leak) if self.leaks else None,
            held=lambda carry: carry[0].held,
        )


@dataclass(frozen=True, eq=False)
class Rows:
    """The tokens of each row's window so far: `ids[n, w]`, of which the first `fill[n]` count.

    before: `[n, 2]`, of a model with bounds: what is added to log of the mass that the window counts, and to the
    upper bound of that, for bounds of log P of the whole text.
    """

    ids: Ints
    fill: Ints
    before: NDArray[np.float64]

    def take(self, rows: Ints) -> Rows:
        """These rows."""
        return Rows(self.ids[rows], self.fill[rows], self.before[rows])

    def cat(self, others: Sequence[Rows]) -> Rows:
        """These rows and then those."""
        every = [self, *others]
        width = max(r.ids.shape[1] for r in every)
        ids = [np.pad(r.ids, ((0, 0), (0, width - r.ids.shape[1]))) for r in every]
        return Rows(
            np.concatenate(ids),
            np.concatenate([r.fill for r in every]),
            np.concatenate([r.before for r in every]),
        )

    def followed(self, new: Ints) -> Rows:
        """Each row followed by its row of `new[n, t]`."""
        t = new.shape[1]
        ids = np.pad(self.ids, ((0, 0), (0, t)))
        np.put_along_axis(ids, self.fill[:, None] + np.arange(t), new, axis=1)
        return Rows(ids, self.fill + t, self.before)

    def without(self, first: Ints) -> Rows:
        """Each row without its first so many tokens."""
        fill = self.fill - first
        at = np.minimum(first[:, None] + np.arange(int(fill.max(initial=0))), self.ids.shape[1] - 1)
        return Rows(np.take_along_axis(self.ids, at, axis=1), fill, self.before)


def _bounds(carry: tuple[State, Rows]) -> Bounds:
    """Those of the window, times what the windows before it have: P(x) = P(x up to the window) · P(window) / P(re-read)."""
    inner, rows = carry
    found, (least, most) = inner.bounds, rows.before.T
    assert found is not None  # noqa: S101  (ours: an LM with `interval` has states with bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        spare = most + found.most + np.log1p(-np.exp(np.minimum(least + found.kept - most - found.most, 0.0)))
    dropped = np.where(least == most, least + found.dropped, spare)
    return Bounds(least + found.kept, np.where(np.isnan(dropped), -np.inf, dropped), found.logp)


def _passed_on(
    old: State, new: State, before: NDArray[np.float64], token: Ints, full: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`Rows.before` of rows whose full window is followed by another: old and new, their states in either window."""
    last, first = old.bounds, new.bounds
    assert last is not None  # noqa: S101  (ours: an LM with `interval` has states with bounds)
    assert first is not None  # noqa: S101
    counted = last.kept + last.logp[np.arange(len(token)), token]
    ends = before + np.stack([counted, np.logaddexp(counted, last.dropped)], axis=1)
    again = np.where(np.isneginf(first.most), 0.0, first.most)[:, None]
    out: NDArray[np.float64] = np.where(full[:, None], ends - again, before)
    return out
