"""The cells of a row become a document, or the reason why the row holds none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pofx.corpus.readers.fields import MISSING, field_advice, shown_names
from pofx.corpus.readers.layout import AS_WINDOWS, Content, DocumentLayout, NoDocument, windows_1252_hint
from pofx.errors import Advice, BadSource
from pofx.files.json_file import json_kind

# What to do about a row without the field of the text, which has a name by default.
ANOTHER = Advice("mend the row, or name another field", "field=…", "--field")


def read_document(cells: Sequence[object], layout: DocumentLayout, record: Iterable[object] = ()) -> Content:
    """Text, id, prefix and kept fields out of a row's cells, which stand in the order of `columns`."""
    encoding = layout.encoding
    if len(cells) == 1:
        return _checked(cells[0], layout.field, record, encoding, ANOTHER), None, None, ()
    at = len(layout.needed)
    kept = tuple(None if cell is MISSING else cell for cell in cells[at:])
    id_ = given = None
    try:
        if layout.id is not None:
            id_ = _as_id(cells[1], layout.id, record, encoding)
        text = _checked(cells[0], layout.field, record, encoding, ANOTHER)
        if layout.given is not None:
            given = _checked(cells[at - 1], layout.given, record, encoding)
    except NoDocument as e:
        e.id, e.kept = id_, kept
        raise
    return text, id_, given, kept


def _checked(
    value: object, field: str, record: Iterable[object], encoding: str | None, *advice: Advice
) -> str:
    """The value as a text that UTF-8 can spell, or `NoDocument`.

    record: the fields there are, for a message. advice: where the row has no such field.
    """
    if not isinstance(value, str):
        if value is MISSING:
            raise NoDocument(f"expected a field {field!r}, got {shown_names(record) or 'no fields'}", *advice)
        raise NoDocument(f"expected a string in field {field!r}, got {json_kind(value)}")
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as e:
        code = ord(value[e.start])
        found, shown, then = f"the lone surrogate U+{code:04X}", "", tuple[Advice, ...]()
        if (
            0xDC80 <= code <= 0xDCFF
        ):  # bytes are decoded with surrogateescape, which spells the stray byte XX as U+DCXX
            found = f"byte 0x{code - 0xDC00:02X}"
        if 0xDC80 <= code <= 0xDCFF and encoding is None:
            shown, then = windows_1252_hint(code - 0xDC00), (AS_WINDOWS,)
        raise NoDocument(
            f"expected Unicode text in field {field!r}, got {found} at character {e.start}{shown}", *then
        ) from None
    return value


def _as_id(value: object, field: str, record: Iterable[object], encoding: str | None) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) and value is not MISSING:
        raise NoDocument(f"expected a string or an integer in field {field!r}, got {json_kind(value)}")
    return _checked(value, field, record, encoding)


def column_of(
    name: str, columns: list[str], wanted: str, of_text: bool = False, delimiter: str | None = None
) -> int:
    """The place of a column, or `BadSource` that names those there are.

    of_text: whether the text is looked for in it. delimiter: what parts the columns, in CSV and TSV.
    """
    if columns.count(wanted) == 1:
        return columns.index(wanted)
    found = "it twice in" if wanted in columns else "only"
    then: str | Advice = (
        "name one that is there once" if wanted in columns else field_advice(wanted, columns, of_text)
    )
    if delimiter is not None and len(columns) == 1:
        other = next((d for d in ";\t,|" if d != delimiter and wanted in columns[0].split(d)), None)
        if other is not None:
            then = Advice(
                f"name what parts the columns if it is {_named(other)}",
                f"delimiter={other!r}",
                f"--delimiter {_typed(other)}",
            )
    raise BadSource(
        f"{name}: expected one column {wanted!r}, got {found} {shown_names(columns) or 'no columns'}", then
    )


def _named(delimiter: str) -> str:
    return {"\t": "a tab", ",": "a comma", ";": "a semicolon"}.get(delimiter, delimiter)


def _typed(delimiter: str) -> str:
    return '"\\t"' if delimiter == "\t" else f'"{delimiter}"'
