"""The value of a field `a`, or `a.b` of an inner object, and the search for wanted fields that an input lacks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pofx.errors import Advice, BadSource

# Stands for the value of a field that an object lacks. A field whose value is null has the value None.
MISSING = object()
# After so many rows, or so many characters of text, a field that no row has is taken for a mistake.
ROWS, CHARACTERS = 1000, 1 << 24
# So many names are remembered for a message, and so many characters of each name are compared.
_NAMES, _LETTERS = 1000, 100


def value_at(record: Mapping[str, Any], field: str) -> object:
    """Return the value of a field, or `MISSING`.

    A name with a dot, "a.b", is the field "a.b" where the object has one, and otherwise the field b of the object in a.
    """
    if field in record or "." not in field:
        return record.get(field, MISSING)
    value: object = record
    for name in field.split("."):
        value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
    return value


def shown_names(names: Any) -> str:
    """Return the first names for a message, each cut short: a hostile file may have a million names, or a name of 50 MB."""
    shown = [repr(str(n)[:40]) for n, _ in zip(names, range(10))]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def field_advice(wanted: str, names: Iterable[str], option: tuple[str, str]) -> Advice:
    """Advise what to do about a field that is missing: name the field that is spelled most like it, if there is one.

    Args:
        wanted: The name of the missing field.
        names: The names of the fields that are there.
        option: The argument of Python and the option of the command line that name the field.
    """
    known = [str(n)[:_LETTERS] for n, _ in zip(names, range(_NAMES))]
    folded = {n.casefold().strip(): n for n in reversed(known)}
    near = difflib.get_close_matches(wanted[:_LETTERS].casefold(), folded, 1, 0.6)
    do = f"did you mean {folded[near[0]]!r}?" if near else "name a field that is there"
    return Advice(do, *option)


class FieldSearch:
    """The wanted fields that no row has had so far. The search changes: the reader calls `note` with each row."""

    def __init__(self, wanted: Mapping[str, tuple[str, str]]) -> None:
        self._options = wanted
        self.missing = list(wanted)
        self.objects = 0
        self._names: dict[str, None] = {}

    def note(self, record: Mapping[str, Any]) -> None:
        """Count one more row, an object of JSON, and note the fields that it has."""
        self.objects += 1
        self.missing = [name for name in self.missing if value_at(record, name) is MISSING]
        for name, value in record.items():
            if len(self._names) >= _NAMES:
                return
            self._names[name[:_LETTERS]] = None
            if isinstance(value, dict):
                inner = zip(value, range(_NAMES - len(self._names)))
                self._names.update((f"{name[:_LETTERS]}.{n[:_LETTERS]}", None) for n, _ in inner)

    def check(self, name: str) -> None:
        """Raise `BadSource` if no row has had some field, and at least one row was an object."""
        if self.objects and self.missing:
            found = f"only {shown_names(list(self._names))}" if self._names else "no fields"
            rows = "the only row" if self.objects == 1 else f"any of the first {self.objects:,} rows"
            raise BadSource(
                f"{name}: expected a field {self.missing[0]!r} in {rows}, got {found}",
                field_advice(self.missing[0], self._names, self._options[self.missing[0]]),
            )
