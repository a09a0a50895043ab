"""−log p of words, which are runs of characters, whatever the tokens are."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue, NoEOS
from pofx.lm import LM
from pofx.queries.as_read import as_read, saying
from pofx.queries.boundaries import Boundaries
from pofx.queries.terms import Terms, terms
from pofx.queries.units import SECONDS, Punctuation, Unit, Units, regions
from pofx.trace import Ints, Trace, Want
from pofx.transforms.given import check_possible
from pofx.units import bits
from pofx.vocab import Vocab, to_bytes

Regions = Sequence[Sequence[tuple[int, int]]]
# Entries of the sets of tokens in one pass: 335 sets of 50,000 tokens; 64 MB where a pass holds them as float32.
ENTRIES = 1 << 24


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text, and what it says.

    index: which word it is, from 0; None for text between regions, and for a text without words. text, start, end,
    start_byte, end_byte: what it spells and where, in characters and in bytes.
    surprisal: −log P(the word, then a boundary | what came before, then a boundary), nats; what stands between it
    and the word before is counted with it. ending: the share of it that the last word has for what stands behind it
    and for EOS, nats; 0 for all others. bounded: whether a boundary behind it was counted.
    entropy: of the law of the first token that begins in it, nats; None where none does. tokens: how many begin in
    it. seen: what the law of the first of them was conditioned on, in tokens.
    """

    index: int | None
    text: str
    start: int
    end: int
    start_byte: int
    end_byte: int
    surprisal: float
    ending: float
    bounded: bool
    entropy: float | None
    tokens: int
    seen: int

    @property
    def bits(self) -> float:
        """The surprisal in bits."""
        return bits(self.surprisal)

    @property
    def form(self) -> str:
        """The word as frequency lists have it: in lower case, without punctuation at its ends."""
        letters = [k for k, c in enumerate(self.text) if c.isalnum()]
        return self.text[letters[0] : letters[-1] + 1].lower() if letters else self.text.lower()


@dataclass(frozen=True)
class Worded:
    """One text and its words; their surprisals add up to −`total`, which is log p(text | given) in nats."""

    text: str | bytes
    given: str | bytes
    words: tuple[Word, ...]
    total: float
    terms: Terms


def words(
    lm: LM,
    texts: Sequence[str | bytes],
    units: Literal["words", "graphemes"] | re.Pattern[str] | Regions = "words",
    punctuation: Punctuation = "attached",
    given: str | bytes | Sequence[str | bytes] = "",
    pattern_seconds: float = SECONDS,
) -> list[Worded]:
    """−log P(w_k, then a boundary | w_1 … w_k−1, then a boundary) of every word, nats; one record a text, in order.

    With F(k) = log P(the text up to the end of word k, then a boundary or EOS), a word's surprisal is
    F(k−1) − F(k); the first word's −F(1); the last one's F(k−1) − log p(text), so that all add up to −log p(text).
    Boundaries are sets of tokens, by the bytes they begin with, so that it does not matter whether spaces stand
    at the beginnings of tokens or at their ends. Pimentel and Meister 2024, Oh and Schuler 2024, with EOS.

    F is that of the tokens `encode` gives: their prefix up to the word's end, times the mass of what may follow; for
    a token that reaches beyond the end, of the tokens that could stand in its place and reach a boundary there.

    units: "words", what stands between white space; "graphemes", for languages without spaces; a pattern, each match
    of which is a word; regions (start, end) in characters, a list for each text. Where neither white space nor the
    text's end follows a region or a match, it may be followed by anything, as may a grapheme.
    punctuation: "attached" to the words it touches; "own", each character a word; "boundary", between words.
    given: one prefix for all, or one a text. pattern_seconds: that finding the matches in a text may take.
    `NoEOS` where texts never end; else the errors of `score`.

    Right: `words(lm, ["The cat sat."])[0].words[1].surprisal`. Wrong: adding up `tokens` of `score` for a word: the
    space that ends it is in the next token, where it counts for the next word.
    """
    if isinstance(texts, str | bytes):
        raise BadValue("texts: expected a list of texts, found one text; write words(lm, [text])")
    texts = list(texts)
    if isinstance(units, str | re.Pattern):
        how = Units(units, punctuation, pattern_seconds)
        return read_words(lm, Boundaries(lm.vocab, how), texts, given)
    own = list(units)
    if len(own) != len(texts):
        raise BadValue(f"units: expected regions for each of {len(texts)} texts, found {len(own)}")
    return read_words(lm, Boundaries(lm.vocab, Units("words", punctuation)), texts, given, own)


