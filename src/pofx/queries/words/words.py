"""The surprisal of words, which are runs of characters and do not depend on the tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, BadValue, NoEOS
from pofx.lm.model import LM
from pofx.lm.trace import Ints, Trace, Want
from pofx.queries.scoring.inputs import name_normalizers, prefix_per_text, read_texts
from pofx.queries.scoring.terms import Terms, terms
from pofx.queries.segmentation.word_rule import SECONDS, Punctuation, WordRule
from pofx.queries.words.boundaries import BoundaryTokens
from pofx.queries.words.read_regions import read_regions
from pofx.queries.words.word import Word, Worded
from pofx.queries.words.word_places import TokenSet, WordPlaces, place_words
from pofx.queries.words.word_surprisals import word_surprisals
from pofx.transforms.given import check_possible
from pofx.vocab.vocabulary import to_bytes

__all__ = ["Word", "Worded", "read_words", "words"]

Regions = Sequence[Sequence[tuple[int, int]]]
# The most entries of the token sets of one pass: 335 sets of 50,000 tokens, 64 MB in float32.
ENTRIES = 1 << 24


def words(
    lm: LM,
    texts: Sequence[str | bytes],
    units: Literal["words", "graphemes"] | re.Pattern[str] | Regions = "words",
    punctuation: Punctuation = "attached",
    given: str | bytes | Sequence[str | bytes] = "",
    pattern_seconds: float = SECONDS,
) -> list[Worded]:
    """Compute the surprisal of every word of each text, nats.

        surprisal = −log P(the word, then a boundary | the words before, then a boundary)

    Let F(k) = log P(the text up to the end of word k, then a boundary or EOS). The surprisal of word k is F(k−1) − F(k), of
    the first word −F(1), and of the last word F(k−1) − log p(text). So all surprisals add up to −log p(text). F is computed
    from the tokens of `encode`: log P(tokens up to the word's end) + log of the mass of the boundary tokens there. If a
    token reaches beyond the word's end, the mass is of all tokens that have the same bytes up to the end and then a
    boundary. So spaces may stand at the beginnings of tokens or at their ends (Pimentel and Meister 2024; Oh and Schuler
    2024).

    Args:
        lm: The model.
        texts: A list of texts.
        units: The definition of a word. With "words", a word is a run without white space. With "graphemes", a word is a
            grapheme cluster, for languages without spaces. With a compiled pattern, each match is a word. Regions (start,
            end) in characters, a list for each text, are words, too. No boundary is counted after a grapheme, or after a
            match or region inside a run.
        punctuation: "attached" where punctuation is part of the word beside it; "own" where each character of punctuation
            is a word; "boundary" where punctuation stands between words.
        given: One prefix for all texts, or one prefix for each text.
        pattern_seconds: The longest time for the matches in one text, seconds.

    Returns:
        One record a text, in order.

    Raises:
        NoEOS: Texts of the model never end.
        PofxError: The errors of `score`.

    Right: `words(lm, ["The cat sat."])[0].words[1].surprisal`. Wrong: adding up the terms of a word's tokens in `score`,
    where the space that ends a word counts for the next word.
    """
    if isinstance(texts, str | bytes):
        raise BadValue("expected a list of texts, got one text", "write words(lm, [text])", argument="texts")
    texts = list(texts)
    if isinstance(units, str | re.Pattern):
        how = WordRule(units, punctuation, pattern_seconds)
        return read_words(lm, BoundaryTokens(lm.vocab, how), texts, given)
    own = list(units)
    if len(own) != len(texts):
        raise BadValue(
            f"expected regions for each of {len(texts)} texts, got {len(own)}",
            "pass a list of regions for each text",
            argument="units",
        )
    return read_words(lm, BoundaryTokens(lm.vocab, WordRule("words", punctuation)), texts, given, own)


def read_words(
    lm: LM,
    boundaries: BoundaryTokens,
    texts: Sequence[str | bytes],
    given: str | bytes | Sequence[str | bytes] = "",
    own: Regions | None = None,
) -> list[Worded]:
    """Compute `words` with sets of boundary tokens that were made before.

    Args:
        lm: The model.
        boundaries: The boundary tokens of its vocabulary, and the rule that cuts texts into words.
        texts: Texts.
        given: One prefix for all texts, or one prefix for each text.
        own: The regions of each text that are its words; for None `boundaries.units` finds the words.

    Returns:
        One record a text, in order.

    Raises:
        NoEOS: Texts of the model never end.
        BadValue: An argument is outside its domain.
    """
    measured = measure_words(lm, boundaries, texts, given, own)
    return [Worded(m.text, m.given, m.words(), m.total, m.terms) for m in measured]


def no_end_error() -> NoEOS:
    """Return the error for a model whose texts never end."""
    return NoEOS(
        "words: expected a model whose texts end, since the end of a text is the boundary of its last word, "
        "got a model without end-of-text symbol",
        Advice("name a token that ends texts", "end=…", "--end"),
    )


@dataclass(frozen=True, eq=False)
class MeasuredWords:
    """One text whose words are located among its tokens, and the numbers of the model at each position.

    Attributes:
        text: The text as the model reads it.
        given: The prefix as the model reads it.
        place: The places of the words among the tokens.
        logp: log p of each position, nats, `[t + 1]`; EOS is last.
        entropy: Entropy of each position, nats, `[t + 1]`.
        masses: Log mass of the tokens that would end each word, nats, `[w]`.
        seen: Effective context of each position, tokens, `[t + 1]`.
        terms: The terms that were counted, and their rules.
    """

    text: str | bytes
    given: str | bytes
    place: WordPlaces
    logp: NDArray[np.float64]
    entropy: NDArray[np.float64]
    masses: NDArray[np.float64]
    seen: Ints
    terms: Terms

    @property
    def total(self) -> float:
        """The log-probability log p(text | given), nats."""
        return float(self.logp.sum())

    def words(self) -> tuple[Word, ...]:
        """Return the words of the text."""
        return word_surprisals(self.place, self.logp, self.entropy, self.masses, self.seen)


def measure_words(
    lm: LM,
    boundaries: BoundaryTokens,
    texts: Sequence[str | bytes],
    given: str | bytes | Sequence[str | bytes] = "",
    own: Regions | None = None,
) -> list[MeasuredWords]:
    """Locate the words of texts, and ask the model for the numbers that their surprisals are made of; as `read_words`."""
    end = lm.vocab.end
    if end is None:
        raise no_end_error()
    givens: list[str | bytes] = prefix_per_text(given, len(texts))
    written = texts
    texts, changed = read_texts(lm, texts)
    givens, changed_givens = read_texts(lm, givens)
    if own is not None and any(changed):
        own = [read_regions(lm.vocab, t, r) if by else r for t, r, by in zip(written, own, changed)]
    prefixes = [lm.vocab.encode_array(g) for g in givens]
    asked = {g: p for g, p in zip(givens, prefixes) if len(p)}
    if asked:
        check_possible(lm, list(asked.values()), list(asked))
    # A text after a prefix may have another spelling than the text alone.
    vocabs = [lm.vocab.continuation if len(p) else lm.vocab for p in prefixes]
    alone = iter(lm.vocab.encode_many([t for t, p in zip(texts, prefixes) if not len(p)]))
    cut = []
    for k, (vocab, text) in enumerate(zip(vocabs, texts)):
        ids = vocab.encode_array(text) if len(prefixes[k]) else next(alone)
        cut.append(place_words(vocab, boundaries.units, text, ids, None if own is None else own[k]))
    paths = [np.concatenate([p, place.ids, [end]]).astype(np.int64) for p, place in zip(prefixes, cut)]
    logp, entropy, masses = _passes(lm, boundaries, cut, paths, [len(p) for p in prefixes])
    out = []
    for k, place in enumerate(cut):
        seen = lm.seen(len(paths[k]))[len(prefixes[k]) :]
        n_given = len(to_bytes(givens[k]))
        small_print = terms(lm, len(place.ids), len(place.data), n_given, end=True)
        numbers = (logp[k], entropy[k], masses[k], seen)
        out.append(MeasuredWords(texts[k], givens[k], place, *numbers, small_print))
    return name_normalizers(out, [x or g for x, g in zip(changed, changed_givens)])


def _passes(
    lm: LM,
    boundaries: BoundaryTokens,
    texts: Sequence[WordPlaces],
    paths: Sequence[Ints],
    skips: Sequence[int],
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return log p and entropy of each position `[t + 1]`, and the log mass after each word `[w]`, nats, for each text."""
    masses = [np.zeros(len(p.at)) for p in texts]
    needed: dict[TokenSet, list[int]] = {}
    for k, place in enumerate(texts):
        for kind in np.unique(place.which[place.which >= 0]).tolist():
            needed.setdefault(place.endings[kind], []).append(k)
    kinds = list(needed)
    first: Trace | None = None
    most = max(ENTRIES // lm.vocab.size, 1)
    for lo in range(0, max(len(kinds), 1), most):
        chunk = kinds[lo : lo + most]
        asked = sorted({k for kind in chunk for k in needed[kind]}) if first else list(range(len(texts)))
        members = [boundaries.at_boundary if kind is None else boundaries.continuing(*kind) for kind in chunk]
        want = Want(entropy=first is None, masses=np.array(members) if members else None)
        trace = lm.forward([paths[k] for k in asked], want, [skips[k] for k in asked])
        first = first or trace
        columns = {kind: column for column, kind in enumerate(chunk)}
        for row, k in enumerate(asked):
            place = texts[k]
            column = np.array([*(columns.get(kind, -1) for kind in place.endings), -1])[place.which]
            here = column >= 0
            if here.any():
                assert trace.masses is not None  # noqa: S101  (ours: the `Want` requests masses)
                masses[k][here] = trace.masses[row][place.at[here], column[here]]
    assert first is not None  # noqa: S101  (ours: there is a pass even where no set is needed)
    assert first.entropy is not None  # noqa: S101  (ours: the first `Want` requests the entropy)
    return list(first.logp), list(first.entropy), masses
