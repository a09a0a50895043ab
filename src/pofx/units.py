"""Nats to bits and back. Everything else in pofx is in nats; only borders (a report, a file format) convert."""

from __future__ import annotations

import math

LN2 = math.log(2.0)
LN10 = math.log(10.0)


def bits(nats: float) -> float:
    """`nats / ln 2`: a number of nats in bits."""
    return nats / LN2


def bits_per_byte(total_nats: float, n_bytes: int) -> float:
    """`nats / (ln 2 · bytes)`: the code length of a text per raw UTF-8 byte; nan for no bytes at all."""
    return total_nats / (LN2 * n_bytes) if n_bytes else math.nan


def log10(nats: float) -> float:
    """`nats / ln 10`: natural to decimal logarithm (the unit of ARPA files)."""
    return nats / LN10


def count_noun(n: int, noun: str, many: str | None = None) -> str:
    """`1 token`, `2 tokens`; many: where it is no plain s, `2 groups of copies`."""
    return f"{n:,} {noun if n == 1 else many or f'{noun}s'}"
