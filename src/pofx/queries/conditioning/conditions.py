"""Conditions on texts: small values, each a set of strings that an automaton follows byte by byte."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pofx.algorithms.automata.automaton import (
    MOST,
    Dfa,
    TooLarge,
    anything,
    both,
    containing,
    of_length,
)
from pofx.algorithms.automata.character_sets import POINTS
from pofx.algorithms.automata.regular_expressions import parse_language, regular
from pofx.algorithms.automata.utf8 import over_characters
from pofx.errors import BadValue
from pofx.transforms.given import show
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes

Unit = Literal["bytes", "characters", "tokens"]


class Condition(ABC):
    """A set of strings to condition on; `a & b` is the intersection of two sets.

    The kinds are `Contains`, `Matches` and `Length`; `Anything` is the set of all strings.

    Right: `Contains("friend") & Length(20)`. Wrong: `Contains("friend") and Length(20)`, which Python reads as `Length(20)`.
    """

    @abstractmethod
    def automaton(self) -> Dfa:
        """Return an automaton over bytes that accepts the strings of the set."""

    @property
    def tokens(self) -> int | None:
        """The number of tokens that the text must have; None for any number."""
        return None

    def __and__(self, other: Condition) -> Condition:
        return Both(self, other)


@dataclass(frozen=True)
class Anything(Condition):
    """The set of all strings."""

    def automaton(self) -> Dfa:
        """Return an automaton that accepts every string."""
        return anything()

    def __str__(self) -> str:
        return "anything"


@dataclass(frozen=True)
class Contains(Condition):
    """The strings in which `text` occurs, compared as bytes: also inside a word.

    Attributes:
        text: The string to contain.

    Right: `Contains(" cat ")` for a word between spaces. Wrong: `Contains("a.c")` as a pattern, for which there is
    `Matches`.
    """

    text: str | bytes

    def __post_init__(self) -> None:
        to_bytes(self.text)  # `NotText` is raised when the condition is made, not when it is used

    def automaton(self) -> Dfa:
        """Return the matcher of Knuth, Morris and Pratt, with one state more than bytes."""
        return _sized(lambda: containing(to_bytes(self.text)), str(self))

    def __str__(self) -> str:
        return f"contains {show(self.text)}"


@dataclass(frozen=True)
class Matches(Condition):
    r"""The strings that a regular expression matches as a whole (`re.fullmatch`), in UTF-8.

    A pattern has the meaning that it has in `re`. So \w matches Unicode letters, and ASCII letters alone with (?a); `.`
    matches any character but a line end, and any character with (?s). Look-around, back-references and conditional groups
    are refused, and also atomic groups and possessive quantifiers of more than single characters.

    Attributes:
        pattern: The regular expression.

    Right: `Matches(r"[A-Z].*\.")`. Wrong: `Matches("cat")` for texts that contain the word; write `Contains("cat")`.
    """

    pattern: str

    def __post_init__(self) -> None:
        parse_language(self.pattern)  # `BadValue` is raised when the condition is made, not when it is used

    def automaton(self) -> Dfa:
        """Return an automaton over bytes, made of the tree that `re` parses."""
        return regular(self.pattern)

    def __str__(self) -> str:
        return f"matches {show(self.pattern)}"


@dataclass(frozen=True)
class Length(Condition):
    """The strings of exactly n bytes, characters (of valid UTF-8), or tokens.

    Attributes:
        n: The length.
        unit: "bytes", "characters" or "tokens".

    Right: `Length(5, "characters")`. Wrong: a length in tokens to compare two models, whose tokens differ.
    """

    n: int
    unit: Unit = "characters"

    def __post_init__(self) -> None:
        if self.unit not in ("bytes", "characters", "tokens"):
            raise BadValue(
                f"expected bytes, characters or tokens, got {self.unit!r}",
                "write one of the three units",
                argument="unit",
            )
        object.__setattr__(self, "n", check_whole_number("length", self.n))

    def automaton(self) -> Dfa:
        """Return a counter of bytes or characters; all strings for a length in tokens, which bytes do not determine."""
        if self.unit == "tokens":
            return anything()
        return _sized(self._counter, str(self))

    def _counter(self) -> Dfa:
        if self.n >= MOST:
            raise TooLarge
        if self.unit == "bytes":
            return of_length(self.n)
        steps = np.append(np.arange(self.n + 2), 0)[2:]
        table = np.append(0, steps)[:, None]  # state k + 1 has read k characters
        return over_characters(
            np.array([0, POINTS]), np.array([0]), table, np.arange(self.n + 2) == self.n + 1, 1
        )

    @property
    def tokens(self) -> int | None:
        """The length, if it is counted in tokens; else None."""
        return self.n if self.unit == "tokens" else None

    def __str__(self) -> str:
        return f"is {self.n:,} {self.unit if self.n != 1 else self.unit[:-1]} long"


@dataclass(frozen=True)
class Both(Condition):
    """The strings that are in two sets; written `a & b`.

    Attributes:
        first: One set.
        second: The other set.
    """

    first: Condition
    second: Condition

    def automaton(self) -> Dfa:
        """Return the product of the two automata."""
        return _sized(lambda: both(self.first.automaton(), self.second.automaton()), str(self))

    @property
    def tokens(self) -> int | None:
        """The number of tokens that the two sets require; −1, which no text has, if they require different numbers."""
        asked = {n for n in (self.first.tokens, self.second.tokens) if n is not None}
        return None if not asked else asked.pop() if len(asked) == 1 else -1

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"


def _sized(make: Callable[[], Dfa], what: str) -> Dfa:
    try:
        return make()
    except TooLarge:
        raise BadValue(
            f"expected a condition of at most {MOST:,} states, got a condition of more: {what}",
            "shorten the condition",
            argument="condition",
        ) from None
