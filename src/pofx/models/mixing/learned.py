"""All that a mixing model has learned, and the calls of the compiled functions on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.coding.adaptive_tables import tables
from pofx.models.mixing import reading
from pofx.models.mixing.contexts import COLUMNS, END, begin
from pofx.models.mixing.layout import Layout, fresh, layout_for

Histories = NDArray[np.uint64]
Symbols = NDArray[np.int64]

# Compiled code does not react to Ctrl-C, so so many symbols, half a second, are read at once.
PIECE = 1 << 16


@dataclass(frozen=True, eq=False)
class Learned:
    """The memory and the text of a fit.

    Attributes:
        layout: Where each part of the memory is.
        memory: The memory, int32.
        text: The bytes of all documents, each with byte 255 for its EOS, uint8.
    """

    layout: Layout
    memory: NDArray[np.int32]
    text: NDArray[np.uint8]

    def __post_init__(self) -> None:
        """Make the arrays read-only, the kind of array for which the functions are compiled."""
        for name in ("memory", "text"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def extend(self, histories: Histories, symbols: Symbols) -> Histories:
        """Return histories `[n, COLUMNS]`, each followed by its row of symbols `[n, t]`."""
        out = histories.copy()
        reading.extend_histories(self.memory, self.layout, self.text, out, np.ascontiguousarray(symbols))
        return out

    def distributions(self, histories: Histories) -> NDArray[np.float64]:
        """Return p of the 256 bytes and of EOS after each history, `[n, 257]`."""
        out = np.empty((len(histories), END + 1))
        rows = np.ascontiguousarray(histories)
        reading.distributions(self.memory, self.layout, number_tables(), self.text, EVERY, rows, out)
        return out

    def read(
        self, symbols: Symbols, first: NDArray[np.bool_], history: Histories, keep: bool
    ) -> tuple[NDArray[np.float64], Histories]:
        """Return p of each symbol of texts that lie end to end, and the history before each where `keep` asks.

        Args:
            symbols: The symbols, at most `PIECE`.
            first: Whether a text begins with the symbol.
            history: The history before the symbols, which is overwritten by the history behind them.
            keep: Whether the histories are returned; otherwise the array has no rows.
        """
        p, histories = (
            np.empty(len(symbols)),
            np.empty((len(symbols) if keep else 0, COLUMNS), dtype=np.uint64),
        )
        reading.read(
            self.memory, self.layout, number_tables(), self.text, history, symbols, first, p, histories
        )
        return p, histories


def start_history() -> Histories:
    """Return the history that is x0 alone."""
    history = np.empty(COLUMNS, dtype=np.uint64)
    begin(history)
    return history


def learn_documents(documents: Sequence[Symbols], memory: int) -> Learned:
    """Read documents once, in their order, and learn from each symbol.

    Args:
        documents: The symbols of each document, EOS at its end.
        memory: The most bytes of the tables.
    """
    symbols = np.concatenate([np.zeros(0, dtype=np.int64), *documents])
    at = layout_for(len(symbols), memory)
    numbers, text = fresh(at, tables()), np.zeros(len(symbols), dtype=np.uint8)
    seen, readable, history = read_only(numbers), read_only(text), start_history()
    for known in range(0, len(symbols), PIECE):
        piece = symbols[known : known + PIECE]
        reading.study(numbers, seen, at, number_tables(), text, readable, known, history, piece)
    return Learned(at, numbers, text)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written."""
    view = array.view()
    view.flags.writeable = False
    return view


def number_tables() -> tuple[NDArray[Any], ...]:
    """Return the logistic function, its inverse, the histories of bits and the rates, as `decide` takes them."""
    of = tables()
    return of.squash, of.stretch, of.after, of.rate


def _every_node() -> Symbols:
    """Return all nodes of the tree of bytes with their depths, the nodes of one half of a byte together."""
    upper = [(node, b) for b in range(4) for node in range(1 << b, 2 << b)]
    lower = [(top << b | tail, 4 + b) for top in range(16, 32) for b in range(4) for tail in range(1 << b)]
    return np.array(upper + lower, dtype=np.int64)


EVERY = _every_node()
