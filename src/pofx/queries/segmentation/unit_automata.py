"""Where the first character, or the first word, of a text ends: read byte by byte, by automata of a few states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.queries.segmentation.word_rule import WordRule

# What a byte leads to where it decides the unit.
DONE = -1

AutomatonState = tuple[str, bytes]


@dataclass(frozen=True)
class TextUnit:
    """The first unit of a text: its bytes, and whether the text ended instead, behind these bytes."""

    spelled: bytes
    end: bool = False


class UnitAutomaton(ABC):
    """Reads what follows a prefix, byte by byte, until its first unit is known.

    `first`: the state behind the prefix. `table(state)`: `[256]`, for each byte the number of the next state, or
    `DONE`. `unit(state, read, byte)`: which unit it was. `ended(state, read)`: and which where the text is over.
    `pending(state, read)`: a unit that may already be over, if the bytes on their way turn out to be a boundary.
    """

    first: int

    def __init__(self) -> None:
        self.states: list[AutomatonState] = []
        self._number: dict[AutomatonState, int] = {}
        self._tables: dict[int, NDArray[np.int64]] = {}

    def number(self, state: AutomatonState) -> int:
        """The number of a state."""
        if state not in self._number:
            self._number[state] = len(self.states)
            self.states.append(state)
        return self._number[state]

    def table(self, at: int) -> NDArray[np.int64]:
        """Where each byte leads."""
        if at not in self._tables:
            found = [self._step(self.states[at], b) for b in range(256)]
            numbers = [DONE if state is None else self.number(state) for state in found]
            self._tables[at] = np.array(numbers, dtype=np.int64)
        return self._tables[at]

    @abstractmethod
    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None: ...

    @abstractmethod
    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """The unit that is over with `byte`, behind the bytes `read`."""

    @abstractmethod
    def ended(self, at: int, read: bytes) -> TextUnit:
        """The unit of a text that ends behind the bytes `read`."""

    def pending(self, at: int, read: bytes) -> TextUnit | None:
        """The unit that is over if the bytes on their way are a boundary."""
        return None


class CharacterAutomaton(UnitAutomaton):
    """Characters of UTF-8; a byte that belongs to none is one of its own, as by Python's "surrogateescape".

    A state is the bytes of a character so far; "given" where these stand at the end of the prefix.
    """

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        begun = unfinished_character(prefix)
        self.first = self.number(("given", begun) if begun else ("", b""))

    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None:
        where, begun = state
        so_far = begun + bytes([byte])
        if _is_character(so_far):
            return None
        if is_character_prefix(so_far):
            return where, so_far
        # Not the rest of the character that the prefix began: another one, of which this is the first byte.
        return (
            ("", so_far[-1:])
            if where and is_character_prefix(so_far[-1:]) and self.number(state) == self.first
            else None
        )

    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """A character, the rest of one, or a stray byte."""
        _, begun = self.states[at]
        spelled = read + bytes([byte])
        if not read or _is_character(begun + bytes([byte])):
            return TextUnit(spelled)
        return TextUnit(read[:1])

    def ended(self, at: int, read: bytes) -> TextUnit:
        """The text's end, or stray bytes before it."""
        return TextUnit(read[:1]) if read else TextUnit(b"", end=True)


class WordAutomaton(UnitAutomaton):
    """What stands between boundaries (`WordRule`), and the boundaries before it: "␣word".

    A state is whether a word has begun, and bytes that may become a boundary; "given" where these stand at the end of
    the prefix.
    """

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        begun = unfinished_character(prefix)
        self.first = self.number(("given", begun) if begun in self._boundary_prefixes else ("", b""))

    @cached_property
    def _units(self) -> WordRule:
        return WordRule()

    @property
    def _boundary_prefixes(self) -> frozenset[bytes]:
        return self._units.boundary_prefixes

    def _over(self, so_far: bytes) -> bool:
        return so_far in self._boundary_prefixes and _is_character(so_far)

    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None:
        where, begun = state
        together, alone = begun + bytes([byte]), bytes([byte])
        if self._over(together):
            return None if where == "word" else ("", b"")
        if together in self._boundary_prefixes:
            return ("word" if where == "word" else ""), together
        # Bytes on their way that came to nothing are part of a word, unless they are the prefix's.
        word = where == "word" or (where == "" and begun != b"")
        if self._over(alone):
            return None if word else ("", b"")
        if alone in self._boundary_prefixes:
            return ("word" if word else ""), alone
        return "word", b""

    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """The word, and what stood before it."""
        _, begun = self.states[at]
        return TextUnit(read[: len(read) - len(begun)] if self._over(begun + bytes([byte])) else read)

    def ended(self, at: int, read: bytes) -> TextUnit:
        """A word, or the end of a text behind boundaries only."""
        where, begun = self.states[at]
        return TextUnit(read, end=where != "word" and (not begun or not read))

    def pending(self, at: int, read: bytes) -> TextUnit | None:
        """The word before a boundary of several bytes, of which some are read."""
        where, begun = self.states[at]
        return TextUnit(read[: len(read) - len(begun)]) if where == "word" and begun else None


def unfinished_character(data: bytes) -> bytes:
    """The bytes at the end that begin a character of UTF-8 and do not end it."""
    for k in range(1, min(4, len(data) + 1)):
        if is_character_prefix(data[-k:]):
            return data[-k:]
    return b""


def is_character_prefix(data: bytes) -> bool:
    """Whether some character of several bytes begins so, and is not over."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as e:
        return e.start == 0 and e.reason == "unexpected end of data"
    return False


def _is_character(data: bytes) -> bool:
    try:
        return len(data.decode("utf-8")) == 1
    except UnicodeDecodeError:
        return False
