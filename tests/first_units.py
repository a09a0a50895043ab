"""The first character or word of a text, found by splitting the string."""

from __future__ import annotations

from pofx.queries.segmentation.unit_automata import (
    CharacterAutomaton,
    TextUnit,
    UnitAutomaton,
)


def units_of(cut_of: type[UnitAutomaton], given: bytes, whole: bytes) -> TextUnit | None:
    """The first unit after `given` of a text, by reading all of it; the definition in terms of str."""
    data = whole[len(given) :]
    if cut_of is CharacterAutomaton:
        held = whole.decode("utf-8", "surrogateescape")
        at = 0
        for c in held:
            at += len(c.encode("utf-8", "surrogateescape"))
            if at > len(given):
                return TextUnit(whole[len(given) : at])
        return TextUnit(b"", end=True)
    at, read, begun = 0, b"", False
    for c in whole.decode("utf-8", "surrogateescape"):
        at += len(c.encode("utf-8", "surrogateescape"))
        if at <= len(given):
            continue
        if c.isspace() and begun:
            return TextUnit(read)
        begun = begun or not c.isspace()
        read = whole[len(given) : at]
    return TextUnit(data, end=not begun)
