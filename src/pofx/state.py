"""A batch of prefixes of a model, each with the law of what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.lawful import lawful
from pofx.trace import Ints


class State:
    """A batch of n prefixes: `logp[n, V]` in nats, each row the normalised law of the next token.

    A value: neither `take` nor `cat` nor `LM.extend` changes it. `logp` may be given as a function, called
    at most once, when it costs something or cannot exist (then it raises, e.g. `NoBOS`). `carry` is whatever
    the family needs to go on: None, a numpy array whose first axis is the row, another State, a tuple of such,
    or any object with `take(rows)` and `cat(others)`.

    Right: `lm.extend(lm.start(1), [[72, 105]]).logp`. Wrong: `state.logp[0] = …`, the array is read-only.
    """

    __slots__ = ("_law", "_lawful", "_logp", "carry", "n")

    def __init__(self, logp: Floats | Callable[[], Floats], carry: Any = None, n: int | None = None) -> None:
        self._law = logp if callable(logp) else None
        self._logp: Floats | None = None if callable(logp) else _frozen(logp)
        if n is None and self._logp is None:
            raise TypeError("State(function, …) needs n, the number of rows")
        self.n: int = n if n is not None else len(self._logp)  # type: ignore[arg-type]
        self.carry = carry
        self._lawful = False

    @property
    def logp(self) -> Floats:
        """log p(next token | prefix), `[n, V]` nats; read-only. `NoLaw` where one is no number."""
        if self._logp is None:
            assert self._law is not None  # noqa: S101  (ours: one of the two is always there)
            self._logp = _frozen(self._law())
        if not self._lawful:
            lawful(self._logp)
            self._lawful = True
        return self._logp

    def take(self, rows: Sequence[int] | Ints) -> State:
        """The prefixes `rows`, in that order, repeats allowed."""
        at = np.ascontiguousarray(rows, dtype=np.int64)  # torch refuses negative strides
        law: Floats | Callable[[], Floats] = (
            self._logp[at] if self._logp is not None else (lambda: self.logp[at])
        )
        return State(law, _take(self.carry, at), len(at))

    def cat(self, *others: State) -> State:
        """This batch followed by others of the same model."""
        all_states = (self, *others)
        n = sum(s.n for s in all_states)
        return State(
            lambda: np.concatenate([s.logp for s in all_states]), _cat([s.carry for s in all_states]), n
        )


def _frozen(a: Floats) -> Floats:
    view = np.asarray(a).view()
    view.flags.writeable = False
    return view


def _take(carry: Any, rows: Ints) -> Any:
    if carry is None:
        return None
    if isinstance(carry, tuple):
        return tuple(_take(c, rows) for c in carry)
    return carry[rows] if isinstance(carry, np.ndarray) else carry.take(rows)


def _cat(carries: list[Any]) -> Any:
    first = carries[0]
    if first is None:
        return None
    if isinstance(first, tuple):
        return tuple(_cat(list(c)) for c in zip(*carries))
    if isinstance(first, State):
        return first.cat(*carries[1:])
    return np.concatenate(carries) if isinstance(first, np.ndarray) else first.cat(carries[1:])
