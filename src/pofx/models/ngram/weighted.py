"""Additive n-grams of weighted documents, which expectation–maximisation fits again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import backward_strings
from pofx.models.ngram.counting import Codes, Counts, count_ngrams
from pofx.models.ngram.model import NgramLM
from pofx.models.ngram.smoothing import smooth
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import Vocab


class WeightedNgrams:
    """The n-grams of documents, with the document of each position.

    Args:
        documents: The token ids of each document, without x0 and EOS.
        spec: The spec of an n-gram with additive smoothing.
        vocab: The vocabulary of the ids.

    Right: `WeightedNgrams(ids, spec, vocab).fit(weights)`. Wrong: a spec with Kneser–Ney, whose discounts need the
    numbers of n-grams that occur once, twice and so on, which fractional counts do not have.
    """

    def __init__(self, documents: Sequence[NDArray[np.int64]], spec: NgramSpec, vocab: Vocab) -> None:
        assert spec.smoothing == "additive"  # noqa: S101  (ours: the caller asks only for these)
        end = [] if vocab.end is None else [vocab.end]
        whole = [np.append(ids, end).astype(np.int64) for ids in documents]
        self.spec, self.vocab = spec, vocab
        self.counts = count_ngrams(whole, vocab.size, spec.bound, spec.begin)
        codes = Codes(vocab.size)
        head = [codes.begin] if spec.begin else []
        gap = [0] * spec.bound
        laid = [np.concatenate([gap, head, ids + 1]).astype(np.uint64) for ids in whole]
        flat = np.concatenate(laid)
        # An event follows a code. x0 (or the first token without x0) follows padding, so it is no event.
        event = np.flatnonzero((flat[1:] != 0) & (flat[:-1] != 0)) + 1
        self._row, _ = self.counts.table.find(backward_strings(flat, codes.packing(spec.bound))[event])
        self._document = np.repeat(np.arange(len(laid)), [len(a) for a in laid])[event]

    def fit(self, weights: NDArray[np.float64]) -> NgramLM:
        """Fit p(v | h) = (Σ_d w_d c_d(hv) + α) / (Σ_d w_d c_d(h) + αV).

        Args:
            weights: `[documents]`, the weight of each document. Weights 0 and 1 give the model of the documents of weight 1.
        """
        table = self.counts.table
        events: Any = np.bincount(self._row, weights[self._document], minlength=len(table))
        weighted = Counts(table, events, self.counts.documents, self.counts.tokens)
        begin = Codes(self.vocab.size).begin
        levels = smooth(weighted, self.vocab.size, "additive", self.spec.alpha, begin)
        return NgramLM(self.vocab, table, levels, self.spec.begin)
