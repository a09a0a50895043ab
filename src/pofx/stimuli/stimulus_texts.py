"""The rows of a stimulus table as texts: the words of each text are joined, and each row knows its region of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pofx.errors import Advice, BadValue, PofxError
from pofx.stimuli.spaces import spaced
from pofx.stimuli.stimulus_fields import StimulusFields
from pofx.values import check_real_number

Row = Mapping[str, Any]


@dataclass(frozen=True)
class StimulusText:
    """One text of a stimulus table.

    Attributes:
        text: The text.
        given: The prefix, "" for none.
        regions: The beginning and the end of each region, characters.
        rows: The numbers of the rows that hold each region, from 0. Several rows hold one region where several people read
            the text.
    """

    text: str
    given: str
    regions: tuple[tuple[int, int], ...]
    rows: tuple[tuple[int, ...], ...]


def read_texts_of_rows(
    rows: Sequence[Row], fields: StimulusFields, join: str = " ", given: str = "", attach: bool = False
) -> list[StimulusText]:
    """Join the words of a stimulus table to texts.

    Rows with equal values in the columns `fields.item` are of one text. With `fields.order`, words stand in the order of
    the numbers there, and rows of one text with one number and one word are one region. Without it, words stand in the
    order of the rows, and the rows of a text must follow one another. A row whose word is empty has no region.

    Args:
        rows: The rows, each a mapping from the names of columns.
        fields: The columns.
        join: The string between two words: white space, or "" where words hold their own spaces or need none.
        given: The prefix of all texts, where `fields.given` is None.
        attach: Whether words that are punctuation or a clitic touch the word beside them, as `spaced` says.

    Returns:
        The texts, in the order of their first rows.

    Raises:
        BadValue: A row lacks a value, a place is no number, two words have one place, rows of a text lie apart, or a text
            has two prefixes.
    """
    if join.strip():
        raise BadValue(
            f"expected white space, or an empty string, got {join!r:.40}",
            "put any other string into the words",
            argument="join",
        )
    if attach and not join:
        raise BadValue(
            "expected white space between words, got an empty string and attach",
            "leave out attach",
            argument="join",
        )
    if not rows:
        raise BadValue("expected at least one row, got none", "pass a table with rows", argument="table")
    groups: dict[tuple[Any, ...], list[int]] = {}
    for n, row in enumerate(rows):
        groups.setdefault(tuple(_value(row, name, n) for name in fields.item), []).append(n)
    return [_joined(rows, group, fields, join, given, attach) for group in groups.values()]


def _joined(
    rows: Sequence[Row], group: list[int], fields: StimulusFields, join: str, given: str, attach: bool
) -> StimulusText:
    places = _in_order(rows, group, fields) if fields.order else _in_rows(rows, group, fields)
    words = [str(_value(rows[place[0]], fields.word, place[0])) for place in places]
    if join:
        words = [w.strip() for w in words]
        places, words = [p for p, w in zip(places, words) if w], [w for w in words if w]
    prefix = _prefix(rows, group, fields.given) if fields.given else given
    spaces = spaced(words) if attach else [k > 0 for k in range(len(words))]
    text = join if words and prefix and not prefix[-1].isspace() else ""
    regions: list[tuple[int, int]] = []
    held: list[tuple[int, ...]] = []
    for place, word, space in zip(places, words, spaces):
        text += join if space else ""
        if bare := word.strip():
            start = len(text) + len(word) - len(word.lstrip())
            regions.append((start, start + len(bare)))
            held.append(tuple(place))
        text += word
    return StimulusText(text, prefix, tuple(regions), tuple(held))


def _in_rows(rows: Sequence[Row], group: list[int], fields: StimulusFields) -> list[list[int]]:
    for before, after in pairwise(group):
        if after != before + 1:
            raise BadValue(
                f"expected the rows of the text {_name(rows[after], fields)} one after another, got row {before + 1:,} and "
                f"then row {after + 1:,}",
                Advice("name the column with the places of the words", "order=…", "--order"),
                argument="table",
            )
    return [[n] for n in group]


def _in_order(rows: Sequence[Row], group: list[int], fields: StimulusFields) -> list[list[int]]:
    """Return the rows of each place; rows of one place are readings of one word by several people."""
    assert fields.order is not None  # noqa: S101  (ours: the caller looked)
    places: dict[float, list[int]] = {}
    for n in group:
        places.setdefault(_number(_value(rows[n], fields.order, n), fields.order, n), []).append(n)
    for at, held in places.items():
        words = {str(_value(rows[n], fields.word, n)).strip(): n for n in held}
        if len(words) > 1:
            (one, first), (other, second) = list(words.items())[:2]
            raise BadValue(
                f"expected one word at place {at:g} of the text {_name(rows[held[0]], fields)}, got {one!r:.40} in row "
                f"{first + 1:,} and {other!r:.40} in row {second + 1:,}",
                Advice("name all columns that tell texts apart", "item=…", "--item"),
                argument="table",
            )
    return [places[at] for at in sorted(places)]


def _prefix(rows: Sequence[Row], group: list[int], name: str) -> str:
    found = {str(_value(rows[n], name, n)): n for n in group}
    if len(found) > 1:
        first, second = list(found.values())[:2]
        raise BadValue(
            f"expected one prefix for a text, got two, in row {first + 1:,} and row {second + 1:,}",
            "repeat the prefix in all rows of the text",
            argument="given_field",
        )
    return next(iter(found))


def _number(value: Any, name: str, row: int) -> float:
    try:
        return check_real_number(name, float(value))
    except (PofxError, TypeError, ValueError):
        raise BadValue(
            f"expected a number in column {name!r} of row {row + 1:,}, got {value!r:.40}",
            "mend the row, or name another column",
            argument="order",
        ) from None


def _value(row: Row, name: str, number: int) -> Any:
    value = row.get(name)
    if value is None:
        raise BadValue(
            f"expected a value in column {name!r} of row {number + 1:,}, got none",
            "mend the row, or name another column",
            argument="table",
        )
    return value


def _name(row: Row, fields: StimulusFields) -> str:
    return ", ".join(f"{str(row[name])!r:.40}" for name in fields.item)
