"""The surprisal of each word of a text, from log p of its tokens and the masses of the tokens that would end each word."""

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
    """Compute the words of one text.

    Args:
        place: The places of the words among the tokens.
        logp: log p of each position, nats, `[t + 1]`; EOS is last.
        entropy: Entropy of each position, nats, `[t + 1]`.
        masses: Log mass of the tokens that would end each word, nats, `[w]`.
        seen: Effective context of each position, tokens, `[t + 1]`.

    Returns:
        The words in order.
    """
    units = place.units
    before = np.append(0.0, masses[:-1])
    # A boundary follows each word but the last word, which is followed by the rest of the text.
    rest = float(logp[int(place.at[-1]) :].sum())
    after = np.append(masses[:-1], rest)
    nats = _nats(_sums(logp, place.at) + after, before)
    ending = np.zeros(len(masses))
    ending[-1:] = _nats(np.array([rest]), masses[-1:])
    edges = np.searchsorted(place.starts, np.append(0, place.byte_spans[:, 1]))
    first, beyond = edges[:-1], np.append(edges[1:-1], len(place.ids))
    tokens = np.maximum(beyond - first, 0)
    number = np.cumsum(~units.outside) - 1
    entropies = entropy[np.minimum(first, len(entropy) - 1)]
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
            [h if n else None for h, n in zip(entropies.tolist(), tokens.tolist())],
            tokens.tolist(),
            seen[np.minimum(first, len(seen) - 1)].tolist(),
        )
    )


def bounded_surprisals(place: WordPlaces, logp: Floats, masses: Floats) -> Floats:
    """Return the surprisal of each word up to the boundary after the word, nats, `[w]`: the end of the text is left out.

    Args:
        place: The places of the words among the tokens.
        logp: log p of each position, nats, `[t + 1]`; EOS is last.
        masses: Log mass of the tokens that would end each word, nats, `[w]`.
    """
    return _nats(_sums(logp, place.at) + masses, np.append(0.0, masses[:-1]))


def _texts(place: WordPlaces) -> list[str]:
    text = place.text
    spelled = [text[lo:hi] for lo, hi in place.units.spans.tolist()]
    if not has_surrogates(text):
        return spelled
    return [t.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for t in spelled]


def _sums(terms: Floats, ends: Ints) -> Floats:
    """Return the sums of the terms up to the first end, from there to the second end, and so on."""
    begins = np.append(0, ends[:-1])
    filled = ends > begins
    out = np.zeros(len(ends))
    if filled.any():
        out[filled] = np.add.reduceat(terms[: ends[-1]], begins[filled])
    return out


def _nats(logp: Floats, before: Floats) -> Floats:
    """Return −(logp − before), nats; ∞ where a mass is 0."""
    out = np.full(len(logp), np.inf)
    possible = (logp > -np.inf) & (before > -np.inf)
    out[possible] = before[possible] - logp[possible]
    return out
