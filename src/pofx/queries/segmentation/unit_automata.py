"""Automata that read text byte by byte, and tell where its first character or its first word ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.queries.segmentation.word_rule import WordRule

# The next state where a byte decides the unit.
DONE = -1

AutomatonState = tuple[str, bytes]


@dataclass(frozen=True)
class TextUnit:
    """The first unit of a text.

    Attributes:
        spelled: The bytes of the unit.
        end: Whether the text ended after these bytes, before a unit was over.
    """

    spelled: bytes
    end: bool = False


class UnitAutomaton(ABC):
    """Reads the bytes after a prefix until the first unit of the text is known.

    Attributes:
        first: Number of the state after the prefix.
        states: All states met so far, by number.
    """

    first: int

    def __init__(self) -> None:
        self.states: list[AutomatonState] = []
        self._number: dict[AutomatonState, int] = {}
        self._tables: dict[int, NDArray[np.int64]] = {}

    def number(self, state: AutomatonState) -> int:
        """Return the number of a state; a new state gets the next number."""
        if state not in self._number:
            self._number[state] = len(self.states)
            self.states.append(state)
        return self._number[state]

    def table(self, at: int) -> NDArray[np.int64]:
        """Return the next state for each byte, `[256]`: its number, or `DONE` where the byte decides the unit."""
        if at not in self._tables:
            states = [self._step(self.states[at], b) for b in range(256)]
            numbers = [DONE if state is None else self.number(state) for state in states]
            self._tables[at] = np.array(numbers, dtype=np.int64)
        return self._tables[at]

    @abstractmethod
    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None: ...

    @abstractmethod
    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """Return the unit that the byte `byte` ends, after the bytes `read`."""

    @abstractmethod
    def ended(self, at: int, read: bytes) -> TextUnit:
        """Return the unit of a text that ends after the bytes `read`."""

    def pending(self, at: int, read: bytes) -> TextUnit | None:
        """Return the unit that is over if the last bytes of `read` turn out to begin a boundary; None for no such unit."""
        return None


class CharacterAutomaton(UnitAutomaton):
    """Characters of UTF-8; a byte that belongs to none is a unit of its own, as under Python's "surrogateescape".

    A state holds the bytes of a character so far, and "given" where these bytes stand at the end of the prefix.
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
        # The byte does not go on with the character that the prefix began. It is the first byte of another character.
        return (
            ("", so_far[-1:])
            if where and is_character_prefix(so_far[-1:]) and self.number(state) == self.first
            else None
        )

    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """Return a character, the rest of a character, or a stray byte."""
        _, begun = self.states[at]
        spelled = read + bytes([byte])
        if not read or _is_character(begun + bytes([byte])):
            return TextUnit(spelled)
        return TextUnit(read[:1])

    def ended(self, at: int, read: bytes) -> TextUnit:
        """Return the text's end, or the first of the stray bytes before it."""
        return TextUnit(read[:1]) if read else TextUnit(b"", end=True)


class WordAutomaton(UnitAutomaton):
    """Words (`WordRule`), each with the boundaries before it: "␣word".

    A state holds whether a word has begun, and bytes that may become a boundary; "given" where these bytes stand at the
    end of the prefix.
    """

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        begun = unfinished_character(prefix)
        self.first = self.number(("given", begun) if begun in self._boundary_prefixes else ("", b""))

    @cached_property
    def _rule(self) -> WordRule:
        return WordRule()

    @property
    def _boundary_prefixes(self) -> frozenset[bytes]:
        return self._rule.boundary_prefixes

    def _over(self, so_far: bytes) -> bool:
        return so_far in self._boundary_prefixes and _is_character(so_far)

    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None:
        where, begun = state
        together, alone = begun + bytes([byte]), bytes([byte])
        if self._over(together):
            return None if where == "word" else ("", b"")
        if together in self._boundary_prefixes:
            return ("word" if where == "word" else ""), together
        # Bytes that turn out to begin no boundary are part of a word, unless they belong to the prefix.
        word = where == "word" or (where == "" and begun != b"")
        if self._over(alone):
            return None if word else ("", b"")
        if alone in self._boundary_prefixes:
            return ("word" if word else ""), alone
        return "word", b""

    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """Return the word, with the boundaries before it."""
        _, begun = self.states[at]
        return TextUnit(read[: len(read) - len(begun)] if self._over(begun + bytes([byte])) else read)

    def ended(self, at: int, read: bytes) -> TextUnit:
        """Return the word, or the end of a text that has boundaries only."""
        where, begun = self.states[at]
        return TextUnit(read, end=where != "word" and (not begun or not read))

    def pending(self, at: int, read: bytes) -> TextUnit | None:
        """Return the word before a boundary of several bytes, of which some are read."""
        where, begun = self.states[at]
        return TextUnit(read[: len(read) - len(begun)]) if where == "word" and begun else None


def unfinished_character(data: bytes) -> bytes:
    """Return the bytes at the end that begin a character of UTF-8 but do not end it."""
    for k in range(1, min(4, len(data) + 1)):
        if is_character_prefix(data[-k:]):
            return data[-k:]
    return b""


def is_character_prefix(data: bytes) -> bool:
    """Return whether the bytes begin a character of several bytes, but do not end it."""
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
