"""Two models on one text: their log-probabilities at common places, and the words on which they differ."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.difference.laws import PathLaws, read_laws
from pofx.queries.scoring.score import score
from pofx.queries.scoring.scored import Scored
from pofx.queries.scoring.terms import Terms, terms
from pofx.transforms.mixture import same_vocab
from pofx.vocab.vocabulary import refuse_normalizing, to_bytes

Floats = NDArray[np.float64]
_WORDS = re.compile(rb"\S+")


@dataclass(frozen=True, eq=False)
class TextDifference:
    """One text under two models, cut into r regions: tokens where the vocabularies agree, else bytes between common cuts.

    Attributes:
        text: The text.
        edges: The bytes `[r, 2]` of each region; the region of EOS is empty, and lies at the end.
        log_a: log p_A of each region after the text before it, nats, `[r]`.
        log_b: log p_B of each region, nats, `[r]`.
        laws: The numbers of each token under both laws; None where the models cut this text into different tokens, or where
            a model sums some of the spellings alone.
        end: Whether the last region is EOS.
        terms: The terms of the number of each model.
        bounds_a: Bounds (low, high) of log p_A of the text, nats; both are the number itself where nothing was left out.
        bounds_b: Bounds (low, high) of log p_B of the text, nats.
    """

    text: str | bytes
    edges: Ints
    log_a: Floats
    log_b: Floats
    laws: PathLaws | None
    end: bool
    terms: tuple[Terms, Terms]
    bounds_a: tuple[float, float]
    bounds_b: tuple[float, float]

    @property
    def total_a(self) -> float:
        """Log p_A(text), nats; log P of a prefix where `end` is False."""
        return float(self.log_a.sum())

    @property
    def total_b(self) -> float:
        """Log p_B(text), nats; log P of a prefix where `end` is False."""
        return float(self.log_b.sum())

    @property
    def difference(self) -> float:
        """Log p_A − log p_B of the text, nats; 0 where both are impossible."""
        a, b = self.total_a, self.total_b
        return 0.0 if a == b else a - b

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds (low, high) of log p_A − log p_B of the text, nats, from the bounds of both models."""
        if not self.bounded:
            return self.difference, self.difference
        low, high = self.bounds_a[0] - self.bounds_b[1], self.bounds_a[1] - self.bounds_b[0]
        # −∞ less −∞: both models may hold the text for impossible.
        return -math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high

    @property
    def bounded(self) -> bool:
        """Whether a model leaves out some of the spellings."""
        return any(low != high for low, high in (self.bounds_a, self.bounds_b))

    @property
    def differences(self) -> Floats:
        """Log p_A − log p_B of each region, nats, `[r]`; 0 where both are impossible."""
        return less(self.log_a, self.log_b)

    @cached_property
    def words(self) -> tuple[Ints, Floats]:
        """The bytes `[w, 2]` of each word with the regions that end in it, and log p_A − log p_B of these regions, `[w]`.

        A word is a run without white space. White space belongs to the word after it, and EOS to no word.
        """
        data = to_bytes(self.text)
        ends = np.array([m.end() for m in _WORDS.finditer(data)], dtype=np.int64)
        inner = len(self.edges) - self.end
        if not len(ends) or not inner:
            return np.zeros((0, 2), dtype=np.int64), np.zeros(0)
        of = np.minimum(np.searchsorted(ends, self.edges[:inner, 1]), len(ends) - 1)
        first = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        last = np.append(first[1:], inner) - 1
        a, b = (np.add.reduceat(x[:inner], first) for x in (self.log_a, self.log_b))
        return np.stack([self.edges[first, 0], self.edges[last, 1]], axis=1), less(a, b)


