"""The vocabulary that a specification names: "bytes", "chars", "chars+bytes" or "bpe:8000"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pofx.errors import BadValue
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab

CHOICES = "'bytes', 'chars', 'chars+bytes', 'bpe:8000' (8,000 subwords) or a Vocab"


def vocab_for(spec: str | Vocab, texts: Iterable[str | bytes], end: bool) -> Vocab:
    """Return the vocabulary of a spec: learned from the texts where it depends on them, with EOS if `end`.

    A `Vocab` is returned as it is, if it has an EOS just when `end` asks for one; else `BadValue`.

    Right: `vocab_for("bpe:8000", texts, end=True)`. Wrong: `vocab_for("bpe", texts, end=True)`, how many?
    """
    if isinstance(spec, Vocab):
        if (spec.end is not None) != end:
            has, wants = ("no EOS", "end=True") if end else ("an EOS", "end=False")
            raise BadValue(
                f"got {has} in it, but the spec says {wants}", "make the two agree", argument="vocab"
            )
        return spec
    if not isinstance(spec, str):
        raise BadValue(f"expected {CHOICES}, got {spec!r}", "pass one of these", argument="vocab")
    if spec == "bytes":
        return ByteVocab(end=end)
    if spec in ("chars", "chars+bytes"):
        return CharVocab.learn(texts, end=end, escape=spec == "chars+bytes")
    # ASCII digits, and at most nine: int() would also read "１２" and choke on a million of them.
    found = re.fullmatch(r"bpe:([0-9]{1,9})", spec)
    if found is None:
        raise BadValue(f"expected {CHOICES}, got {spec[:60]!r}", "write one of these", argument="vocab")
    from pofx.vocab.subwords import SubwordVocab

    return SubwordVocab.learn(texts, int(found[1]), end=end)
