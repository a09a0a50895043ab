"""Amounts of one unit as bars, with their numbers as text: what a compressed file, a sum, or a prior is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pofx.report.html.blocks import Block
from pofx.report.numerals import typeset
from pofx.vocab.vocabulary import plain_text


@dataclass(frozen=True)
class Fact:
    """A number with its words, such as `log p(x) =` **−11.417** `nats`.

    Attributes:
        number: The number, as it is shown.
        after: The words after the number; "" for none.
        before: The words before the number; "" for none.
    """

    number: str
    after: str = ""
    before: str = ""


@dataclass(frozen=True)
class Amount:
    """A row of a chart of bars.

    Attributes:
        name: The name of the amount.
        share: The length of the bar, from 0 to 1; None for a row without a bar.
        shown: The number, as it is shown.
        beside: A second number; "" for none.
        role: "main"; "rest" for what is left over; "sum" for the sum of the amounts above.
        more: The length of a second bar, right of the first, in the colour of "rest"; 0 for none.
    """

    name: str
    share: float | None
    shown: str
    beside: str = ""
    role: Literal["main", "rest", "sum"] = "main"
    more: float = 0.0


def amounts_block(
    facts: Sequence[Fact],
    amounts: Sequence[Amount],
    title: str,
    unit: str,
    beside: str = "",
    told: str = "",
    note: str = "",
) -> Block:
    """Return a block of a line of facts, and of amounts as bars.

    Args:
        facts: The numbers of the first line; the first one is the largest in type.
        amounts: The rows of the chart; () for no chart.
        title: The title of the chart.
        unit: The unit of the numbers beside the bars.
        beside: What the second numbers are; "" where there are none.
        told: A line of terms under the facts; "" for none.
        note: A line under the chart; "" for none.

    Right: shares of one track. Wrong: amounts of different units in one block, whose bars cannot be compared.
    """
    return Block(
        "amounts",
        {
            "facts": [{k: typeset(v) for k, v in asdict(f).items()} for f in facts],
            "told": told,
            "title": title,
            "unit": unit,
            "beside": beside,
            "amounts": [
                {
                    **asdict(a),
                    "name": plain_text(a.name),
                    "shown": typeset(a.shown),
                    "beside": typeset(a.beside),
                }
                for a in amounts
            ],
            "note": note,
        },
    )
