"""The rows of a stimulus table as texts: the words of each text are joined, and each row knows its region of the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pofx.errors import Advice, BadValue, PofxError
from pofx.stimuli.spaces import spaced
from pofx.stimuli.stimulus_fields import StimulusFields
from pofx.units import count_noun
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
            the text; none holds a region that only the table of texts has.
        lacking: The first place between two others that no row has, or 1 where the first place is 2; None where all are
            there, where a place is no whole number, and without places.
    """

    text: str
    given: str
    regions: tuple[tuple[int, int], ...]
    rows: tuple[tuple[int, ...], ...]
    lacking: int | None = None


@dataclass(frozen=True)
class _Rows:
    """The rows of a table, and after them the rows of a table of texts; messages count each table from 1."""

    own: Sequence[Row]
    texts: Sequence[Row]

    def __getitem__(self, n: int) -> Row:
        return self.own[n] if n < len(self.own) else self.texts[n - len(self.own)]

    def name(self, n: int) -> str:
        return f"row {n + 1:,}" if n < len(self.own) else f"row {n - len(self.own) + 1:,} of the texts"


def read_texts_of_rows(
    own: Sequence[Row],
    fields: StimulusFields,
    join: str = " ",
    given: str = "",
    attach: bool = False,
    texts: Sequence[Row] = (),
) -> list[StimulusText]:
    """Join the words of a stimulus table to texts.

    Rows with equal values in the columns `fields.item` are of one text. With `fields.order`, words stand in the order of
    the numbers there, and rows of one text with one number and one word are one region. Without it, words stand in the
    order of the rows, and the rows of a text must follow one another. A row whose word is empty has no region.

    Args:
        own: The rows, each a mapping from the names of columns.
        fields: The columns.
        join: The string between two words: white space, or "" where words hold their own spaces or need none.
        given: The prefix of all texts, where `fields.given` is None.
        attach: Whether words that are punctuation or a clitic touch the word beside them, as `spaced` says.
        texts: The rows of a table with every word of the texts, in columns of the same names. Rows of the first table may
            lack words. Such texts need `fields.order`.

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
    if texts and fields.order is None:
        raise BadValue(
            "expected a column with the places of the words, got none",
            Advice("name the column", "order=…", "--order"),
            argument="texts",
        )
    if not own:
        raise BadValue("expected at least one row, got none", "pass a table with rows", argument="table")
    groups: dict[tuple[Any, ...], list[int]] = {}
    rows = _Rows(own, texts)
    for n in range(len(own) + len(texts)):
        groups.setdefault(tuple(str(_value(rows, n, name)) for name in fields.item), []).append(n)
    return [
        _joined(rows, group, fields, join, given, attach) for group in groups.values() if group[0] < len(own)
    ]


def tell_lacking(texts: Sequence[StimulusText]) -> str:
    """Return a warning where texts lack words, without which the surprisals are those of other texts; "" for none."""
    lacking = [t for t in texts if t.lacking is not None]
    if not lacking:
        return ""
    row = min(n for held in lacking[0].rows for n in held) + 1 if any(lacking[0].rows) else 1
    return (
        f"expected every word of each text, got {count_noun(len(lacking), 'text')} without some word, such as the word at "
        f"place {lacking[0].lacking} of the text of row {row:,}"
    )


def _joined(
    rows: _Rows, group: list[int], fields: StimulusFields, join: str, given: str, attach: bool
) -> StimulusText:
    found = _in_order(rows, group, fields) if fields.order else _in_rows(rows, group, fields)
    places, lacking = list(found.values()), _lacking(found) if fields.order else None
    words = [str(_value(rows, place[0], fields.word)) for place in places]
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
            held.append(tuple(n for n in place if n < len(rows.own)))
        text += word
    return StimulusText(text, prefix, tuple(regions), tuple(held), lacking)


def _in_rows(rows: _Rows, group: list[int], fields: StimulusFields) -> dict[float, list[int]]:
    for before, after in pairwise(group):
        if after != before + 1:
            raise BadValue(
                f"expected the rows of the text {_name(rows[after], fields)} one after another, got {rows.name(before)} and "
                f"then {rows.name(after)}",
                Advice("name the column with the places of the words", "order=…", "--order"),
                argument="table",
            )
    return {float(n): [n] for n in group}


def _in_order(rows: _Rows, group: list[int], fields: StimulusFields) -> dict[float, list[int]]:
    """Return the rows of each place, in order; rows of one place are readings of one word by several people."""
    assert fields.order is not None  # noqa: S101  (ours: the caller looked)
    places: dict[float, list[int]] = {}
    for n in group:
        places.setdefault(_number(rows, n, fields.order), []).append(n)
    for at, held in places.items():
        words = {str(_value(rows, n, fields.word)).strip(): n for n in held}
        if len(words) > 1:
            (one, first), (other, second) = list(words.items())[:2]
            raise BadValue(
                f"expected one word at place {at:g} of the text {_name(rows[held[0]], fields)}, got {one!r:.40} in "
                f"{rows.name(first)} and {other!r:.40} in {rows.name(second)}",
                Advice("name all columns that tell texts apart", "item=…", "--item"),
                argument="table",
            )
    return {at: places[at] for at in sorted(places)}


def _lacking(places: Iterable[float]) -> int | None:
    """Return the first whole number between two places that is none, or 1 before 2; numbers may run on from text to text."""
    last: int | None = None
    for at in places:
        if at != int(at):
            return None
        if (last is None and at == 2) or (last is not None and at > last + 1):
            return int(at) - 1 if last is None else last + 1
        last = int(at)
    return None


def _prefix(rows: _Rows, group: list[int], name: str) -> str:
    found = {str(_value(rows, n, name)): n for n in group if n < len(rows.own)}
    if len(found) > 1:
        first, second = list(found.values())[:2]
        raise BadValue(
            f"expected one prefix for a text, got two, in {rows.name(first)} and {rows.name(second)}",
            "repeat the prefix in all rows of the text",
            argument="given_field",
        )
    return next(iter(found))


def _number(rows: _Rows, n: int, name: str) -> float:
    value = _value(rows, n, name)
    try:
        return check_real_number(name, float(value))
    except (PofxError, TypeError, ValueError):
        raise BadValue(
            f"expected a number in column {name!r:.40} of {rows.name(n)}, got {value!r:.40}",
            "mend the row, or name another column",
            argument="order",
        ) from None


def _value(rows: _Rows, n: int, name: str) -> Any:
    value = rows[n].get(name)
    if value is None:
        raise BadValue(
            f"expected a value in column {name!r:.40} of {rows.name(n)}, got none",
            "mend the row, or name another column",
            argument="table",
        )
    return value


def _name(row: Row, fields: StimulusFields) -> str:
    return ", ".join(f"{str(row[name])!r:.40}" for name in fields.item)
