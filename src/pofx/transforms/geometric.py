"""An EOS for a model that ends no text: every text ends with the same probability at each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import Floats
from pofx.errors import Advice, BadValue
from pofx.lm.bounds import Bounds
from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.model import LM, Termination
from pofx.lm.paths import as_id_rows, skip_per_path
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.transforms.wrapper import LMWrapper
from pofx.values import check_real_number
from pofx.vocab.vocabulary import Vocab
from pofx.vocab.wrapper import VocabWrapper


class GeometricVocab(VocabWrapper):
    """A vocabulary without EOS, to which one more outcome, EOS, is added."""

    def __init__(self, vocab: Vocab) -> None:
        super().__init__(vocab)
        self.size, self.end = vocab.size + 1, vocab.size
        self.token_bytes = (*vocab.token_bytes, None)

    def over(self, vocab: Vocab) -> Vocab:
        """Return another vocabulary with an EOS added in the same way."""
        return GeometricVocab(vocab)


def geometric(lm: LM, stop: float, vocab: Vocab | None = None) -> LM:
    """Add an EOS of probability q at each token, for any text before it, to a model without EOS.

        p(x) = P(x) · (1 − q)^|x| · q

    P of a model without EOS is a distribution over the texts of one length, and the geometric distribution is a
    distribution over lengths.

    Args:
        lm: A model without EOS.
        stop: q, in (0, 1).
        vocab: The vocabulary of another geometric model over the same vocabulary, for models that are to share it.

    Returns:
        The model with EOS.

    Raises:
        BadValue: The model has an EOS.

    Right: `geometric(fit(texts, NgramSpec(end=False)), 0.01)`. Wrong: for texts whose length depends on their content.
    """
    if lm.vocab.end is not None:
        raise BadValue(
            f"expected a model that ends no text, got a model with an EOS (id {lm.vocab.end})",
            Advice("fit without EOS", "end=False", "--no-end"),
        )
    stop = check_real_number("stop", stop, 0, 1, above=True, below=True)
    return Geometric(lm, stop, vocab or GeometricVocab(lm.vocab))


class Geometric(LMWrapper):
    """The distributions of a model, with an EOS of the same probability after every prefix; made by `geometric`."""

    def __init__(self, lm: LM, stop: float, vocab: Vocab) -> None:
        super().__init__(lm, replace(lm.info, vocab=vocab))
        self.stop = stop
        self._go, self._end = float(np.log1p(-stop)), float(np.log(stop))

    def over(self, lm: LM) -> LM:
        """Return another model with the same distribution of the length, over the same vocabulary."""
        return Geometric(lm, self.stop, self.vocab)

    def start(self, n: int) -> State:
        """Return the state of the model at the start, with EOS as one more outcome."""
        return self._state(self.lm.start(n), np.zeros(n, dtype=np.int64))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the extended state of the model; the distribution after EOS is that after another token."""
        new = as_id_rows(ids, state.n)
        inner, size = state.carry
        # No caller asks for the distribution after EOS, but a state must have one. The model has no EOS, and reads token 0
        # instead.
        longer = self.lm.extend(inner, np.where(new == self.vocab.end, 0, new))
        return self._state(longer, size + new.shape[1])

    def branches(self, state: State) -> Branches:
        """Return branches by `extend`, since each distribution has one more outcome."""
        return ExtensionBranches(self.extend, state)

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """Return the model's sufficient statistic, since the length so far does not change the distribution."""
        return self.lm.sufficient(state.carry[0])

    def _state(self, inner: State, size: Ints) -> State:
        return State(
            lambda: self._with_end(inner.logp),
            (inner, size),
            inner.n,
            bounds=self._bounds if self.interval else None,
            leak=(lambda carry: carry[0].leak) if self.leaks else None,
        )

    def _with_end(self, logp: Floats) -> NDArray[np.float64]:
        going = np.asarray(logp, dtype=np.float64) + self._go
        return np.concatenate([going, np.full((len(logp), 1), self._end)], axis=1)

    def _bounds(self, carry: tuple[State, Ints]) -> Bounds:
        """Return the bounds of the model, times (1 − q) for each token so far."""
        inner, size = carry
        bounds, going = inner.bounds, size * self._go
        assert bounds is not None  # noqa: S101  (ours: an LM with `interval` has states with bounds)
        return Bounds(bounds.kept + going, bounds.dropped + going, self._with_end(bounds.logp))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return the model's own pass over the tokens before EOS."""
        ids = [np.asarray(p, dtype=np.int64) for p in paths]
        whole = want.rows or self.interval or self.leaks
        if whole or any((p[:-1] == self.vocab.end).any() for p in ids):
            return LM.forward(self, paths, want, skip)
        skips = skip_per_path(skip, ids)
        bare = [p[:-1] if len(p) and p[-1] == self.vocab.end else p for p in ids]
        inner = self.lm.forward(bare, want, [min(s, len(b)) for s, b in zip(skips, bare)])
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        for i, (p, b, s, logp) in enumerate(zip(ids, bare, skips, inner.logp)):
            at = out.offset(i)
            out.logp[at : at + len(logp)] = logp + self._go
            if len(b) < len(p) and s < len(p):
                out.logp[at + len(logp)] = self._end
        return out.build()

    def termination(self, lengths: Sequence[int]) -> Termination:
        """Return P(length > L) = (1 − q)^(L + 1); every text ends."""
        return Termination(tuple((1 - self.stop) ** (length + 1) for length in lengths), 0.0)