def read_words(
    lm: LM,
    boundaries: Boundaries,
    texts: Sequence[str | bytes],
    given: str | bytes | Sequence[str | bytes] = "",
    own: Regions | None = None,
) -> list[Worded]:
    """`words`, by sets of tokens that were made before; own: the regions of each text."""
    end = lm.vocab.end
    if end is None:
        raise NoEOS(
            "words: expected a model whose texts end, since the end of a text is a boundary and belongs to its last "
            "word, found one without end-of-text symbol; name a token that ends texts (end=, --end)"
        )
    behind = [given] * len(texts) if isinstance(given, str | bytes) else list(given)
    if len(behind) != len(texts):
        raise BadValue(
            f"given: expected one prefix, or one for each of {len(texts)} texts, found {len(behind)}"
        )
    texts, changed = as_read(lm, texts)
    behind, before = as_read(lm, behind)
    if own is not None and any(changed):
        raise BadValue(
            "units: expected texts that the model reads as they are, found one that its normalizer changes; pass the text "
            "that it reads (lm.vocab.read), and regions of that"
        )
    prefixes = [lm.vocab.encode_array(g) for g in behind]
    asked = {g: p for g, p in zip(behind, prefixes) if len(p)}
    if asked:
        check_possible(lm, list(asked.values()), list(asked))
    # Behind a prefix texts go on, and may be spelled otherwise than alone.
    vocabs = [lm.vocab.continuation if len(p) else lm.vocab for p in prefixes]
    alone = iter(lm.vocab.encode_many([t for t, p in zip(texts, prefixes) if not len(p)]))
    plans = []
    for k, (vocab, text) in enumerate(zip(vocabs, texts)):
        ids = vocab.encode_array(text) if len(prefixes[k]) else next(alone)
        plans.append(_plan(vocab, boundaries.units, text, ids, None if own is None else own[k]))
    paths = [np.concatenate([p, plan.ids, [end]]).astype(np.int64) for p, plan in zip(prefixes, plans)]
    logp, entropy, masses = _passes(lm, boundaries, plans, paths, [len(p) for p in prefixes])
    out = []
    for k, plan in enumerate(plans):
        skip = len(prefixes[k])
        seen = lm.seen(len(paths[k]))[skip:]
        n_given = len(to_bytes(behind[k]))
        small_print = terms(lm, len(plan.ids), len(plan.data), n_given, end=True)
        found = _words(plan, logp[k], entropy[k], masses[k], seen)
        out.append(Worded(texts[k], behind[k], found, float(logp[k].sum()), small_print))
    return saying(out, [by or g for by, g in zip(changed, before)])


# A set of tokens: None, those that open with a boundary; else those that begin with some bytes, and whether a
# boundary must follow these.
_Set = tuple[bytes, bool] | None


@dataclass(frozen=True, eq=False)
class _Plan:
    """A text cut twice, into tokens and into words.

    starts: byte offsets `[t + 1]` where tokens begin, EOS last. units, byte_spans `[w, 2]`: the words. places `[w]`:
    for each word the position of the first token that is not wholly before its end. sets: which tokens may stand
    there; False where all may.
    """

    text: str
    data: bytes
    ids: Ints
    starts: Ints
    units: list[Unit]
    byte_spans: Ints
    places: Ints
    sets: list[_Set | Literal[False]]


def _plan(
    vocab: Vocab, how: Units, text: str | bytes, ids: Ints, own: Sequence[tuple[int, int]] | None
) -> _Plan:
    data = to_bytes(text)
    plain = text if isinstance(text, str) else data.decode("utf-8", "surrogateescape")
    units = how.of(plain) if own is None else regions(plain, own)
    if not units:  # what is there, if only EOS, belongs to no word
        units = [Unit(0, len(plain), bounded=False, outside=True)]
    token_spans = vocab.spans(ids, text)  # type: ignore[arg-type]
    starts = np.append(token_spans[:, 0], len(data)).astype(np.int64)
    offsets = _byte_offsets(plain)
    byte_spans = offsets[np.array([(u.start, u.end) for u in units], dtype=np.int64)]
    # The last token that begins at or before the word's end: it begins there, or reaches beyond.
    places = np.searchsorted(starts, byte_spans[:, 1], side="right") - 1
    sets: list[_Set | Literal[False]] = []
    for unit, at, (_, hi) in zip(units, places.tolist(), byte_spans.tolist()):
        if starts[at] == hi:
            sets.append(None if unit.bounded else False)
            continue
        spelled = vocab.token_bytes[int(ids[at])] or b""
        beyond = int(token_spans[at, 1]) - hi
        sets.append((spelled[: len(spelled) - beyond], unit.bounded))
    return _Plan(plain, data, ids, starts, units, byte_spans, places, sets)


