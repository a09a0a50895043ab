"""The cells of a row become a document, or the reason why the row holds none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pofx.corpus.readers.fields import MISSING, field_advice, shown_names
from pofx.corpus.readers.layout import AS_WINDOWS, Content, DocumentLayout, NoDocument, windows_1252_hint
from pofx.errors import Advice, BadSource
from pofx.files.json_file import json_kind


def _another_field(layout: DocumentLayout, field: str) -> Advice:
    """Advise to mend a row whose field holds no text, or to name another field."""
    return Advice("mend the row, or name another field", *layout.options[field])


def read_document(cells: Sequence[object], layout: DocumentLayout, record: Iterable[object] = ()) -> Content:
    """Return the text, the id, the prefix and the kept fields of a row.

    Args:
        cells: The values of the fields, in the order of `layout.columns`.
        layout: How documents stand in the file.
        record: The names of all fields of the row, for a message.

    Raises:
        NoDocument: A needed field is missing, or holds no text.
    """
    if len(cells) == 1:
        return _checked(cells[0], layout.field, record, layout), None, None, ()
    at = len(layout.needed)
    kept = tuple(None if cell is MISSING else cell for cell in cells[at:])
    id_ = given = None
    try:
        if layout.id is not None:
            id_ = _as_id(cells[1], layout.id, record, layout)
        text = _checked(cells[0], layout.field, record, layout)
        if layout.given is not None:
            given = _checked(cells[at - 1], layout.given, record, layout)
    except NoDocument as e:
        e.id, e.kept = id_, kept
        raise
    return text, id_, given, kept


def _checked(value: object, field: str, record: Iterable[object], layout: DocumentLayout) -> str:
    """Return the value where it is a text that UTF-8 can spell; raise `NoDocument` for any other value."""
    if not isinstance(value, str):
        then = _another_field(layout, field)
        if value is MISSING:
            raise NoDocument(f"expected a field {field!r}, got {shown_names(record) or 'no fields'}", then)
        raise NoDocument(f"expected a string in field {field!r}, got {json_kind(value)}", then)
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as e:
        code = ord(value[e.start])
        found, shown, mend = f"the lone surrogate U+{code:04X}", "", Advice("mend the row")
        if (
            0xDC80 <= code <= 0xDCFF
        ):  # bytes are decoded with surrogateescape, which spells the stray byte XX as U+DCXX
            found = f"byte 0x{code - 0xDC00:02X}"
        if 0xDC80 <= code <= 0xDCFF and layout.encoding is None:
            shown, mend = windows_1252_hint(code - 0xDC00), AS_WINDOWS
        raise NoDocument(
            f"expected Unicode text in field {field!r}, got {found} at character {e.start}{shown}", mend
        ) from None
    return value


def _as_id(value: object, field: str, record: Iterable[object], layout: DocumentLayout) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) and value is not MISSING:
        raise NoDocument(
            f"expected a string or an integer in field {field!r}, got {json_kind(value)}",
            _another_field(layout, field),
        )
    return _checked(value, field, record, layout)


def column_of(
    name: str,
    columns: list[str],
    wanted: str,
    option: tuple[str, str],
    delimiter: str | None = None,
    field: str = "",
) -> int:
    """Return the place of a column.

    Args:
        name: The name of the file.
        columns: The names of the columns that are there.
        wanted: The name of the column.
        option: The argument of Python and the option of the command line that name the column.
        delimiter: The character between columns of CSV and TSV; None for other formats.
        field: The field that the user named, where the column is only the beginning of its name.

    Raises:
        BadSource: No column or several columns have the name; the message lists the columns of the file.
    """
    if columns.count(wanted) == 1:
        return columns.index(wanted)
    found = "several columns of that name in" if wanted in columns else "only"
    then: str | Advice = (
        Advice("name a column that occurs once", *option)
        if wanted in columns
        else field_advice(field or wanted, columns, option)
    )
    if delimiter is not None and len(columns) == 1:
        other = next((d for d in ";\t,|" if d != delimiter and wanted in columns[0].split(d)), None)
        if other is not None:
            then = Advice(
                f"name the character between columns if it is {_named(other)}",
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
