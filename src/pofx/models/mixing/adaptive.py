"""The adaptive form of a mixing model: the model goes on learning along the prefix that it is conditioned on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM, Portable, prepare_paths, set_info
from pofx.lm.paths import as_id_rows
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.lm.window_rule import WindowRule
from pofx.models.mixing.contexts import END
from pofx.models.mixing.learned import Symbols
from pofx.models.mixing.model import MixingLM
from pofx.models.mixing.working_copy import WorkingCopy
from pofx.values import check_ids

WINDOW = WindowRule("mixing, adaptive: every token sees the whole prefix")

# How many whole distributions are handed on at once: 512 × 257 float64 take 1 MB.
ROWS = 512


class AdaptiveMixingLM(LM):
    """A mixing model that goes on learning along the prefix; made by `adapt`.

        p(x) = Π_i p(x_i | x_<i, θ(x_<i)),   θ(x_<i): the numbers of the fit, after learning from x_1 to x_(i−1)

    Each symbol is predicted before it is learned, so the distributions sum to 1. Every text begins with the
    numbers of the fit.

    Args:
        lm: The model as it was fitted, which stays as it is.
    """

    def __init__(self, lm: MixingLM) -> None:
        own = hashlib.sha256(f"adaptive {lm.fingerprint}".encode()).hexdigest()[:32] if lm.fingerprint else ""
        set_info(self, replace(lm.info, window=WINDOW, fingerprint=own))
        self.frozen = lm

    def start(self, n: int) -> State:
        """Return the state of `n` prefixes that are x0 alone."""
        return self._state([b""] * n)

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each prefix followed by its row of `ids[n, t]`; behind EOS another text begins."""
        new = as_id_rows(ids, state.n)
        if not new.shape[1]:
            return state
        check_ids(new, self.vocab.size)
        return self._state([_behind(prefix, row) for prefix, row in zip(state.carry, new)])

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute `LM.forward` in one pass over each path, and whole distributions only where `want` needs them."""
        ids, skips = prepare_paths(self, paths, skip)
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        for i, (path, free) in enumerate(zip(ids, skips)):
            p = np.empty(len(path))
            done = 0
            for text in _texts(path):
                piece = slice(done, done + len(text))
                if want.rows:
                    first = max(free - done, 0)
                    p[piece] = self._read_with_rows(text, first, out, out.offset(i) + done - free)
                else:
                    copy = self._copy
                    with copy.lock:
                        copy.go_to(b"")
                        p[piece] = copy.read(text)
                done += len(text)
            out.logp[out.offset(i) : out.offset(i) + len(path) - free] = np.log(p[free:])
        return out.build()

    def portable(self) -> Portable:
        """Return the next-token distributions by integers and by products of 16-bit fractions alone."""
        frozen = self.frozen.portable().fingerprint
        own = hashlib.sha256(f"adaptive {frozen}".encode()).hexdigest()[:32]
        return Portable(own, lambda state: self._distributions(state.carry))

    def _read_with_rows(
        self, text: Symbols, first: int, out: TraceBuilder, place: int
    ) -> NDArray[np.float64]:
        """Return p of the symbols of one text, and put the distributions from symbol `first` on; `place` is symbol 0's."""
        p, read, copy = np.empty(len(text)), b"", self._copy
        for lo in range(0, len(text), ROWS):
            rows = []
            with copy.lock:
                copy.go_to(read)
                for j in range(lo, min(lo + ROWS, len(text))):
                    if j >= first:
                        rows.append(copy.distribution())
                    p[j] = copy.read(text[j : j + 1])[0]
            hi = min(lo + ROWS, len(text))
            read = text[:hi].astype(np.uint8).tobytes()
            if rows:
                which = np.arange(hi - len(rows), hi)
                out.put_distributions(place + which, np.log(np.array(rows)), text[which])
        return p

    @cached_property
    def _copy(self) -> WorkingCopy:
        return WorkingCopy(self.frozen.learned)

    def _distributions(self, prefixes: NDArray[np.object_]) -> NDArray[np.float64]:
        out, copy = np.empty((len(prefixes), self.vocab.size)), self._copy
        for i, prefix in enumerate(prefixes):
            with copy.lock:
                copy.go_to(prefix)
                out[i] = copy.distribution()
        return out

    def _state(self, prefixes: Sequence[bytes]) -> State:
        carry = np.empty(len(prefixes), dtype=object)
        carry[:] = prefixes
        return State(lambda: np.log(self._distributions(carry)), carry, len(prefixes))


def _behind(prefix: bytes, symbols: Symbols) -> bytes:
    """Return the bytes since the last EOS."""
    ends = np.flatnonzero(symbols == END)
    if len(ends):
        prefix, symbols = b"", symbols[ends[-1] + 1 :]
    return prefix + symbols.astype(np.uint8).tobytes()


def _texts(path: Symbols) -> Iterator[Symbols]:
    """Yield the texts of a path: each ends behind EOS, or with the path."""
    ends = np.flatnonzero(path == END) + 1
    return (text for text in np.split(path, ends) if len(text))
