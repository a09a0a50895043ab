"""Two models on the same texts: the mean difference of log p with its interval, and where the models differ most."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.statistics.clusters import bootstrap_ratio
from pofx.errors import BadValue
from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, TableColumn
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.difference.text_difference import TextDifference, less, text_differences
from pofx.queries.scoring.terms import Terms
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import show_bytes, to_bytes

Floats = NDArray[np.float64]
DRAWS = 2000
# Texts that both models read together, which bounds the memory.
TOGETHER = 64
COLUMNS = 9  # numbers that are kept of a text: 72 bytes


@dataclass(frozen=True)
class Place:
    """A word or a region of a text on which two models differ.

    Attributes:
        text: The number of the text, from 0.
        start: The first byte in the text.
        stop: The byte after the last one.
        spelled: The word or the region, with the characters before it in `before`.
        before: The up to 40 bytes before it, printable.
        difference: log p_A − log p_B, nats.
    """

    text: int
    start: int
    stop: int
    spelled: str
    before: str
    difference: float


@dataclass(frozen=True)
class Mean:
    """A mean difference, nats a unit.

    Attributes:
        value: Σ (log p_A − log p_B) / Σ units.
        low: The lower end of the 95 % interval, by a bootstrap of texts; −∞ for one text.
        high: The upper end; ∞ for one text.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False, repr=False)
