"""A call of a model that waits to be computed, alone or together with other calls of its kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.server.batching.cancellation import Cancellation, current_cancellation
from pofx.server.batching.turns import Ticket

_afresh: ContextVar[bool] = ContextVar("afresh", default=False)


@contextmanager
def computed_afresh() -> Iterator[None]:
    """Let calls inside this context take nothing from the memory of prefixes, as a check of the model itself needs."""
    before = _afresh.set(True)
    try:
        yield
    finally:
        _afresh.reset(before)


@dataclass(eq=False, kw_only=True)
class Call:
    """A call of `LM.forward` or `LM.extend`, and its result once the call is computed.

    Attributes:
        ticket: The place of the caller in the queue of the model.
        cancellation: Whether the caller still waits.
        afresh: Whether the call takes nothing from the memory of prefixes.
        result: The result; None before the call is computed.
        error: The exception that the call raised, or None.
    """

    ticket: Ticket = field(default_factory=Ticket)
    cancellation: Cancellation = field(default_factory=current_cancellation)
    afresh: bool = field(default_factory=_afresh.get)
    result: Any = None
    error: BaseException | None = None

    @property
    def tokens(self) -> int:
        """About how many tokens the call makes the model read."""
        raise NotImplementedError

    @property
    def kind(self) -> tuple[object, ...]:
        """The kind of the call; calls of equal kinds can be computed together."""
        raise NotImplementedError


@dataclass(eq=False, kw_only=True)
class ForwardCall(Call):
    """A call of `LM.forward`.

    Attributes:
        paths: The token ids of each path.
        want: The numbers that are reported at each position.
        skips: The positions of each path that are not scored.
    """

    paths: Sequence[Path]
    want: Want
    skips: Sequence[int]

    @property
    def tokens(self) -> int:
        """The tokens of all paths."""
        return sum(len(p) for p in self.paths)

    @property
    def kind(self) -> tuple[object, ...]:
        """The numbers that the trace reports; a call for masses of sets has a kind of its own."""
        alone = None if self.want.masses is None else id(self)
        return ("forward", self.afresh, *self.want.key[:-1], alone)

    @staticmethod
    def compute(lm: LM, calls: Sequence[ForwardCall]) -> list[Trace]:
        """Read the paths of all calls in one pass, and return the trace of each call."""
        paths = [p for call in calls for p in call.paths]
        skips = [s for call in calls for s in call.skips]
        trace = lm.forward(paths, calls[0].want, skips)
        out, lo = [], 0
        for call in calls:
            out.append(trace.of_paths(lo, lo + len(call.paths)))
            lo += len(call.paths)
        return out


@dataclass(eq=False, kw_only=True)
class ExtendCall(Call):
    """A call of `LM.extend`.

    Attributes:
        state: The state of n prefixes.
        ids: `[n, t]`, the tokens that follow each prefix.
        read: Whether the distributions after the tokens are read; else the prefixes are only extended further.
    """

    state: State
    ids: Ints
    read: bool = True

    @property
    def tokens(self) -> int:
        """The tokens that are read."""
        return int(self.ids.size)

    @property
    def kind(self) -> tuple[object, ...]:
        """The number of new tokens of each prefix, and whether the distributions after them are read."""
        return ("extend", self.afresh, self.ids.shape[1], self.read)

    @staticmethod
    def compute(lm: LM, calls: Sequence[ExtendCall]) -> list[State]:
        """Extend the prefixes of all calls in one step, and return the state of each call."""
        first, *others = (call.state for call in calls)
        state = first.cat(*others) if others else first
        new = lm.extend(state, np.concatenate([call.ids for call in calls]))
        if calls[0].read:
            _ = new.logp  # the distributions are computed now, while this caller has the turn
        if not others:
            return [new]
        out, lo = [], 0
        for call in calls:
            out.append(new.take(np.arange(lo, lo + call.state.n)))
            lo += call.state.n
        return out
