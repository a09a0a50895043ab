"""Counts with their nouns, as sentences have them."""

from __future__ import annotations


def counted(n: int, noun: str, many: str | None = None) -> str:
    """`1 token`, `2 tokens`; many: where it is no plain s, `2 groups of copies`."""
    return f"{n:,} {noun if n == 1 else many or f'{noun}s'}"
