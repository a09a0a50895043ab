"""The regions of a text in the text that the model reads, where the tokenizer normalises texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from pofx.errors import BadValue
from pofx.queries.segmentation.word_spans import region_spans
from pofx.vocab.vocabulary import Vocab


def read_regions(
    vocab: Vocab, text: str | bytes, regions: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the places of regions in the text that the model reads in place of a text.

    Each region, and each piece between two regions, is normalised alone. The pieces must add up to the normalised text.

    Args:
        vocab: The vocabulary.
        text: The text as the user wrote it.
        regions: The beginning and the end of each region, characters.

    Returns:
        The beginning and the end of each region, characters of the text that the model reads.

    Raises:
        BadValue: A region is outside the text, or a normalizer joins two regions, as an accent and the letter before it.

    Right: `read_regions(lm.vocab, "The Cat", [(0, 3), (4, 7)])`. Wrong: the same places in both texts, where a normalizer
    changes lengths.
    """
    plain = _characters(text)
    region_spans(plain, regions)  # refuses regions outside the text, which slices would cut
    cuts = sorted({0, len(plain), *(x for region in regions for x in region)})
    pieces = [_characters(vocab.read(plain[a:b])[0]) for a, b in pairwise(cuts)]
    if "".join(pieces) != _characters(vocab.read(text)[0]):
        raise BadValue(
            "expected regions that the model's normalizers leave apart, got a text that they change across regions",
            "pass the text that the model reads (lm.vocab.read), and regions of that text",
            argument="units",
        )
    moved = dict(zip(cuts, accumulate(map(len, pieces), initial=0)))
    return [(moved[a], moved[b]) for a, b in regions]


def _characters(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
