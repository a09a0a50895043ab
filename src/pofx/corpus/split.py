"""The split of documents into those to fit and those to validate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from pofx.errors import BadValue
from pofx.values import MOST, check_real_number, check_whole_number
from pofx.vocab.vocabulary import to_bytes

Text = TypeVar("Text", bound=str | bytes)


def split_documents(
    documents: Iterable[Text], held_out: float = 0.1, seed: int = 0
) -> tuple[list[Text], list[Text]]:
    """Part documents into those to fit a model to and those to validate it on.

    A hash of the document and of `seed` decides on which side the document goes. So equal documents are on the same side,
    in any order, on any machine, whatever else is in the corpus; a `str` and its bytes are equal. The share is exact only
    on average: of ten documents none may be held out.

    Args:
        documents: Texts, read once.
        held_out: The share of documents to hold out, from 0 to 1.
        seed: Another whole number gives another split.

    Returns:
        Two lists in the order given: documents to fit, and documents held out.

    Raises:
        BadValue: `held_out` is outside [0, 1], or `documents` is one string.
        NotText: A document has a lone surrogate.

    Right: `train, validation = split_documents(documents("a.txt"))`. Wrong: `split_documents(open("novel.txt"))`, since the
    lines of one document depend on each other, and stand on both sides.
    """
    held_out = check_real_number("held_out", held_out, 0, 1)
    if isinstance(documents, str | bytes):
        raise BadValue("expected an iterable of documents, got one string", "for one document write [text]")
    check_whole_number("seed", seed, -MOST)
    sides: tuple[list[Text], list[Text]] = ([], [])
    for text in documents:
        sides[is_held_out(text, held_out, seed)].append(text)
    return sides


def is_held_out(text: str | bytes, held_out: float, seed: int = 0) -> bool:
    """Return whether `split_documents` holds out a document.

    Args:
        text: The document.
        held_out: The share of documents to hold out, from 0 to 1.
        seed: As in `split_documents`.

    Raises:
        NotText: The document has a lone surrogate.
    """
    if not held_out:
        to_bytes(text)  # refuses a lone surrogate, as every share does
        return False
    key = str(int(seed)).encode("ascii")
    code = hashlib.blake2b(to_bytes(text), digest_size=8, key=key).digest()
    return int.from_bytes(code, "big") < held_out * 2.0**64
