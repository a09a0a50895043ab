"""The numbers of one region of a text: its surprisal, the entropy before it, and what its tokens share with others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pofx.errors import PofxError
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.queries.scoring.stream import block_size, blocks
from pofx.queries.scoring.terms import Terms
from pofx.queries.segmentation.word_rule import WordRule
from pofx.queries.words.boundaries import BoundaryTokens
from pofx.queries.words.word_entropy import WordEntropy, next_word_entropy
from pofx.queries.words.word_surprisals import bounded_surprisals
from pofx.queries.words.words import MeasuredWords, measure_words, no_end_error
from pofx.stimuli.stimulus_texts import StimulusText


@dataclass(frozen=True, slots=True)
class Region:
    """The numbers of one region of a text.

    Attributes:
        surprisal: −log P(the region, then a boundary | the text before, then a boundary), nats. Text before the region that
            is of no region counts here; EOS does not.
        ending: −log p(EOS and the text after the last region | the text, then a boundary), nats; 0 for all other regions.
        entropy: Entropy of the next-token distribution after the region before, or at the beginning of the text, nats; None
            where no token begins in the region or in the space before it.
        reduction: `entropy` minus the entropy of the next-token distribution after the region, nats; None where a token
            spans the end of the region, and where `entropy` is None.
        boundary: −log P(a boundary | the text up to the region's end), nats; None where a token spans the end of the region,
            or no boundary was counted.
        bounded: Whether the boundary after the region was counted.
        shared: Whether a token spells characters of this region and of another one.
        tokens: The number of tokens that begin in the region or in the space before it.
        seen: The effective context of the first of these tokens, tokens.
        word_entropy: An estimate of the entropy of the next word after the region before, nats; None where it was not asked
            for, and where no boundary was counted before the region.
    """

    surprisal: float
    ending: float
    entropy: float | None
    reduction: float | None
    boundary: float | None
    bounded: bool
    shared: bool
    tokens: int
    seen: int
    word_entropy: WordEntropy | None = None


@dataclass(frozen=True)
class MeasuredText:
    """The numbers of one text; surprisals and endings of its regions add up to −`total`.

    Attributes:
        regions: The regions, in order.
        total: log p(text | given), nats.
        terms: The terms that were counted, and their rules.
    """

    regions: tuple[Region, ...]
    total: float
    terms: Terms


def measure_regions(
    lm: LM, texts: Sequence[StimulusText], draws: int = 0, seed: int = 0
) -> list[MeasuredText | PofxError]:
    """Compute the numbers of all regions of texts.

    Args:
        lm: The model.
        texts: The texts.
        draws: The number of words that are drawn for the entropy of each next word; 0 for no such entropy.
        seed: The seed of the draws.

    Returns:
        The numbers of each text, in order, or the error of the text.

    Raises:
        NoEOS: Texts of the model never end.
        NoBOS: The model has no x0, and no text has a prefix.
    """
    if lm.vocab.end is None:
        raise no_end_error()
    if lm.begin.known == "none" and not any(t.given for t in texts):
        raise refuse_unconditional(lm.begin)
    boundaries = BoundaryTokens(lm.vocab, WordRule("words"))
    found: dict[StimulusText, MeasuredText | PofxError] = {}
    for layer in _layers(texts):
        own = {_question(t): t.regions for t in layer}

        def answer(some: Sequence[str | bytes], given: Sequence[str | bytes]) -> list[MeasuredText]:
            regions = [own[both] for both in zip(some, given)]  # noqa: B023  (called within this turn of the loop)
            measured = measure_words(lm, boundaries, some, given, regions)
            if not draws:
                return [_regions(m, []) for m in measured]
            return [_regions(m, _word_entropies(lm, boundaries, m, draws, seed)) for m in measured]

        for block in blocks(layer, _question, block_size(lm)):
            found.update(zip(block.items, block.answers(answer)))
    return [found[_plain(t)] for t in texts]


def _plain(text: StimulusText) -> StimulusText:
    """Return the text without its rows, on which no number depends."""
    return replace(text, rows=())


def _question(text: StimulusText) -> tuple[str | bytes, str | bytes]:
    return text.text, text.given


def _layers(texts: Sequence[StimulusText]) -> list[list[StimulusText]]:
    """Return each different text once, in lists in which a string after a prefix is cut into regions in one way."""
    layers: list[list[StimulusText]] = []
    depth: Counter[tuple[str | bytes, str | bytes]] = Counter()
    for text in dict.fromkeys(map(_plain, texts)):
        at = depth[_question(text)]
        depth[_question(text)] += 1
        if at == len(layers):
            layers.append([])
        layers[at].append(text)
    return layers


def _word_entropies(
    lm: LM, boundaries: BoundaryTokens, of: MeasuredWords, draws: int, seed: int
) -> list[WordEntropy | None]:
    """Return the entropy of the next word before each word of the text; None where no boundary was counted there."""
    place = of.place
    words = of.words()
    prefix = lm.vocab.encode_array(of.given)
    state, read = lm.start(1), 0
    ids = np.concatenate([prefix, place.ids]).astype(np.int64)
    out: list[WordEntropy | None] = []
    for k in range(len(words)):
        end = int(place.byte_spans[k - 1, 1]) if k else 0
        at = int(np.searchsorted(place.starts, end)) if k else 0
        known = k == 0 or (place.starts[place.at[k - 1]] >= end and words[k - 1].bounded)
        upto = len(prefix) + at
        if not known:
            out.append(None)
            continue
        if upto > read:
            state, read = lm.extend(state, ids[None, read:upto]), upto
        rng = np.random.default_rng([seed, k])
        out.append(next_word_entropy(lm, boundaries, state, k > 0, draws, rng))
    return out


def _regions(of: MeasuredWords, entropies: Sequence[WordEntropy | None]) -> MeasuredText:
    """Compute the regions of one text; what the chain rule counts between two regions belongs to the later one."""
    place = of.place
    words = of.words()
    nats = bounded_surprisals(place, of.logp, of.masses)
    ends = place.byte_spans[:, 1]
    # The position of the first token that begins after the end of each word; the last position is that of EOS.
    after = np.searchsorted(place.starts, ends)
    cut = place.starts[place.at] < ends
    reach = np.append(place.starts, place.starts[-1])[place.at + 1]
    spans = cut[:-1] & (reach[:-1] > place.byte_spans[1:, 0])
    shared = np.append(spans, False) | np.append(False, spans)
    out = []
    for k, word in enumerate(words):
        if word.index is None:
            continue
        h = word.entropy
        out.append(
            Region(
                float(nats[k]),
                word.ending,
                h,
                None if h is None or cut[k] else h - float(of.entropy[after[k]]),
                None if cut[k] or not word.bounded else 0.0 - float(of.masses[k]),
                word.bounded,
                bool(shared[k]),
                word.tokens,
                word.seen,
                entropies[k] if entropies else None,
            )
        )
    return MeasuredText(tuple(out), of.total, of.terms)
