"""An LM that is known only by a function from a prefix of ids to the next-token distribution after the prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.errors import BadValue
from pofx.lm.begin import refuse_unconditional
from pofx.lm.info import Info
from pofx.lm.model import LM, prepare_paths, set_info
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want

Prefix = tuple[int, ...]
# Reads the next-token distribution after each of several prefixes: `[n, V]` nats.
Distributions = Callable[[Sequence[Prefix]], Any]
# Scores whole paths in one pass, as the outside program does: log p of each token, nan for an unknown first number.
Passes = Callable[[Sequence[Prefix]], Sequence[Any]]
# Draws n next tokens after a prefix: (prefix, n, seed) -> ids.
Sampler = Callable[[Prefix, int, int], Sequence[int]]


class Prefixes:
    """The ids of a batch of prefixes, which may differ in length: the carry of a state."""

    def __init__(self, rows: Sequence[Prefix]) -> None:
        self.rows = tuple(rows)

    def take(self, rows: Ints, /) -> Prefixes:
        """Return the prefixes `rows`, in that order, repeats allowed."""
        return Prefixes([self.rows[i] for i in rows])

    def cat(self, others: Sequence[Prefixes], /) -> Prefixes:
        """Return these prefixes, followed by the others."""
        return Prefixes([*self.rows, *(row for other in others for row in other.rows)])


class PrefixLM(LM):
    """An LM that asks a function for every next-token distribution, and caches no answer.

    A cache would hide a function whose second answer differs from the first, which an audit is to detect.

    Args:
        distributions: The function that returns next-token distributions after prefixes.
        info: The properties of the model.
        sampler: The sampler of the outside program; None where the program has none.
        most: The most prefixes that one call of `distributions` gets.
        passes: The function by which the outside program scores whole paths; None without one. `audit` compares its
            numbers with those of `distributions`.
    """

    def __init__(
        self,
        distributions: Distributions,
        info: Info,
        sampler: Sampler | None = None,
        most: int = 256,
        passes: Passes | None = None,
    ) -> None:
        self._distributions, self._sampler, self._most, self._passes = distributions, sampler, most, passes
        set_info(self, info)

    def start(self, n: int) -> State:
        """Return the state of `n` empty prefixes."""
        return self._state(Prefixes([()] * n))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of every prefix followed by its row of ids."""
        new = as_id_rows(ids, state.n)
        rows = state.carry.rows
        return self._state(Prefixes([(*row, *map(int, more)) for row, more in zip(rows, new)]))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Score paths by `passes`, where the program has one and only log p of the tokens is wanted.

        Otherwise the positions of one path are asked for together, so that a server can read the path once.
        """
        ids, skips = prepare_paths(self, paths, skip)
        if self._passes is None or want.rows:
            return self._by_laws([tuple(p.tolist()) for p in ids], want, skips)
        found = [np.asarray(a, dtype=np.float64) for a in self._passes([tuple(p.tolist()) for p in ids])]
        if [len(a) for a in found] != [len(p) for p in ids]:
            raise BadValue(
                "expected one number a token, got another length", "return one number a token", "passes"
            )
        return Trace(tuple(a[s:] for a, s in zip(found, skips)))

    def _by_laws(self, paths: Sequence[Prefix], want: Want, skips: Sequence[int]) -> Trace:
        out = TraceBuilder([len(p) - s for p, s in zip(paths, skips)], want, self.vocab.end)
        rows = [(k, i) for k, (p, s) in enumerate(zip(paths, skips)) for i in range(s, len(p))]
        for lo in range(0, len(rows), self._most):
            some = rows[lo : lo + self._most]
            at = np.array([out.offset(k) + i - skips[k] for k, i in some], dtype=np.int64)
            tokens = np.array([paths[k][i] for k, i in some], dtype=np.int64)
            out.put_distributions(at, self._read([paths[k][:i] for k, i in some]), tokens)
        return out.build()

    def own_draws(self, prefix: Sequence[int], n: int, seed: int) -> Ints | None:
        """Draw next tokens by the sampler of the outside program; None where the program has none."""
        if self._sampler is None:
            return None
        drawn = np.asarray(self._sampler(tuple(map(int, prefix)), n, seed))
        size = self.vocab.size
        if (
            drawn.shape != (n,)
            or drawn.dtype.kind not in "iu"
            or (n and not 0 <= drawn.min() <= drawn.max() < size)
        ):
            raise BadValue(
                f"expected {n} ids in [0, {size}), got {drawn.dtype} of shape {list(drawn.shape)}",
                "return one id a draw",
                argument="sample",
            )
        return drawn.astype(np.int64)

    def _state(self, prefixes: Prefixes) -> State:
        return State(lambda: self._read(prefixes.rows), prefixes, len(prefixes.rows))

    def _read(self, rows: Sequence[Prefix]) -> Floats:
        if self.begin.known == "none" and () in rows:
            raise refuse_unconditional(self.begin)
        # Equal prefixes of one batch are one question: 64 draws begin with the same prefix.
        asked = list(dict.fromkeys(rows))
        parts = [
            self._checked(self._distributions(asked[lo : lo + self._most]), len(asked[lo : lo + self._most]))
            for lo in range(0, len(asked), self._most)
        ]
        distributions = np.concatenate(parts) if parts else np.zeros((0, self.vocab.size))
        at = {row: i for i, row in enumerate(asked)}
        return distributions[[at[row] for row in rows]] if rows else distributions

    def _checked(self, found: Any, n: int) -> Floats:
        distributions = np.asarray(found)
        if distributions.shape != (n, self.vocab.size) or distributions.dtype.kind not in "fiu":
            raise BadValue(
                f"expected {self.vocab.size} log-probabilities after each prefix (vocab.size), got {distributions.dtype} of "
                f"shape {list(distributions.shape[1:] if distributions.ndim else distributions.shape)}",
                "return log p of every token, nats",
                argument="next_logprobs",
            )
        return distributions if distributions.dtype.kind == "f" else distributions.astype(np.float64)
