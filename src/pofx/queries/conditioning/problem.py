"""What is asked of which model: a condition on strings as an automaton, and a prefix in tokens and bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pofx.algorithms.automata.automaton import MOST, Dfa, TooLarge, opened, preceded, stopping
from pofx.errors import Advice, BadValue, Impossible, NoEOS, NotText
from pofx.lm.model import LM
from pofx.transforms.given import given as behind
from pofx.transforms.given import show
from pofx.transforms.given_string import given_string
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import refuse_normalizing

Boundary = Literal["token", "exact"]


@dataclass(frozen=True, eq=False)
class ConditioningProblem:
    """What is asked of which model. source: the model behind what of the prefix is read as tokens; tail: the rest of the
    prefix, with which its texts begin; bytes_of: the law of their bytes, where there is a tail. dfa: what the texts must
    be; on: the same in words; ends: and then end.

    most: tokens of a text; tokens: how many exactly, or None. cut: what of a text, without the tail, decided that the
    condition is met.
    """

    lm: LM
    source: LM
    byte_lm: LM | None
    given: str | bytes
    tail: bytes
    dfa: Dfa
    on: str
    ends: bool
    max_tokens: int
    tokens: int | None
    cut: Callable[[bytes], bytes]


def pose_problem(
    lm: LM,
    make: Callable[[], Dfa],
    on: str,
    given: str | bytes,
    suffix: bytes,
    boundary: Boundary,
    ends: bool,
    max_tokens: int,
    tokens: int | None,
) -> ConditioningProblem:
    """The model and the automaton of a question; suffix: what the texts end with, to which `max_tokens` does not apply."""
    refuse_normalizing(lm.vocab, "conditioning, which asks of the bytes that tokens spell")
    max_tokens = check_whole_number("max_tokens", max_tokens)
    if boundary not in ("token", "exact"):
        raise BadValue(f"boundary: expected 'token' or 'exact', found {boundary!r}", None)
    if ends and lm.vocab.end is None:
        raise NoEOS(
            "condition: expected a model whose texts end, found one without end-of-text symbol",
            [
                Advice("ask how texts begin", "ends=False", "--open"),
                Advice("name a token that ends texts", "end=…", "--end"),
            ],
        )
    tail, source, byte_lm = b"", lm, None
    if boundary == "exact" and len(given) and not lm.vocab.unambiguous:
        join = given_string(lm, given)
        tail, source, byte_lm = join.tail, join.source, join.lm
    elif len(given):
        source = behind(lm, given)
    if tokens is not None and tail:
        raise BadValue(
            "length: expected bytes or characters where tokens may span the end of the prefix, found tokens",
            "take boundary='token'",
        )
    try:
        made = make() if ends else stopping(make())
        dfa = allow_opening_space(source, preceded(tail, made))
    except TooLarge:
        raise BadValue(
            f"condition: expected one of at most {MOST:,} states, found more for: {on}", "shorten it"
        ) from None

    def cut(spelled: bytes) -> bytes:
        return spelled[: None if ends else _accepted_length(made, spelled)]

    most = (
        max_tokens + _count_tokens(source, tail) + _count_tokens(source, suffix) if tokens is None else tokens
    )
    return ConditioningProblem(lm, source, byte_lm, given, tail, dfa, on, ends, most, tokens, cut)


def allow_opening_space(source: LM, dfa: Dfa) -> Dfa:
    """For texts whose first token may open with a space that is no part of them."""
    return opened(dfa, ord(" ")) if source.vocab.opening else dfa


def _count_tokens(lm: LM, data: bytes) -> int:
    """Tokens that some bytes take, by themselves."""
    try:
        return len(lm.vocab.encode(data))
    except NotText:
        return len(data)


def _accepted_length(dfa: Dfa, data: bytes) -> int:
    """How many bytes of a text are read until the automaton accepts."""
    q = dfa.start
    for k, b in enumerate(data):
        if dfa.accept[q]:
            return k
        q = int(dfa.next[q, b])
    return len(data)


def impossible_condition(problem: ConditioningProblem, why: str) -> Impossible:
    """The error of a condition that no text meets."""
    behind_it = f" behind {show(problem.given)}" if len(problem.given) else ""
    return Impossible(
        f"expected a condition of positive probability, found P = 0{behind_it} for: {problem.on} (at most "
        f"{max(problem.max_tokens, 0):,} tokens): {why}",
        "take another condition, a smoothed model, or a larger max_tokens",
    )
