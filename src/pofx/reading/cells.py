"""The cells of a row as a document, or why they are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pofx.errors import BadSource
from pofx.reading.layout import Content, Layout, NotHere

# A field that an object of JSON does not have, where null is one that it has.
MISSING = object()


def document(cells: Sequence[object], layout: Layout, record: Iterable[object] = ()) -> Content:
    """Text, id, prefix and kept fields out of a row's cells, which stand in the order of `columns`."""
    if len(cells) == 1:
        return _checked(cells[0], layout.field, record), None, None, ()
    at = len(layout.needed)
    kept = tuple(None if cell is MISSING else cell for cell in cells[at:])
    id_ = given = None
    try:
        if layout.id is not None:
            id_ = _as_id(cells[1], layout.id, record)
        text = _checked(cells[0], layout.field, record)
        if layout.given is not None:
            given = _checked(cells[at - 1], layout.given, record)
    except NotHere as e:
        e.id, e.kept = id_, kept
        raise
    return text, id_, given, kept


def _checked(value: object, field: str, record: Iterable[object] = ()) -> str:
    """The value as a text that UTF-8 can spell, or `NotHere`. record: the fields there are, for a message."""
    if not isinstance(value, str):
        if value is MISSING:
            raise NotHere(f"expected a field {field!r}, found {listed(record) or 'no fields'}")
        raise NotHere(f"expected a string in field {field!r}, found {kind(value)}")
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as e:
        code = ord(value[e.start])
        # CSV is decoded with surrogateescape, which spells the stray byte XX as U+DCXX.
        found = (
            f"byte 0x{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"the lone surrogate U+{code:04X}"
        )
        raise NotHere(
            f"expected Unicode text in field {field!r}, found {found} at character {e.start}"
        ) from None
    return value


def _as_id(value: object, field: str, record: Iterable[object]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) and value is not MISSING:
        raise NotHere(f"expected a string or an integer in field {field!r}, found {kind(value)}")
    return _checked(value, field, record)


def kind(value: object) -> str:
    """What a value is in the words of JSON, for a message."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return {**names, dict: "an object", str: "a string"}.get(type(value), type(value).__name__)


def listed(names: Any) -> str:
    """The first names for a message, each cut short: a hostile file may have a million, or one of 50 MB."""
    shown = [repr(str(n)[:40]) for n, _ in zip(names, range(10))]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def column_of(name: str, columns: list[str], wanted: str) -> int:
    """The place of a column, or `BadSource` that names those there are."""
    if columns.count(wanted) != 1:
        found = "it twice in" if wanted in columns else "only"
        raise BadSource(
            f"{name}: expected one column {wanted!r}, found {found} {listed(columns) or 'no columns'}; "
            "name another"
        )
    return columns.index(wanted)
