"""A law of the length put on a model that ends no text: each text goes on with the same probability, everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.errors import BadValue
from pofx.lm import LM, Termination, id_rows, per_path
from pofx.state import State
from pofx.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.values import real
from pofx.vocab import Vocab
from pofx.vocab_wrapper import VocabWrapper


class GeometricVocab(VocabWrapper):
    """A vocabulary without EOS, and an EOS behind it."""

    def __init__(self, vocab: Vocab) -> None:
        super().__init__(vocab)
        self.size, self.end = vocab.size + 1, vocab.size
        self.token_bytes = (*vocab.token_bytes, None)

    def over(self, vocab: Vocab) -> Vocab:
        """Another vocabulary with the same EOS behind it."""
        return GeometricVocab(vocab)


def geometric(lm: LM, stop: float, vocab: Vocab | None = None) -> LM:
    """p(x) = P(x) · (1 − q)^|x| · q: a text ends at each token with probability q, whatever stands before.

    For a model without EOS (`BadValue` where it has one): of the texts of one length its P is a distribution, and
    the geometric law says how many there are of each. stop: q, in (0, 1). vocab: that of another such model over
    the same vocabulary, to be shared.

    Right: `geometric(fit(texts, NgramSpec(end=False)), 0.01)`. Wrong: for texts whose length depends on what they say.
    """
    if lm.vocab.end is not None:
        raise BadValue(
            f"expected a model that ends no text, found one with an EOS (id {lm.vocab.end}); fit with end=False"
        )
    stop = real("stop", stop, 0, 1, above=True, below=True)
    return Geometric(lm, stop, vocab or GeometricVocab(lm.vocab))


class Geometric(LM):
    """The laws of a model, and EOS with one probability everywhere; made by `geometric`."""

    def __init__(self, lm: LM, stop: float, vocab: Vocab) -> None:
        self.lm, self.stop, self.vocab = lm, stop, vocab
        self.context, self.begin, self.window, self.dtype = lm.context, lm.begin, lm.window, lm.dtype
        self.fingerprint, self.positive, self.interval = lm.fingerprint, lm.positive, lm.interval
        self.work = lm.work
        self.memory = lm.memory
        self._go, self._end = float(np.log1p(-stop)), float(np.log(stop))

    def start(self, n: int) -> State:
        """The model at its start."""
        return self._state(self.lm.start(n))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """The model goes on."""
        new = id_rows(ids, state.n)
        inner: State = state.carry
        # What follows EOS is nobody's business, but must be a law: the model, which has no EOS, is given another token.
        return self._state(self.lm.extend(inner, np.where(new == self.vocab.end, 0, new)))

    def _state(self, inner: State) -> State:
        def law() -> Floats:
            return np.concatenate(
                [np.asarray(inner.logp, dtype=np.float64) + self._go, np.full((inner.n, 1), self._end)],
                axis=1,
            )

        return State(law, inner, inner.n)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """The model's own pass over what precedes EOS."""
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        if want.rows or any((p[:-1] == self.vocab.end).any() for p in ids):
            return super().forward(paths, want, skip)
        skips = per_path(skip, ids)
        bare = [p[:-1] if len(p) and p[-1] == self.vocab.end else p for p in ids]
        inner = self.lm.forward(bare, want, [min(s, len(b)) for s, b in zip(skips, bare)])
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        for i, (p, b, s, logp) in enumerate(zip(ids, bare, skips, inner.logp)):
            at = out.offset(i)
            out.logp[at : at + len(logp)] = logp + self._go
            if len(b) < len(p) and s < len(p):
                out.logp[at + len(logp)] = self._end
        return out.done()

    def seen(self, n: int) -> Ints:
        """As the model itself."""
        return self.lm.seen(n)

    def bare(self) -> LM | None:
        """The model without its x0, under the same law of the length."""
        core = self.lm.bare()
        return None if core is None else Geometric(core, self.stop, self.vocab)

    def termination(self, lengths: Sequence[int]) -> Termination:
        """P(length > L) = (1 − q)^(L + 1), and every text ends."""
        return Termination(tuple((1 - self.stop) ** (length + 1) for length in lengths), 0.0)
