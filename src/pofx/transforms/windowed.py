"""The window rule, by which a model of bounded context is a distribution over texts of any length."""

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
from pofx.lm.path_distributions import PathDistributions
from pofx.lm.paths import as_id_rows, skip_per_path
from pofx.lm.reading_progress import offset_reading, report_read, report_recalled
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.transforms.window_cuts import concatenate_windows, cuts, rule, stretches
from pofx.transforms.windowed_branches import WindowedBranches
from pofx.transforms.windowed_distributions import WindowedDistributions
from pofx.transforms.wrapper import LMWrapper
from pofx.values import check_whole_number

# The size of a stretch: multiplications of a network, some 5 s of a core; or tokens, for a model of nearly no cost.
PRODUCTS = 2 * 10**11
TOKENS = 1 << 14


def windowed(lm: LM, context: int | None = None, stride: int | None = None) -> LM:
    """Read texts longer than the context window by overlapping windows.

        p(x) = Π_i p(x_i | x0, tokens of the window before i)

    Every window is a path of the model, so x0 stands at its front and counts as one of the `context` tokens that are
    read. A window predicts one token more than it reads, so a text that fills the context gets its EOS without a second
    window. The next window begins `stride` tokens later, and reads the tokens that both windows share once more.

    The first window that contains a token predicts the token, since this window gives the longest context. The choice of
    the window depends on the position only, so p is a distribution. `seen` gives the number of tokens that a position is
    conditioned on, and `window` states the rule in words.

    Args:
        lm: The model; a model without a context window is returned as it is, if `context` is left out.
        context: The number of tokens that a window reads, at most the model's own context, which is the default.
        stride: The number of tokens between the starts of two windows; half of `context` by default.

    Returns:
        The model without a longest text.

    Raises:
        BadValue: The context is longer than the model's own or too short, or a stride leaves tokens out.

    Right: `windowed(lm)` for whole books. Wrong: comparing log p of long texts under two strides.
    """
    most = lm.context if context is None else check_whole_number("context", context, 2)
    if most is None:
        return lm
    if lm.context is not None and most > lm.context:
        raise BadValue(
            f"expected at most the {lm.context:,} tokens of the model, got {most:,}",
            "leave context out",
            argument="context",
        )
    lead = int(lm.seen(1)[0])  # x0, and the tokens of a prefix
    room = most - lead + 1  # the last token of a window is predicted, and needs no place
    # Without x0, the first token of a window that shares no token with the last window could not be predicted.
    longest = room - (lm.begin.known == "none")
    if longest < 1 or most < 2:
        raise BadValue(
            f"expected room for at least two tokens, got {most}, where x0 and the given text take {lead}",
            "take a longer context",
            argument="context",
        )
    step = min(max(most // 2, 1), longest) if stride is None else stride
    step = check_whole_number("stride", step, 1, longest, f"a window of {most:,} tokens has room for no more")
    return Windowed(lm, most, room, step)


class Windowed(LMWrapper):
    """A model that reads windows of `room` predicted tokens, each `stride` after the last; made by `windowed`."""

    def __init__(self, lm: LM, context: int, room: int, stride: int) -> None:
        self.room, self.stride = room, stride
        window = rule(context, stride, context - room + 1)
        # The place of a token in the text decides its context, so no number of last tokens decides its distribution.
        super().__init__(lm, replace(lm.info, context=context, window=window, memory=None))

    def over(self, lm: LM) -> LM:
        """Return another model with the same windows."""
        return Windowed(lm, self.context or 0, self.room, self.stride)

    def start(self, n: int) -> State:
        """Return the state of the model at the start, with n empty windows."""
        empty = OpenWindows(np.zeros((n, 0), dtype=np.int64), np.zeros(n, dtype=np.int64), np.zeros((n, 2)))
        return self._state(self.lm.start(n), empty)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the extended state; a row with a full window begins the next window with the tokens that both share."""
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
        # Several windows may follow a full window, and only the last of these windows must be read.
        skipped = np.where(full, 1 + (longer.fill - self.room) // self.stride, 0) * self.stride
        kept = longer.without(skipped)
        going = np.flatnonzero(~full)
        states, order = [self.lm.extend(inner.take(going), new[going])] if len(going) else [], [going]
        for size in np.unique(kept.fill[full]):
            same = np.flatnonzero(full & (kept.fill == size))
            empty = self.lm.start(len(same))
            states.append(self.lm.extend(empty, kept.ids[same, :size]) if size else empty)
            order.append(same)
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
        """Return the trace of the model's passes over all windows that have scored positions.

        The model reads paths of one window together. The windows of longer paths are read in stretches of some seconds,
        and each stretch is recorded (`read_once`). The cuts between stretches depend on the paths and the model only.
        """
        cut, read, ends = self._windows(paths, skip)
        sizes = [len(w) - r for w, r in zip(cut, read)]
        parts = stretches(sizes, ends, max(1, PRODUCTS // self.work) if self.work else TOKENS)
        done, of = 0, sum(sizes)
        traced: list[dict[str, NDArray[Any]]] = [{} for _ in cut]
        for stretch in parts:
            with offset_reading(done, of):
                trace, known = self._read([cut[w] for w in stretch], [read[w] for w in stretch], want)
            done += sum(sizes[w] for w in stretch)
            (report_recalled if known else report_read)(done, of)
            for name, values in trace.items():
                for w, part in zip(stretch, np.split(values, np.cumsum([sizes[w] for w in stretch])[:-1])):
                    traced[w][name] = part
        # The trace has every field that the model's traces have.
        names = traced[0] if traced else {}
        return Trace(**{"logp": (), **{n: concatenate_windows([t[n] for t in traced], ends) for n in names}})

    def path_distributions(
        self, paths: Sequence[Path], skip: int | Sequence[int] = 0
    ) -> PathDistributions | None:
        """Return the model's distributions along the windows, which are read a stretch at a time."""
        if self.lm.path_distributions([]) is None:
            return None
        cut, read, _ = self._windows(paths, skip)
        return WindowedDistributions(self.lm, cut, read)

    def _windows(
        self, paths: Sequence[Path], skip: int | Sequence[int]
    ) -> tuple[list[Ints], list[int], list[int]]:
        """Return the tokens of each window, how many of them it does not predict, and where the windows of each path end."""
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        cut: list[Ints] = []
        read: list[int] = []
        ends: list[int] = []
        for path, first in zip(ids, skip_per_path(skip, ids)):
            for lo, hi, fresh in cuts(len(path), first, self.room, self.stride):
                cut.append(path[lo:hi])
                read.append(fresh - lo)
            ends.append(len(cut))
        return cut, read, ends

    def _read(self, cut: Sequence[Ints], read: Sequence[int], want: Want) -> tuple[Arrays, bool]:
        """Return the fields of the model's trace of some windows, concatenated, and whether a recording had the trace."""

        def ask() -> Arrays:
            trace = self.lm.forward(cut, want, read)
            by_field = {f.name: getattr(trace, f.name) for f in fields(trace)}
            return {name: np.concatenate(values) for name, values in by_field.items() if values is not None}

        return read_once(("windows", *want.key, *read, *cut), ask)

    def branches(self, state: State) -> Branches:
        """Return branches of the model inside the window of each row, and branches by `extend` beyond the window."""
        inner, rows = state.carry
        return WindowedBranches(
            self.lm.branches(inner), ExtensionBranches(self.extend, state), rows.fill, self.room
        )

    def seen(self, n: int) -> Ints:
        """Return the effective context of each position: the model's own at its place in the window that predicts it."""
        at = np.arange(n, dtype=np.int64)
        before = np.where(at < self.room, 0, 1 + (at - self.room) // self.stride) * self.stride
        seen: Ints = self.lm.seen(min(n, self.room))[at - before]
        return seen

    def bare(self) -> LM | None:
        """Return the model inside this transform, without windows and without the x0 that `with_begin` added."""
        return self.lm.bare()

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """Return None, since the place of the beginning of the text decides which tokens a window will drop."""
        return None

    def _state(self, inner: State, rows: OpenWindows) -> State:
        return State(
            lambda: inner.logp,
            (inner, rows),
            inner.n,
            bounds=_bounds if self.interval else None,
            leak=(lambda carry: carry[0].leak) if self.leaks else None,
            held=lambda carry: carry[0].held,
        )


@dataclass(frozen=True, eq=False)
class OpenWindows:
    """The open windows of n texts.

    Attributes:
        ids: The tokens of each window so far, `[n, w]`.
        fill: The number of entries of each row of `ids` that count, `[n]`.
        before: For a model with bounds, log of the counted mass and its upper bound before the window, `[n, 2]`, nats. The
            sum of these numbers and the bounds of the window are bounds on log P of the whole text.
    """

    ids: Ints
    fill: Ints
    before: NDArray[np.float64]

    def take(self, rows: Ints) -> OpenWindows:
        """Return the windows of the texts `rows`."""
        return OpenWindows(self.ids[rows], self.fill[rows], self.before[rows])

    def cat(self, others: Sequence[OpenWindows]) -> OpenWindows:
        """Return the windows of these texts, followed by the windows of the other texts."""
        every = [self, *others]
        width = max(r.ids.shape[1] for r in every)
        ids = [np.pad(r.ids, ((0, 0), (0, width - r.ids.shape[1]))) for r in every]
        return OpenWindows(
            np.concatenate(ids),
            np.concatenate([r.fill for r in every]),
            np.concatenate([r.before for r in every]),
        )

    def followed(self, new: Ints) -> OpenWindows:
        """Return each window followed by its row of `new[n, t]`."""
        t = new.shape[1]
        ids = np.pad(self.ids, ((0, 0), (0, t)))
        np.put_along_axis(ids, self.fill[:, None] + np.arange(t), new, axis=1)
        return OpenWindows(ids, self.fill + t, self.before)

    def without(self, first: Ints) -> OpenWindows:
        """Return each window without its first `first[i]` tokens; `first` is `[n]`."""
        fill = self.fill - first
        at = np.minimum(first[:, None] + np.arange(int(fill.max(initial=0))), self.ids.shape[1] - 1)
        return OpenWindows(np.take_along_axis(self.ids, at, axis=1), fill, self.before)


def _bounds(carry: tuple[State, OpenWindows]) -> Bounds:
    """Return the bounds of the whole text: P(x) = P(x up to the window) · P(window) / P(tokens read again)."""
    inner, rows = carry
    bounds, (least, most) = inner.bounds, rows.before.T
    assert bounds is not None  # noqa: S101  (ours: an LM with `interval` has states with bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        spare = (
            most + bounds.most + np.log1p(-np.exp(np.minimum(least + bounds.kept - most - bounds.most, 0.0)))
        )
    dropped = np.where(least == most, least + bounds.dropped, spare)
    return Bounds(least + bounds.kept, np.where(np.isnan(dropped), -np.inf, dropped), bounds.logp)


def _passed_on(
    old: State, new: State, before: NDArray[np.float64], token: Ints, full: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return `OpenWindows.before` where the next window follows a full window.

    Args:
        old: The state in the full window.
        new: The state in the next window.
        before: `OpenWindows.before` of the full window, `[n, 2]`, nats.
        token: The last token of the full window, `[n]`.
        full: Whether the window of each text is full, `[n]`.
    """
    last, first = old.bounds, new.bounds
    assert last is not None  # noqa: S101  (ours: an LM with `interval` has states with bounds)
    assert first is not None  # noqa: S101
    counted = last.kept + last.logp[np.arange(len(token)), token]
    ends = before + np.stack([counted, np.logaddexp(counted, last.dropped)], axis=1)
    again = np.where(np.isneginf(first.most), 0.0, first.most)[:, None]
    out: NDArray[np.float64] = np.where(full[:, None], ends - again, before)
    return out