class Difference(Shown, HasTable):
    """Two models A and B on n texts.

    Attributes:
        log_a: log p_A of each text, nats, `[n]`; log P of a prefix where `end` is False.
        log_b: log p_B of each text, nats, `[n]`.
        bytes: The length of each text, bytes, `[n]`.
        tokens: The number of positions at which both next-token distributions were compared, EOS included, `[n]`; 0 for a
            text that the models cut into different tokens.
        entropy: The sum over these positions of the entropy of A's next-token distribution, nats, `[n]`.
        kl: The sum over these positions of KL(A‖B), nats, `[n]`.
        kl_back: The sum over these positions of KL(B‖A), nats, `[n]`.
        low: Lower bounds of log p_A − log p_B, nats, `[n]`; the difference itself where no spelling was left out.
        high: Upper bounds of log p_A − log p_B, nats, `[n]`.
        end: Whether EOS is counted: both models have one.
        words: The words on which the models differ most, the largest difference first.
        regions: The tokens, or the regions of bytes, on which the models differ most, the largest difference first.
        terms: The terms of the number of each model, of the first text.
        seed: The seed of the bootstrap.
    """

    log_a: Floats
    log_b: Floats
    bytes: Ints
    tokens: Ints
    entropy: Floats
    kl: Floats
    kl_back: Floats
    low: Floats
    high: Floats
    end: bool
    words: tuple[Place, ...]
    regions: tuple[Place, ...]
    terms: tuple[Terms, Terms]
    seed: int

    @property
    def differences(self) -> Floats:
        """Log p_A − log p_B of each text, nats, `[n]`; 0 where both are impossible."""
        return less(self.log_a, self.log_b)

    @property
    def bounds_per_byte(self) -> tuple[float, float] | None:
        """Bounds (low, high) of the mean difference of these texts, nats a byte; None where no spelling was left out."""
        n = int(self.bytes.sum())
        if not n or np.array_equal(self.low, self.high):
            return None
        return float(self.low.sum()) / n, float(self.high.sum()) / n

    @property
    def per_text(self) -> Mean:
        """The mean difference, nats a text."""
        return self._mean(np.ones(len(self.log_a)))

    @property
    def per_byte(self) -> Mean:
        """The mean difference, nats a byte."""
        return self._mean(self.bytes.astype(np.float64))

    @property
    def per_token(self) -> Mean | None:
        """The mean difference, nats a token, EOS included; None where a text is cut into different tokens."""
        return self._mean(self.tokens.astype(np.float64)) if self.tokens.all() else None

    @property
    def kl_a_token(self) -> float:
        """The mean of KL(A‖B) over the positions of the texts, nats a token; nan without a position."""
        return self._a_token(self.kl)

    @property
    def kl_back_a_token(self) -> float:
        """The mean of KL(B‖A) over the positions of the texts, nats a token; nan without a position."""
        return self._a_token(self.kl_back)

    @property
    def entropy_a_token(self) -> float:
        """The mean entropy of A's next-token distribution, nats a token; with KL(A‖B) the cross-entropy of B under A."""
        return self._a_token(self.entropy)

    def _a_token(self, sums: Floats) -> float:
        n = int(self.tokens.sum())
        return math.fsum(sums.tolist()) / n if n else math.nan

    def _mean(self, units: Floats) -> Mean:
        d = self.differences
        whole = float(units.sum())
        value = float(d.sum()) / whole if whole else math.nan
        if len(d) < 2 or not whole or not np.isfinite(d).all():
            return Mean(value, -math.inf, math.inf)
        return Mean(value, *bootstrap_ratio(d, units, 0.95, DRAWS, np.random.default_rng(self.seed)))

    def most(self, k: int = 10) -> list[int]:
        """Return the numbers of the k texts with the largest |log p_A − log p_B|, the largest first."""
        order: list[int] = np.argsort(-np.abs(self.differences), kind="stable").tolist()
        return order[:k]

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of `to_arrow`, with a row for each text."""
        return [
            TableColumn("text", "int", np.arange(len(self.log_a))),
            TableColumn("bytes", "int", self.bytes),
            TableColumn("tokens", "int", self.tokens),
            TableColumn("a_nats", "float", self.log_a),
            TableColumn("b_nats", "float", self.log_b),
            TableColumn("difference_nats", "float", self.differences),
            TableColumn("kl_nats", "float", self.kl),
            TableColumn("kl_back_nats", "float", self.kl_back),
            TableColumn("low_nats", "float", self.low),
            TableColumn("high_nats", "float", self.high),
        ]


def diff(a: LM, b: LM, texts: Iterable[str | bytes], seed: int = 0, most: int = 10) -> Difference:
    """Compare two models on the same texts.

        difference   mean of log p_A(x) − log p_B(x), nats a text, a byte and a token
        KL(A‖B)      mean over positions of Σ_v p_A(v | x_<i) log (p_A(v | x_<i) / p_B(v | x_<i)), nats a token

    Each model reads each text once. Where the vocabularies agree, both next-token distributions of a position are compared
    while they are in memory. Elsewhere terms are summed between the bytes at which both models cut the text, and there is
    no KL. EOS is counted if both models have EOS.

    Models of different vocabularies are compared as distributions over strings by `diff(bytewise(a), bytewise(b), texts)`:
    KL is then in nats a byte. With a beam, `low` and `high` bound each difference, and there is no KL.

    Args:
        a: The model A.
        b: The model B.
        texts: Texts, which may be an iterator: blocks of 64 texts are read, and only numbers are kept.
        seed: The seed of the bootstrap.
        most: The number of words and of regions to name.

    Returns:
        The record. Its intervals are by a paired bootstrap of texts.

    Raises:
        NoBOS: A model has no x0.
        BadValue: There is no text, or a model normalizes texts.
        PofxError: The errors of `score`.

    Right: `diff(a, b, texts).per_byte` for two vocabularies. Wrong: KL over the positions of some texts as KL of the
    models, which needs texts drawn from A.
    """
    if isinstance(texts, str | bytes):
        raise BadValue("expected a list of texts, got one text", "write diff(a, b, [text])", argument="texts")
    gathered = Gathered(most, seed)
    for block in _blocks(texts):
        for found in text_differences(a, b, block):
            gathered.add(found)
    return gathered.result()


def _blocks(texts: Iterable[str | bytes]) -> Iterator[list[str | bytes]]:
    source = iter(texts)
    while block := list(islice(source, TOGETHER)):
        yield block


class Gathered:
    """The sums of texts that are compared one after another. Local to one run.

    Args:
        most: The number of words and of regions to keep.
        seed: The seed of the bootstrap.
    """

    def __init__(self, most: int, seed: int) -> None:
        self._most = check_whole_number("most", most, 0)
        self._seed = check_whole_number("seed", seed)
        self._rows = array("d")  # COLUMNS numbers a text
        self._heaps: tuple[list[tuple[float, int, int, Place]], ...] = ([], [])
        self._first: TextDifference | None = None

    @property
    def n(self) -> int:
        """The number of texts."""
        return len(self._rows) // COLUMNS

    @property
    def named(self) -> set[int]:
        """The numbers of the texts of the words and regions that are kept."""
        return {place.text for heap in self._heaps for *_, place in heap}

    def add(self, found: TextDifference) -> None:
        """Add the numbers of one text."""
        self._first = self._first or found
        data, laws, n = to_bytes(found.text), found.laws, self.n
        sums = (0, 0.0, 0.0, 0.0)
        if laws is not None:
            sums = (len(laws.kl), float(laws.entropy.sum()), float(laws.kl.sum()), float(laws.kl_back.sum()))
        self._rows.extend((found.total_a, found.total_b, len(data), *sums, *found.bounds))
        for heap, (edges, values) in zip(self._heaps, (found.words, (found.edges, found.differences))):
            for k in np.argsort(-np.abs(values), kind="stable")[: self._most].tolist():
                lo, hi = edges[k].tolist()
                place = Place(
                    n,
                    lo,
                    hi,
                    show_bytes(data[lo:hi]) if hi > lo else "EOS",
                    show_bytes(data[max(0, lo - 40) : lo]),
                    float(values[k]),
                )
                # Of equal differences the first one is kept.
                heapq.heappush(heap, (abs(place.difference), -n, -lo, place))
                if len(heap) > self._most:
                    heapq.heappop(heap)

    def result(self) -> Difference:
        """Return the record; raise `BadValue` where no text was added."""
        if self._first is None:
            raise BadValue("expected at least one text, got none", "pass texts", argument="texts")
        columns = np.ascontiguousarray(np.array(self._rows).reshape(-1, COLUMNS).T)
        a, b, size, tokens, entropy, kl, back, low, high = columns
        words, regions = (
            tuple(x[3] for x in sorted(h, key=lambda x: x[:3], reverse=True)) for h in self._heaps
        )
        return Difference(
            a,
            b,
            size.astype(np.int64),
            tokens.astype(np.int64),
            entropy,
            kl,
            back,
            low,
            high,
            self._first.end,
            words,
            regions,
            self._first.terms,
            self._seed,
        )
