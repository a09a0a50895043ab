"""The items of an evaluation: questions with choices, and minimal pairs, as rows of a table hold them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pofx.errors import BadValue, require
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes

ItemT = TypeVar("ItemT")
# Two numbers that differ by less are equal, nats: sums of equal terms in another order differ by 1e-12.
TIED = 1e-9


@dataclass(frozen=True)
class ChoiceItem:
    """A context, the choices of its continuation, and the right choice.

    Attributes:
        context: The string before each choice; it may be empty.
        choices: The strings of which one follows, two or more, no two of them equal.
        label: The place of the right choice, from 0.
        id: The name of the item.
        group: The group of the item, such as a subject; "" for no group.

    Raises:
        BadValue: There are fewer than two choices, two choices are equal, or the label is no place of a choice.
        NotText: A string has a lone surrogate, or a value is no string.

    Right: `ChoiceItem("2 + 2 =", ("3", "4"), 1)`. Wrong: a label counted from 1.
    """

    context: str
    choices: tuple[str, ...]
    label: int
    id: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.choices, str):
            raise BadValue(
                f"expected two or more different choices, got one string, {self.choices!r:.60}",
                "write a tuple of strings",
                argument="choices",
            )
        _check_different(self.choices, "choices")
        check_whole_number("label", self.label, 0, len(self.choices) - 1, advice="count the choices from 0")
        for text in (self.context, *self.choices):
            to_bytes(text)


@dataclass(frozen=True)
class Pair:
    """A minimal pair: two texts that differ in one respect, of which one is right.

    Attributes:
        good: The right text.
        bad: The other text.
        id: The name of the pair.
        group: The phenomenon that the texts differ in; "" for no group.

    Raises:
        BadValue: The two texts are equal.
        NotText: A text has a lone surrogate, or is no string.

    Right: `Pair("The cats sleep.", "The cats sleeps.")`. Wrong: two texts of different content, whose probabilities differ
    for other reasons.
    """

    good: str
    bad: str
    id: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if self.good == self.bad:
            raise BadValue(
                f"expected two different texts, got {self.good!r:.60} twice",
                "give each pair two texts",
                argument="bad",
            )
        for text in (self.good, self.bad):
            to_bytes(text)


@dataclass(frozen=True)
class ItemFields:
    """The names of the fields of a row.

    Attributes:
        context: The field of the context.
        choices: The field of the choices: a list of strings, or a string that is such a list in JSON.
        label: The field of the right choice: its place from 0, or its text.
        good: The field of the right text of a pair.
        bad: The field of the other text.
        group: The field of the group; None for no groups.
        id: The field of the name; None to number the rows.
    """

    context: str = "context"
    choices: str = "choices"
    label: str = "label"
    good: str = "good"
    bad: str = "bad"
    group: str | None = None
    id: str | None = None


# The fields of BLiMP's files, which are read as they are.
BLIMP = ItemFields(good="sentence_good", bad="sentence_bad", group="UID")


def choice_item(row: Mapping[str, Any], fields: ItemFields = ItemFields(), id: str = "") -> ChoiceItem:
    """Return the question that a row holds.

    Args:
        row: The values of the row by the names of their fields.
        fields: The names of the fields.
        id: The name of the item where `fields.id` is None.

    Raises:
        BadValue: A field is missing or null, or its value has another type. The argument of the error names the field.
        NotText: A string has a lone surrogate.
    """
    context = _text(row, fields.context)
    choices = _choices(row, fields.choices)
    return ChoiceItem(context, choices, _label(row, fields.label, choices), *_about(row, fields, id))


def pair_item(row: Mapping[str, Any], fields: ItemFields = ItemFields(), id: str = "") -> Pair:
    """Return the minimal pair that a row holds.

    Args:
        row: The values of the row by the names of their fields.
        fields: The names of the fields.
        id: The name of the pair where `fields.id` is None.

    Raises:
        BadValue: A field is missing or null, its value has another type, or the two texts are equal.
        NotText: A text has a lone surrogate.
    """
    return Pair(_text(row, fields.good), _text(row, fields.bad), *_about(row, fields, id))


def as_items(items: Any, make: Callable[..., ItemT], kind: type[ItemT]) -> list[ItemT]:
    """Return the items that a list or a table holds, in order.

    Args:
        items: Items, mappings, or a table of Arrow, pandas or polars. Mappings and rows have the default names of
            `ItemFields`, and optionally `id` and `group`.
        make: The function that makes an item of a row: `choice_item` or `pair_item`.
        kind: The type of the items.

    Raises:
        BadValue: There is no item, a row holds none, or `items` is neither a list nor a table.
        NotText: A string of a row has a lone surrogate.
        MissingExtra: `items` is a table, and pyarrow is not installed.
    """
    rows: Any = items
    if hasattr(items, "__arrow_c_stream__"):
        rows = require("pyarrow", "data", "a table of Arrow").table(items).to_pylist()
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise BadValue(
            f"expected a list of items, or a table, got {type(items).__name__}",
            "pass a list",
            argument="items",
        )
    rows = list(rows)
    if not rows:
        raise BadValue("expected at least one item, got none", "pass items", argument="items")
    return [row if isinstance(row, kind) else _made(row, make, number) for number, row in enumerate(rows)]


def _made(row: Any, make: Callable[..., ItemT], number: int) -> ItemT:
    if not isinstance(row, Mapping):
        raise BadValue(
            f"expected an item or a mapping, got {type(row).__name__} in row {number:,}",
            "pass items of one kind",
            argument="items",
        )
    id_, group = str(row.get("id", number)), row.get("group")
    fields = ItemFields(group=None if group is None else "group")
    try:
        return make(row, fields, id_)
    except BadValue as e:
        raise BadValue(f"{e} (row {number:,})", None, argument="items") from None


def _about(row: Mapping[str, Any], fields: ItemFields, id: str) -> tuple[str, str]:
    name = id if fields.id is None else str(_value(row, fields.id))
    return name, "" if fields.group is None else str(_value(row, fields.group))


def _value(row: Mapping[str, Any], field: str) -> Any:
    if field not in row or row[field] is None:
        raise BadValue("expected a value, got none", "mend the row, or name another field", argument=field)
    return row[field]


def _text(row: Mapping[str, Any], field: str) -> str:
    value = _value(row, field)
    if not isinstance(value, str):
        raise BadValue(
            f"expected a string, got {value!r:.60}", "mend the row, or name another field", argument=field
        )
    return value


def _choices(row: Mapping[str, Any], field: str) -> tuple[str, ...]:
    value = _value(row, field)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = [value]
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(v, str) for v in value)
    ):
        raise BadValue(
            f"expected a list of strings, got {value!r:.60}",
            'write the choices as ["one", "two"]',
            argument=field,
        )
    choices = tuple(value)
    _check_different(choices, field)
    return choices


def _check_different(choices: tuple[str, ...], argument: str) -> None:
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise BadValue(
            f"expected two or more different choices, got {_shown(choices)}",
            "give each item choices of which no two are equal",
            argument=argument,
        )


def _label(row: Mapping[str, Any], field: str, choices: tuple[str, ...]) -> int:
    """Return the place of the right choice, from 0. A string is the text of a choice, or else a place in digits."""
    value = _value(row, field)
    if isinstance(value, str):
        place = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None
        if value in choices:
            named = choices.index(value)
            if place is not None and place < len(choices) and place != named:
                raise BadValue(
                    f"expected a label of one meaning, got {value!r}, a place and the text of another choice",
                    "write the place as a number instead of a string",
                    argument=field,
                )
            return named
        value = place
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < len(choices):
        raise BadValue(
            f"expected a place from 0 to {len(choices) - 1}, or the text of a choice, got {row[field]!r:.60}",
            "count the choices from 0",
            argument=field,
        )
    return value


def _shown(choices: tuple[str, ...]) -> str:
    return f"{len(choices)}: {', '.join(repr(c[:20]) for c in choices[:4])}{' …' if len(choices) > 4 else ''}"
