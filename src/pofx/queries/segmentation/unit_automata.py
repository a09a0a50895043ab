"""Automata that read text byte by byte, and find the end of its first character or its first word."""

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
        first: The number of the state after the prefix.
        states: All states that were reached so far, by number.
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
        """Return the number of the next state for each byte, `[256]`; `DONE` where the byte decides the unit."""
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
    def unit_at_end(self, at: int, read: bytes) -> TextUnit:
        """Return the unit of a text that ends after the bytes `read`."""

    def pending(self, at: int, read: bytes) -> TextUnit | None:
        """Return the unit that is over if the last bytes of `read` begin a boundary; None if there is no such unit."""
        return None


class CharacterAutomaton(UnitAutomaton):
    """Finds characters of UTF-8; a stray byte is a unit of its own, as under Python's "surrogateescape".

    A state has the bytes of a character so far, and "given" where these bytes stand at the end of the prefix.
    """

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        unfinished = unfinished_character(prefix)
        self.first = self.number(("given", unfinished) if unfinished else ("", b""))

    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None:
        where, before = state
        so_far = before + bytes([byte])
        if _is_character(so_far):
            return None
        if is_character_prefix(so_far):
            return where, so_far
        # A byte that does not continue the character at the end of the prefix is the first byte of another character.
        return (
            ("", so_far[-1:])
            if where and is_character_prefix(so_far[-1:]) and self.number(state) == self.first
            else None
        )

    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """Return a character, the rest of a character, or a stray byte."""
        _, before = self.states[at]
        spelled = read + bytes([byte])
        if not read or _is_character(before + bytes([byte])):
            return TextUnit(spelled)
        return TextUnit(read[:1])

    def unit_at_end(self, at: int, read: bytes) -> TextUnit:
        """Return the end of the text, or the first of the stray bytes before the end."""
        return TextUnit(read[:1]) if read else TextUnit(b"", end=True)


class WordAutomaton(UnitAutomaton):
    """Finds words (`WordRule`), each with the boundaries before the word: "␣word".

    A state has "word" after the first byte of a word, and the bytes that may become a boundary. "given" in a state means
    that these bytes stand at the end of the prefix.
    """

    def __init__(self, prefix: bytes) -> None:
        super().__init__()
        unfinished = unfinished_character(prefix)
        self.first = self.number(
            ("given", unfinished) if unfinished in self._boundary_prefixes else ("", b"")
        )

    @cached_property
    def _rule(self) -> WordRule:
        return WordRule()

    @property
    def _boundary_prefixes(self) -> frozenset[bytes]:
        return self._rule.boundary_prefixes

    def _over(self, so_far: bytes) -> bool:
        return so_far in self._boundary_prefixes and _is_character(so_far)

    def _step(self, state: AutomatonState, byte: int) -> AutomatonState | None:
        where, before = state
        together, alone = before + bytes([byte]), bytes([byte])
        if self._over(together):
            return None if where == "word" else ("", b"")
        if together in self._boundary_prefixes:
            return ("word" if where == "word" else ""), together
        # Bytes that might have begun a boundary are part of a word here, unless they belong to the prefix.
        word = where == "word" or (where == "" and before != b"")
        if self._over(alone):
            return None if word else ("", b"")
        if alone in self._boundary_prefixes:
            return ("word" if word else ""), alone
        return "word", b""

    def unit(self, at: int, read: bytes, byte: int) -> TextUnit:
        """Return the word, with the boundaries before the word."""
        _, before = self.states[at]
        return TextUnit(read[: len(read) - len(before)] if self._over(before + bytes([byte])) else read)

    def unit_at_end(self, at: int, read: bytes) -> TextUnit:
        """Return the word, or the end of a text that has boundaries only."""
        where, before = self.states[at]
        return TextUnit(read, end=where != "word" and (not before or not read))

    def pending(self, at: int, read: bytes) -> TextUnit | None:
        """Return the word before a boundary of several bytes, of which some are read."""
        where, before = self.states[at]
        return TextUnit(read[: len(read) - len(before)]) if where == "word" and before else None


def unfinished_character(data: bytes) -> bytes:
    """Return the last bytes, if they are the beginning of a character of UTF-8 but not the whole character; else b""."""
    for k in range(1, min(4, len(data) + 1)):
        if is_character_prefix(data[-k:]):
            return data[-k:]
    return b""


def is_character_prefix(data: bytes) -> bool:
    """Return whether the bytes are the beginning of a character of several bytes, but not the whole character."""
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
