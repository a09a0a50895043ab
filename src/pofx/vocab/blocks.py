"""Texts to ids in blocks of bounded size, for tokenizers that take many texts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

BLOCK = 1 << 18  # characters given to the tokeniser at once: an Encoding weighs some 200 bytes a token

Ids = TypeVar("Ids")


def encode_in_blocks(
    texts: Iterable[str],
    encode_batch: Callable[[list[str]], Iterator[Ids]],
    encode_long: Callable[[str], Ids],
) -> Iterator[Ids]:
    """Encode texts in order, in batches of about `BLOCK` characters.

    Args:
        texts: Texts of valid characters.
        encode_batch: Gives the ids of each of some texts that have about `BLOCK` characters together.
        encode_long: Gives the ids of one text of more than `BLOCK` characters.

    Yields:
        The ids of each text.
    """
    batch: list[str] = []
    waiting = 0
    for text in texts:
        if batch and waiting + len(text) > BLOCK:
            yield from encode_batch(batch)
            batch, waiting = [], 0
        if len(text) > BLOCK:
            yield encode_long(text)
        else:
            batch.append(text)
            waiting += len(text)
    yield from encode_batch(batch)
