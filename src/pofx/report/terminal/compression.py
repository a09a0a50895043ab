"""Where the bits of a compressed file go, as a table; and when a model pays for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pofx.report.numerals import count_noun

if TYPE_CHECKING:
    from pofx.queries.compression.compress import Compression


def compression_table(made: Compression, xz: int) -> Table:
    """The account of its bits, which adds up, and xz -9 of the same bytes beside it."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("bits", justify="right", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("bits a byte", justify="right")
    law = (
        f"−log2 p, {count_noun(made.tokens, 'token')}"
        if made.tokens
        else "−log2 p, counts learned on the way"
    )
    rows: list[tuple[str, float]] = [
        (law, made.ideal_bits),
        (f"{made.lanes} lanes, each behind x0", made.lane_bits),
        ("quantisation", made.quantisation_bits),
        ("bytes beside the texts", made.escape_bits),
        ("header", made.header_bits),
    ]
    for name, n in rows:
        if n or name == "header":
            table.add_row(name, *_cells(n, made.bytes))
    table.add_section()
    table.add_row("compressed", *_cells(8 * len(made.blob), made.bytes))
    table.add_row("xz -9", *_cells(8 * xz, made.bytes))
    return table


def account(made: Compression, model: int, xz: int) -> str:
    """The model's own size, and how much text it takes until both together are shorter than xz."""
    even = break_even(made, model, xz)
    if not made.bytes:
        then = "of nothing it cannot be told when that pays"
    elif even is None:
        why = "xz -9 needs none, and is no longer" if made.tokens else "it would only make this longer"
        then = f"{why}: on such text it never pays"
    else:
        then = f"with it, xz -9 is beaten from {even:,} bytes of such text on"
    return f"The model: {model:,} bytes; {then}."


def break_even(made: Compression, model: int, xz: int) -> int | None:
    """n* = (model and header) / (xz's bytes a byte − those of the code), of text like this; None where xz takes no
    more, where the model coded nothing of it, and for nothing."""
    header = made.header_bits // 8
    saved = xz - (len(made.blob) - header)
    return (
        None
        if saved <= 0 or not made.tokens or not made.bytes
        else round((model + header) * made.bytes / saved)
    )


def _cells(bits: float, n: int) -> tuple[str, str, str]:
    each = f"{bits / n:.4f}" if n else ""
    return f"{bits:,.1f}", f"{bits / 8:,.1f}", each
