"""A batch of prefixes with the next-token distribution after each, as `LM.start` and `LM.extend` return it."""

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
    """Data of a batch of prefixes, one row a prefix, in any representation."""

    def take(self, rows: Ints, /) -> Self:
        """Return the data of the prefixes `rows`, in that order, repeats allowed."""

    def cat(self, others: Sequence[Self], /) -> Self:
        """Return the data of these prefixes, followed by the data of the other prefixes."""


# The data from which a model continues each prefix. Nobody but the model that made a state reads its carry.
Carry: TypeAlias = Union[NDArray[Any], "State", CarryRows, "tuple[Carry, ...]", None]


class State:
    """A batch of n prefixes x, with the next-token distribution after each.

        logp[i, v] = log p(v | x0, x_i),   Σ_v exp(logp[i, v]) = 1

    A state is a value: neither `take` nor `cat` nor `LM.extend` changes it.

    Args:
        logp: The distributions `[n, V]`, nats, or a function that returns the distributions. The function is called at most
            once, and only when `logp` is read. The function may raise, such as `NoBOS`, where a distribution does not
            exist.
        carry: The data from which the model continues each prefix: None, a numpy array whose first axis is the row,
            another `State`, an object with `take(rows)` and `cat(others)`, or a tuple of these.
        n: The number of prefixes; required where `logp` is a function.
        bounds: A function of the carry that returns bounds on the probabilities, for an LM with `interval`.
        leak: A function of the carry that returns the mass of tokens that spell nothing, for an LM with `leaks`.
        held: A function of the carry that returns the number of probabilities that the state holds; n · V by default.

    Attributes:
        n: The number of prefixes.
        logp: The distributions `[n, V]`, nats, read-only.
        carry: The data of the model; only the model reads the carry.
        bounds: The `Bounds` of the prefixes, or None.
        leak: The mass of tokens that spell nothing, `[n]`, or None.
        held: The number of probabilities that the state keeps in memory.

    Right: `lm.extend(lm.start(1), [[72, 105]]).logp`. Wrong: `state.logp[0] = …`, since the array is read-only.
    """

    __slots__ = ("_about", "_bounds", "_checked", "_logp", "_logp_function", "carry", "n")

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
        self._logp_function = logp if callable(logp) else None
        self._logp: Floats | None = None if callable(logp) else _frozen(logp)
        if n is None and self._logp is None:
            raise TypeError("State(function, …) needs n, the number of rows")
        self.n: int = n if n is not None else len(self._logp)  # type: ignore[arg-type]
        self.carry: Any = carry  # the model knows the type
        self._about = (bounds, leak, held)
        self._bounds: Bounds | None = None
        self._checked = False

    @property
    def logp(self) -> Floats:
        """The next-token distributions log p(v | x), `[n, V]` nats, read-only; `NoLaw` where an entry is nan or +∞."""
        if self._logp is None:
            assert self._logp_function is not None  # noqa: S101  (ours: there are rows or a function)
            self._logp = _frozen(self._logp_function())
        if not self._checked:
            check_logs(self._logp)
            self._checked = True
        return self._logp

    @property
    def bounds(self) -> Bounds | None:
        """Bounds on the probabilities, of an LM with `interval`; None where nothing is left out."""
        find = self._about[0]
        if self._bounds is None and find is not None:
            self._bounds = find(self.carry)
        return self._bounds

    @property
    def leak(self) -> NDArray[np.float64] | None:
        """The mass of tokens that spell nothing, renormalised away after each prefix, `[n]`; None where there is none."""
        find = self._about[1]
        return None if find is None else find(self.carry)

    @property
    def held(self) -> int:
        """The number of probabilities that this state keeps in memory, for a caller that bounds memory."""
        find = self._about[2]
        return int(self.logp.size) if find is None else find(self.carry)

    def take(self, rows: Sequence[int] | Ints) -> State:
        """Return the state of the prefixes `rows`, in that order, repeats allowed."""
        at = np.ascontiguousarray(rows, dtype=np.int64)  # torch refuses negative strides
        logp: Floats | Callable[[], Floats] = (
            self._logp[at] if self._logp is not None else (lambda: self.logp[at])
        )
        return self._like(logp, _take(self.carry, at), len(at))

    def cat(self, *others: State) -> State:
        """Return the state of this batch followed by other batches of the same model."""
        all_states = (self, *others)
        return self._like(
            lambda: np.concatenate([s.logp for s in all_states]),
            _cat([s.carry for s in all_states]),
            sum(s.n for s in all_states),
        )

    def without_distributions(self) -> State:
        """Return the state of the same prefixes without their distributions, V numbers each; it can only be extended."""

        def logp() -> Floats:
            raise AssertionError("ours: the caller read the distributions before it removed them")

        return self._like(logp, self.carry, self.n)

    def _like(self, logp: Floats | Callable[[], Floats], carry: Carry, n: int) -> State:
        bounds, leak, held = self._about
        return State(logp, carry, n, bounds=bounds, leak=leak, held=held)


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
