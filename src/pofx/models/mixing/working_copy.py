"""A copy of a mixing model's memory that learns along one prefix after another, and is put back in between."""

from __future__ import annotations

from threading import RLock

import numpy as np
from numpy.typing import NDArray

from pofx.models.mixing import following, reading
from pofx.models.mixing.contexts import END
from pofx.models.mixing.deciding import LINE
from pofx.models.mixing.learned import EVERY, PIECE, Learned, Symbols, number_tables, read_only, start_history


class WorkingCopy:
    """The memory of a mixing model after it has learned along one prefix.

    The copy is a cache: what it returns depends on the model and the prefix alone. A longer prefix goes on where its
    beginning ended. Before any other prefix, the lines of memory that changed are copied from the frozen model, and the
    prefix is read from its start. So a prefix costs its own length, and not the size of the memory.

    A caller holds `lock` from `go_to` until the numbers are read.

    Args:
        learned: What the fit has learned, which stays as it is.
    """

    def __init__(self, learned: Learned) -> None:
        self.lock = RLock()
        self._learned = learned
        self._memory = np.array(learned.memory)
        self._seen = read_only(self._memory)
        self._text, self._readable = _with_room(len(learned.text) + 4096, learned.text)
        lines = learned.layout.size // LINE
        self._changed = np.zeros(lines, dtype=np.bool_)
        self._lines, self._noted = np.empty(lines, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self._history = start_history()
        # The bytes along which the copy has learned; None while it changes, since an exception may come in between.
        self._prefix: bytes | None = b""

    def go_to(self, prefix: bytes) -> None:
        """Make the memory the memory behind x0 and a prefix."""
        if self._prefix is None or not prefix.startswith(self._prefix):
            self._restore()
        assert self._prefix is not None  # noqa: S101  (ours: the copy is restored)
        rest = np.frombuffer(prefix, dtype=np.uint8)[len(self._prefix) :].astype(np.int64)
        if len(rest):
            self.read(rest)

    def read(self, symbols: Symbols) -> NDArray[np.float64]:
        """Return p of each symbol behind the prefix and the symbols before it, and learn from each.

        Args:
            symbols: The symbols. EOS may be the last one; behind it the copy is no longer at a prefix.
        """
        before, self._prefix = self._prefix, None
        assert before is not None  # noqa: S101  (ours: a caller goes to a prefix first)
        at, known = self._learned.layout, len(self._learned.text) + len(before)
        if known + len(symbols) > len(self._text):
            self._text, self._readable = _with_room(2 * (known + len(symbols)), self._text[:known])
        p = np.empty(len(symbols))
        for lo in range(0, len(symbols), PIECE):
            piece = symbols[lo : lo + PIECE]
            note = self._changed, self._lines, self._noted
            text = self._text, self._readable, known + lo
            following.follow(
                self._memory,
                self._seen,
                at,
                number_tables(),
                *text,
                self._history,
                piece,
                *note,
                p[lo : lo + PIECE],
            )
        if not (len(symbols) and symbols[-1] == END):
            self._prefix = before + symbols.astype(np.uint8).tobytes()
        return p

    def distribution(self) -> NDArray[np.float64]:
        """Return p of the 256 bytes and of EOS behind the prefix, `[257]`."""
        out: NDArray[np.float64] = np.empty((1, END + 1))
        at, rows = self._learned.layout, self._history[None]
        reading.distributions(self._seen, at, number_tables(), self._readable, EVERY, rows, out)
        return out.reshape(-1)

    def _restore(self) -> None:
        self._prefix = None
        frozen, at = self._learned.memory, self._learned.layout
        following.restore(self._memory, frozen, at, self._changed, self._lines, self._noted)
        self._history, self._prefix = start_history(), b""


def _with_room(size: int, text: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an array of `size` bytes that begins with a text, and the same array as one that cannot be written."""
    room = np.zeros(size, dtype=np.uint8)
    room[: len(text)] = text
    return room, read_only(room)
