"""Texts to ids in blocks of bounded size, for tokenizers that take many texts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

BLOCK = 1 << 18  # characters that the tokenizer gets at once: an Encoding takes some 200 bytes a token

Ids = TypeVar("Ids")


def encode_in_blocks(
    texts: Iterable[str],
    encode_batch: Callable[[list[str]], Iterator[Ids]],
    encode_long: Callable[[str], Ids],
) -> Iterator[Ids]:
    """Encode texts in order, in batches of about `BLOCK` characters.

    Args:
        texts: Texts of valid characters.
        encode_batch: A function of several texts of about `BLOCK` characters together, which returns the ids of each.
        encode_long: A function of one text of more than `BLOCK` characters, which returns its ids.

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
