"""Conversion of nats to bits and to decimal logarithms, which only reports and file formats need."""

from __future__ import annotations

import math

LN2 = math.log(2.0)
LN10 = math.log(10.0)


def bits(nats: float) -> float:
    """Convert nats to bits: `nats / ln 2`."""
    return nats / LN2


def bits_per_byte(total_nats: float, n_bytes: int) -> float:
    """Convert −log p of a text to bits a byte: `nats / (ln 2 · bytes)`; nan for a text of no bytes."""
    return total_nats / (LN2 * n_bytes) if n_bytes else math.nan


def log10(nats: float) -> float:
    """Convert a natural logarithm to a decimal one, the unit of ARPA files: `nats / ln 10`."""
    return nats / LN10


def count_noun(n: int, noun: str, many: str | None = None) -> str:
    """Write a number with its noun: `1 token`, `2 tokens`; `many` is the plural where the noun takes no plain s."""
    return f"{n:,} {noun if n == 1 else many or f'{noun}s'}"
