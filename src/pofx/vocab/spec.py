"""The vocabulary that a specification names: "bytes", "chars", "chars+bytes" or "bpe:8000"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pofx.errors import BadValue
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab

CHOICES = "'bytes', 'chars', 'chars+bytes', 'bpe:8000' (8,000 subwords) or a Vocab"


def vocab_for(spec: str | Vocab, texts: Iterable[str | bytes], end: bool) -> Vocab:
    """Return the vocabulary of a spec, learned from the texts where the spec depends on texts.

    Args:
        spec: The name of a vocabulary, or a `Vocab`, which is returned as it is.
        texts: The texts to learn from.
        end: Whether the vocabulary has an EOS.

    Raises:
        BadValue: The spec is malformed, or the `Vocab` has an EOS where `end` is false, or none where `end` is true.

    Right: `vocab_for("bpe:8000", texts, end=True)`. Wrong: `vocab_for("bpe", texts, end=True)`, without a size.
    """
    if isinstance(spec, Vocab):
        if (spec.end is not None) != end:
            wanted, had = ("with", "without") if end else ("without", "with")
            raise BadValue(
                f"expected a vocabulary {wanted} EOS, as end={end} says, got a vocabulary {had} EOS",
                "change the vocabulary or end",
                argument="vocab",
            )
        return spec
    if not isinstance(spec, str):
        raise BadValue(f"expected {CHOICES}, got {spec!r}", "pass one of these choices", argument="vocab")
    if spec == "bytes":
        return ByteVocab(end=end)
    if spec in ("chars", "chars+bytes"):
        return CharVocab.learn(texts, end=end, escape=spec == "chars+bytes")
    # At most nine digits, of ASCII alone: int() also reads "１２", and takes minutes for a million digits.
    found = re.fullmatch(r"bpe:([0-9]{1,9})", spec)
    if found is None:
        raise BadValue(
            f"expected {CHOICES}, got {spec[:60]!r}", "write one of these choices", argument="vocab"
        )
    from pofx.vocab.subwords import SubwordVocab

    return SubwordVocab.learn(texts, int(found[1]), end=end)
