"""What each word of a text says, from log p of its tokens and the masses of those that would end it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints
from pofx.queries.segmentation.characters import has_surrogates
from pofx.queries.words.word import Word
from pofx.queries.words.word_places import WordPlaces

Floats = NDArray[np.float64]


def word_surprisals(
    place: WordPlaces, logp: Floats, entropy: Floats, masses: Floats, seen: Ints
) -> tuple[Word, ...]:
    """The words of one text. logp, entropy, seen: of each position, EOS last. masses: log of that behind each word."""
    units = place.units
    before = np.append(0.0, masses[:-1])
    # Log p of the tokens since the word before, and of what stands behind: a boundary, or for the last word the rest.
    rest = float(logp[int(place.at[-1]) :].sum())
    behind = np.append(masses[:-1], rest)
    nats = _nats(_sums(logp, place.at) + behind, before)
    ending = np.zeros(len(masses))
    ending[-1:] = _nats(np.array([rest]), masses[-1:])
    edges = np.searchsorted(place.starts, np.append(0, place.byte_spans[:, 1]))
    first, beyond = edges[:-1], np.append(edges[1:-1], len(place.ids))
    tokens = np.maximum(beyond - first, 0)
    number = np.cumsum(~units.outside) - 1
    law = entropy[np.minimum(first, len(entropy) - 1)]
    return tuple(
        map(
            Word,
            [None if out else k for out, k in zip(units.outside.tolist(), number.tolist())],
            _texts(place),
            units.spans[:, 0].tolist(),
            units.spans[:, 1].tolist(),
            place.byte_spans[:, 0].tolist(),
            place.byte_spans[:, 1].tolist(),
            nats.tolist(),
            ending.tolist(),
            units.bounded.tolist(),
            [h if n else None for h, n in zip(law.tolist(), tokens.tolist())],
            tokens.tolist(),
            seen[np.minimum(first, len(seen) - 1)].tolist(),
        )
    )


def _texts(place: WordPlaces) -> list[str]:
    text = place.text
    found = [text[lo:hi] for lo, hi in place.units.spans.tolist()]
    if not has_surrogates(text):
        return found
    return [t.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for t in found]


def _sums(terms: Floats, ends: Ints) -> Floats:
    """Σ of the terms up to the first end, from there to the second, and so on."""
    begins = np.append(0, ends[:-1])
    some = ends > begins
    out = np.zeros(len(ends))
    if some.any():
        out[some] = np.add.reduceat(terms[: ends[-1]], begins[some])
    return out


def _nats(logp: Floats, behind: Floats) -> Floats:
    """−(logp − behind) of shares of masses; a share of nothing is impossible."""
    out = np.full(len(logp), np.inf)
    some = (logp > -np.inf) & (behind > -np.inf)
    out[some] = behind[some] - logp[some]
    return out