def _byte_offsets(text: str) -> Ints:
    """Where each character begins in the bytes of the text, and where the last one ends."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    width = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000)
    width[(points >= 0xDC80) & (points <= 0xDCFF)] = 1  # a stray byte
    return np.concatenate([[0], np.cumsum(width)]).astype(np.int64)


def _passes(
    lm: LM, boundaries: Boundaries, plans: Sequence[_Plan], paths: Sequence[Ints], skips: Sequence[int]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Per text: log p and entropy of each position `[t + 1]`, and the log mass behind each word `[w]`."""
    masses = [np.zeros(len(p.units)) for p in plans]
    needed: dict[_Set, list[tuple[int, int]]] = {}
    for k, plan in enumerate(plans):
        for w, which in enumerate(plan.sets):
            if which is not False:
                needed.setdefault(which, []).append((k, w))
    kinds = list(needed)
    first: Trace | None = None
    most = max(ENTRIES // lm.vocab.size, 1)
    for lo in range(0, max(len(kinds), 1), most):
        some = kinds[lo : lo + most]
        texts = sorted({k for kind in some for k, _ in needed[kind]}) if first else list(range(len(plans)))
        members = [boundaries.at_break if kind is None else boundaries.within(*kind) for kind in some]
        want = Want(entropy=first is None, masses=np.array(members) if members else None)
        trace = lm.forward([paths[k] for k in texts], want, [skips[k] for k in texts])
        first = first or trace
        row = {k: j for j, k in enumerate(texts)}
        for column, kind in enumerate(some):
            assert trace.masses is not None  # noqa: S101  (ours: they were wanted)
            for k, w in needed[kind]:
                masses[k][w] = trace.masses[row[k]][plans[k].places[w], column]
    assert first is not None  # noqa: S101  (ours: there is a pass even where no set is needed)
    assert first.entropy is not None  # noqa: S101  (ours: the first one reports it)
    return list(first.logp), list(first.entropy), masses


def _words(
    plan: _Plan,
    logp: NDArray[np.float64],
    entropy: NDArray[np.float64],
    masses: NDArray[np.float64],
    seen: Ints,
) -> tuple[Word, ...]:
    out: list[Word] = []
    mass, number = 0.0, 0
    last = len(plan.units) - 1
    # Of each word: log p of the tokens since the word before, and the tokens that begin in it.
    sums = _sums(logp, plan.places)
    begins = np.searchsorted(plan.starts, np.append(0, plan.byte_spans[:, 1])).tolist()
    for w, (unit, (lo, hi)) in enumerate(zip(plan.units, plan.byte_spans.tolist())):
        behind = float(masses[w])
        rest = float(logp[int(plan.places[w]) :].sum()) if w == last else 0.0
        ending = _nats(rest, behind) if w == last else 0.0
        surprisal = _nats(sums[w] + (rest if w == last else behind), mass)
        first = begins[w]
        beyond = len(plan.ids) if w == last else begins[w + 1]
        out.append(
            Word(
                index=None if unit.outside else number,
                text=plan.text[unit.start : unit.end].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
                start=unit.start,
                end=unit.end,
                start_byte=lo,
                end_byte=hi,
                surprisal=surprisal,
                ending=ending,
                bounded=unit.bounded,
                entropy=float(entropy[first]) if beyond > first else None,
                tokens=max(beyond - first, 0),
                seen=int(seen[min(first, len(seen) - 1)]),
            )
        )  # fmt: skip
        number += not unit.outside
        mass = behind
    return tuple(out)


def _sums(terms: NDArray[np.float64], ends: Ints) -> list[float]:
    """Σ of the terms up to the first end, from there to the second, and so on."""
    begins = np.append(0, ends[:-1])
    some = ends > begins
    out = np.zeros(len(ends))
    if some.any():
        out[some] = np.add.reduceat(terms[: ends[-1]], begins[some])
    return [float(x) for x in out]


def _nats(logp: float, behind: float) -> float:
    """−(logp − behind) of a share of a mass; a share of nothing is impossible."""
    return math.inf if -math.inf in (behind, logp) else behind - logp
