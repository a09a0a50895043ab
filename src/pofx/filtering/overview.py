"""What a filter does to documents: their bits per byte, and the documents nearest to each bound, on either side."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pofx.filtering.bounds import Bounds

# The least width of a bar, bits a byte. The width is doubled until at most BARS bars hold all documents of a language.
WIDTH = 0.125
BARS = 24
# The most examples on each side of a bound.
NEAREST = 5
# Reasons that say on which side of a bound a document lies. Documents with other reasons are no examples of a bound.
_SIDES = {"", "improbable", "predictable"}


@dataclass(frozen=True)
class Seen:
    """A document that was judged.

    Attributes:
        id: The id of the document.
        text: The text of the document.
        language: The language of the document; None for no known language.
        bits_per_byte: −log2 p(text | language) / bytes; nan for an empty text.
        reason: Why the document is not kept; "" for a document that is kept.
    """

    id: str
    text: str
    language: str | None
    bits_per_byte: float
    reason: str


@dataclass(frozen=True)
class Edge:
    """A bound, and the documents nearest to it.

    Attributes:
        name: "lower" or "upper".
        value: The bound, bits a byte.
        inside: The kept documents with the nearest values, the nearest first.
        outside: The documents beyond the bound with the nearest values, the nearest first.
    """

    name: Literal["lower", "upper"]
    value: float
    inside: tuple[Seen, ...]
    outside: tuple[Seen, ...]


@dataclass(frozen=True)
class LanguageOverview:
    """The documents of one language.

    Attributes:
        language: The name of the language.
        bounds: The bounds of the language.
        bars: For each bar its lower end (bits a byte), how many of its documents are kept, and how many are not.
        edges: The bounds that are finite, with examples.
    """

    language: str
    bounds: Bounds
    bars: tuple[tuple[float, int, int], ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Overview:
    """What a filter does to documents.

    Attributes:
        documents: How many documents there are.
        kept: How many of them are kept.
        reasons: For each reason, how many documents are not kept for this reason; the commonest reason first.
        languages: The overview of each language, in the order of the bounds.
        unknown: The first documents of no known language, at most `NEAREST`.
    """

    documents: int
    kept: int
    reasons: tuple[tuple[str, int], ...]
    languages: tuple[LanguageOverview, ...]
    unknown: tuple[Seen, ...]


def overview(bounds: Mapping[str, Bounds], documents: Iterable[Seen]) -> Overview:
    """Count documents and choose examples, in constant memory.

    Args:
        bounds: The bounds of each language, by its name.
        documents: The judged documents, whose languages are names of `bounds` or None.

    Returns:
        The overview. Of equally near documents, the first are the examples.
    """
    made = {name: _Gathered(b) for name, b in bounds.items()}
    reasons: Counter[str] = Counter()
    unknown: list[Seen] = []
    n = 0
    for n, document in enumerate(documents, 1):
        reasons[document.reason] += 1
        if document.language is None:
            if document.reason == "language" and len(unknown) < NEAREST:
                unknown.append(document)
        elif not math.isnan(document.bits_per_byte):
            made[document.language].add(n, document)
    kept = reasons.pop("", 0)
    return Overview(
        n,
        kept,
        tuple(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        tuple(g.finish(name) for name, g in made.items()),
        tuple(unknown),
    )


class _Gathered:
    """Counts and examples of one language. Local to `overview`."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._bars: Counter[tuple[int, bool]] = Counter()
        # For each bound and side, a heap of the nearest documents, the farthest of them first.
        self._heaps: dict[tuple[str, bool], list[tuple[float, int, Seen]]] = {
            (name, inside): [] for name, _ in self._finite() for inside in (True, False)
        }

    def _finite(self) -> list[tuple[Literal["lower", "upper"], float]]:
        out: list[tuple[Literal["lower", "upper"], float]] = []
        if math.isfinite(self._bounds.low):
            out.append(("lower", self._bounds.low))
        if math.isfinite(self._bounds.high):
            out.append(("upper", self._bounds.high))
        return out

    def add(self, number: int, document: Seen) -> None:
        bits = document.bits_per_byte
        if math.isfinite(bits):
            self._bars[int(bits // WIDTH), not document.reason] += 1
        if document.reason not in _SIDES:
            return
        for name, value in self._finite():
            beyond = bits < value if name == "lower" else bits > value
            if not beyond and document.reason:
                continue  # the document fell at the other bound
            heap = self._heaps[name, not beyond]
            heapq.heappush(heap, (-abs(bits - value), -number, document))
            if len(heap) > NEAREST:
                heapq.heappop(heap)

    def finish(self, language: str) -> LanguageOverview:
        counts, width = self._bars, WIDTH
        while counts and max(counts)[0] - min(counts)[0] >= BARS:
            wider: Counter[tuple[int, bool]] = Counter()
            for (k, kept), many in counts.items():
                wider[k // 2, kept] += many
            counts, width = wider, 2 * width
        places = range(min(counts)[0], max(counts)[0] + 1) if counts else ()
        bars = tuple((k * width, counts[k, True], counts[k, False]) for k in places)
        edges = tuple(
            Edge(name, value, self._sorted(name, True), self._sorted(name, False))
            for name, value in self._finite()
        )
        return LanguageOverview(language, self._bounds, bars, edges)

    def _sorted(self, name: str, inside: bool) -> tuple[Seen, ...]:
        return tuple(seen for _, _, seen in sorted(self._heaps[name, inside], reverse=True))