def text_differences(a: LM, b: LM, texts: Sequence[str | bytes]) -> list[TextDifference]:
    """Read texts with two models, each once.

    Args:
        a: The model A.
        b: The model B.
        texts: A list of texts.

    Returns:
        One record a text, in order.

    Raises:
        NoBOS: A model has no x0.
        BadValue: A model normalizes texts, so that the two may read different texts.
        PofxError: The errors of `score`.
    """
    refuse_incomparable(a, b)
    end = a.vocab.end is not None and b.vocab.end is not None
    out: dict[int, TextDifference] = {}
    # KL is of whole distributions. Those of a beam are not the distributions of the model that the beam reads.
    if same_vocab(a, b) and not (a.interval or b.interval):
        ids = list(zip(*(m.vocab.scoring.encode_many(texts) for m in (a, b))))
        alike = [i for i, (x, y) in enumerate(ids) if np.array_equal(x, y)]
        tail = np.array([a.vocab.end] if end else [], dtype=np.int64)
        paths = [np.concatenate([ids[i][0], tail]) for i in alike]
        for i, path, laws in zip(alike, paths, read_laws(a, b, paths)):
            out[i] = _by_tokens(a, b, texts[i], path, laws, end)
    others = [i for i in range(len(texts)) if i not in out]
    if others:
        asked = [texts[i] for i in others]
        for i, x, y in zip(others, score(a, asked), score(b, asked)):
            out[i] = _by_bytes(x, y, end)
    return [out[i] for i in range(len(texts))]


def refuse_incomparable(a: LM, b: LM) -> None:
    """Raise `NoBOS` for a model without x0, and `BadValue` for a model that normalizes texts."""
    for lm in (a, b):
        if lm.begin.known == "none":
            raise refuse_unconditional(lm.begin, "log p(x)")
        refuse_normalizing(lm.vocab, "a comparison of two models")


def less(a: Floats, b: Floats) -> Floats:
    """Return a − b, and 0 where both are −∞."""
    with np.errstate(invalid="ignore"):
        return np.where(a == b, 0.0, a - b)


def _by_tokens(a: LM, b: LM, text: str | bytes, path: Ints, laws: PathLaws, end: bool) -> TextDifference:
    size = len(to_bytes(text))
    ids = path[: len(path) - end]
    spans = a.vocab.scoring.spans(ids, text)  # type: ignore[arg-type]
    edges = np.concatenate([spans, np.full((int(end), 2), size, dtype=np.int64)])
    both = tuple(terms(m, len(ids), size, 0, end) for m in (a, b))
    total_a, total_b = float(laws.log_a.sum()), float(laws.log_b.sum())
    bounds = (total_a, total_a), (total_b, total_b)
    return TextDifference(text, edges, laws.log_a, laws.log_b, laws, end, (both[0], both[1]), *bounds)


def _by_bytes(x: Scored, y: Scored, end: bool) -> TextDifference:
    """Sum the terms of two models between the bytes at which both cut the text."""
    size = len(to_bytes(x.text))
    cuts = np.intersect1d(x.spans[:, 1], y.spans[:, 1])
    if size and (not len(cuts) or cuts[-1] != size):
        raise BadValue(
            f"expected tokens that spell the {size:,} bytes of the text, got tokens that end elsewhere",
            "score the text with each model",
        )
    sums = []
    for s in (x, y):
        n = len(s.tokens)
        # A token without a byte of its own counts with the token before it.
        where = np.minimum(np.searchsorted(cuts, s.spans[:, 1]), max(len(cuts) - 1, 0))
        part = np.zeros(len(cuts))
        np.add.at(part, where, s.logp[:n])
        sums.append(np.append(part, s.logp[n:]) if end else part)
    edges = (
        np.stack([np.append(0, cuts)[:-1], cuts], axis=1) if len(cuts) else np.zeros((0, 2), dtype=np.int64)
    )
    edges = np.concatenate([edges, np.full((int(end), 2), size, dtype=np.int64)])
    both = (replace(x.terms, end=end), replace(y.terms, end=end))
    bounds = (x.interval, y.interval) if end else (x.prefix_interval, y.prefix_interval)
    return TextDifference(x.text, edges, sums[0], sums[1], None, end, both, *bounds)
