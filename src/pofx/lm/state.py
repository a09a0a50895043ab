"""A batch of prefixes with the law of the next token behind each: what `LM.start` and `LM.extend` give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats
from pofx.lm.bounds import Bounds
from pofx.lm.log_checks import check_logs
from pofx.lm.trace import Ints


class CarryRows(Protocol):
    """A value with one row a prefix."""

    def take(self, rows: Ints, /) -> Self:
        """The rows at these places, in that order, repeats allowed."""

    def cat(self, others: Sequence[Self], /) -> Self:
        """These rows and then the rows of the others."""


# What a model keeps of each prefix to go on from: the model that made a state alone reads its carry.
Carry: TypeAlias = Union[NDArray[Any], "State", CarryRows, "tuple[Carry, ...]", None]


class State:
    """A batch of n prefixes: `logp[n, V]` in nats, each row the normalised law of the next token.

    A value: neither `take` nor `cat` nor `LM.extend` changes it.

    Args:
        logp: The laws, or a function that gives them, called at most once: a law may cost something, or may not exist
            (then the function raises, e.g. `NoBOS`).
        carry: What the model needs to go on from each prefix: None, a numpy array whose first axis is the row, another
            State, any object with `take(rows)` and `cat(others)`, or a tuple of such.
        n: How many prefixes there are; needed with a function.
        bounds: A function of the carry: bounds on the probabilities, for a law that sums some of many terms.
        leak: A function of the carry: the mass of tokens that spell nothing, for a law that renormalises them away.
        held: A function of the carry: how many numbers of laws it holds on to; n · V without.

    Right: `lm.extend(lm.start(1), [[72, 105]]).logp`. Wrong: `state.logp[0] = …`, the array is read-only.
    """

    __slots__ = ("_about", "_bounds", "_law", "_lawful", "_logp", "carry", "n")

    def __init__(
        self,
        logp: Floats | Callable[[], Floats],
        carry: Carry = None,
        n: int | None = None,
        *,
        bounds: Callable[[Any], Bounds] | None = None,
        leak: Callable[[Any], NDArray[np.float64]] | None = None,
        held: Callable[[Any], int] | None = None,
    ) -> None:
        self._law = logp if callable(logp) else None
        self._logp: Floats | None = None if callable(logp) else _frozen(logp)
        if n is None and self._logp is None:
            raise TypeError("State(function, …) needs n, the number of rows")
        self.n: int = n if n is not None else len(self._logp)  # type: ignore[arg-type]
        self.carry: Any = carry  # its model knows the type, and nobody else reads it
        self._about = (bounds, leak, held)
        self._bounds: Bounds | None = None
        self._lawful = False

    @property
    def logp(self) -> Floats:
        """log p(next token | prefix), `[n, V]` nats; read-only. `NoLaw` where one is no number."""
        if self._logp is None:
            assert self._law is not None  # noqa: S101  (ours: one of the two is always there)
            self._logp = _frozen(self._law())
        if not self._lawful:
            check_logs(self._logp)
            self._lawful = True
        return self._logp

    @property
    def bounds(self) -> Bounds | None:
        """Bounds on the probabilities, of a model that says `interval`; None for a law that leaves nothing out."""
        find = self._about[0]
        if self._bounds is None and find is not None:
            self._bounds = find(self.carry)
        return self._bounds

    @property
    def leak(self) -> NDArray[np.float64] | None:
        """Mass of tokens that spell nothing behind each prefix, renormalised away, `[n]`; None where no law loses any."""
        find = self._about[1]
        return None if find is None else find(self.carry)

    @property
    def held(self) -> int:
        """How many numbers of laws this state keeps in memory, n · V by default, for a caller that bounds memory."""
        find = self._about[2]
        return int(self.logp.size) if find is None else find(self.carry)

    def take(self, rows: Sequence[int] | Ints) -> State:
        """The prefixes `rows`, in that order, repeats allowed."""
        at = np.ascontiguousarray(rows, dtype=np.int64)  # torch refuses negative strides
        law: Floats | Callable[[], Floats] = (
            self._logp[at] if self._logp is not None else (lambda: self.logp[at])
        )
        return self._like(law, _take(self.carry, at), len(at))

    def cat(self, *others: State) -> State:
        """This batch followed by others of the same model."""
        all_states = (self, *others)
        return self._like(
            lambda: np.concatenate([s.logp for s in all_states]),
            _cat([s.carry for s in all_states]),
            sum(s.n for s in all_states),
        )

    def without_law(self) -> State:
        """The same prefixes, to be extended; their laws, V numbers each, are not kept."""

        def law() -> Floats:
            raise AssertionError("ours: the law of these prefixes was read before it was let go")

        return self._like(law, self.carry, self.n)

    def _like(self, law: Floats | Callable[[], Floats], carry: Carry, n: int) -> State:
        bounds, leak, held = self._about
        return State(law, carry, n, bounds=bounds, leak=leak, held=held)


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
