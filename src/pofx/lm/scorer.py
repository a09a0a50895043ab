"""A scorer: a function that gives a number a token of a text, and no next-token distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pofx.algorithms.logspace import Floats
from pofx.errors import BadValue

Unit = Literal["byte", "character", "token"]
UNITS: tuple[Unit, ...] = ("byte", "character", "token")


@dataclass(frozen=True, eq=False)
class Scorer:
    """The numbers that somebody else's program gives to texts, one number a token.

        score([x])[0][i] claims to be log p(x_i | x_<i), nats

    A scorer is no LM: a scorer has no next-token distributions, so a query cannot use a scorer, and nothing can be drawn
    from a scorer. `audit` alone takes a scorer, and says whether its numbers can be the numbers of a distribution.

    Attributes:
        name: The name of the scorer in messages.
        score: A function of several texts, which returns the numbers `[t]` of each, nats. Where `ends` is set, the last
            number of each text is of EOS.
        ends: Whether the last number of each text is of EOS.
        pieces: A function of a text, which returns the bytes of the token of each number, EOS left out; None if not known.
        unit: The unit of the tokens, as the author says; None where the author does not say.
        alphabet: All strings that may be the next token; () where these strings are not known.
        sample: A function (prefix, n, seed), which draws n next tokens by the sampler of the program and returns the
            string of each, "" for EOS; None without such a sampler.

    Right: `audit(from_callable(score=f), texts)`. Wrong: `pofx.score(scorer, texts)`, which wants an LM.
    """

    name: str
    score: Callable[[Sequence[str]], Sequence[Floats]]
    ends: bool = False
    pieces: Callable[[str], Sequence[bytes]] | None = None
    unit: Unit | None = None
    alphabet: tuple[str, ...] = ()
    sample: Callable[[str, int, int], Sequence[str]] | None = None

    def __post_init__(self) -> None:
        """Raise `BadValue` for an unknown unit, or for an alphabet with an empty string or a string twice."""
        if self.unit is not None and self.unit not in UNITS:
            raise BadValue(
                f"expected 'byte', 'character', 'token' or None, got {self.unit!r:.60}",
                "name the unit of each number",
                argument="unit",
            )
        if len(set(self.alphabet)) < len(self.alphabet) or "" in self.alphabet:
            raise BadValue(
                "expected strings that differ and are not empty, got a string twice or an empty string",
                "pass each next token once",
                argument="alphabet",
            )

    if not TYPE_CHECKING:  # a type checker knows the attributes that there are

        def __getattr__(self, name: str) -> object:
            """Refuse an attribute that only an LM has; Python calls this method for attributes that do not exist."""
            # copy and pickle read attributes of an object that has no fields yet.
            if name.startswith("_") or "name" not in self.__dict__:
                raise AttributeError(name)
            raise AttributeError(
                f"expected an LM, got the scorer {self.name!r:.60}, which has no {name}. Pass the scorer to pofx.audit, "
                "the only query that takes a scorer."
            )
