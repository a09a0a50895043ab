"""The shape of the answer about a file of rows."""

from __future__ import annotations

from pofx.server.description.answer import Answer


class LeftOut(Answer):
    """A column that is not in the answer.

    Attributes:
        name: Its name.
        type: The type of its cells.
    """

    name: str
    type: str


class RowsAnswer(Answer):
    """The answer of `POST /v1/rows`.

    Attributes:
        rows: How many rows the file has.
        columns: The cells of each column, from the first row to the last. An infinite number is "inf" or "-inf", and a
            moment or a decimal number is its text.
        left_out: Columns of lists, structures or bytes.
    """

    rows: int
    columns: dict[str, list[str | bool | int | float | None]]
    left_out: list[LeftOut]
