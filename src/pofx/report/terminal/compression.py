"""The bits of a compressed file as a table, and the size of text above which a model pays for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from pofx.report.numerals import fixed_point
from pofx.report.sums import addends
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.queries.compression.compress import Compression


def compression_table(made: Compression, xz: int) -> Table:
    """Return the parts of a compressed file in bits and bytes, their sum, and the size that xz -9 takes.

    Args:
        made: The compressed file.
        xz: The bytes that xz -9 takes for the same input.
    """
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("bits", justify="right", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("bits a byte", justify="right")
    method = (
        f"−log2 p, {count_noun(made.tokens, 'token')}"
        if made.tokens
        else "−log2 p, counts learned on the way"
    )
    rows: list[tuple[str, float]] = [
        (method, made.ideal_bits),
        (f"{made.lanes} lanes, each after x0", made.lane_bits),
        ("quantisation", made.quantisation_bits),
        ("bytes beside the texts", made.escape_bits),
        ("header", made.header_bits),
    ]
    rows = [(name, n) for name, n in rows if n or name == "header"]
    columns = [
        addends([n / unit for _, n in rows], 8 * len(made.blob) / unit, digits) if unit else [""] * len(rows)
        for unit, digits in _columns(made)
    ]
    for (name, _), *cells in zip(rows, *columns):
        table.add_row(name, *map(_with_commas, cells))
    table.add_section()
    for name, size in (("compressed", len(made.blob)), ("xz -9", xz)):
        cells = [fixed_point(8 * size / unit, digits) if unit else "" for unit, digits in _columns(made)]
        table.add_row(name, *map(_with_commas, cells))
    return table


def break_even_sentence(made: Compression, model: int, xz: int) -> str:
    """Return a sentence with the size of the model, and the bytes of text above which model and code are shorter than xz.

    Args:
        made: The compressed file.
        model: The bytes of the model.
        xz: The bytes that xz -9 takes for the same input.
    """
    even = break_even(made, model, xz)
    if not made.bytes:
        then = "an empty input does not tell from how much text on the model pays"
    elif even is None:
        why = (
            "xz -9 needs no model, and is no longer" if made.tokens else "the model coded none of this input"
        )
        then = f"{why}: on such text the model never pays"
    else:
        then = f"model and code beat xz -9 from {even:,} bytes of such text on"
    return f"The model: {model:,} bytes; {then}."


def break_even(made: Compression, model: int, xz: int) -> int | None:
    """Return the bytes of text above which model and code together are shorter than xz.

    n* = (model + header) / (bytes of xz a byte − bytes of the code a byte), for text like this input.

    Args:
        made: The compressed file.
        model: The bytes of the model.
        xz: The bytes that xz -9 takes for the same input.

    Returns:
        n* in bytes; None where xz takes no more than the code, where the model coded nothing, and for an empty input.
    """
    header = made.header_bits // 8
    saved = xz - (len(made.blob) - header)
    if saved <= 0 or not made.tokens or not made.bytes:
        return None
    return round((model + header) * made.bytes / saved)


def _columns(made: Compression) -> list[tuple[int, int]]:
    """Return the bits of the unit of each column, and its decimals: bits, bytes, and bits a byte of the input."""
    return [(1, 1), (8, 1), (made.bytes, 4)]


def _with_commas(number: str) -> str:
    whole, point, decimals = number.partition(".")
    return f"{int(whole):,}{point}{decimals}" if whole.lstrip("-").isdigit() and whole != "-0" else number
