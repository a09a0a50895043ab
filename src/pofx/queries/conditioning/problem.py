"""A conditioning problem: a condition on strings as an automaton, a prefix in tokens and bytes, and a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pofx.algorithms.automata.automaton import MOST, Dfa, TooLarge, opened, preceded, stopping
from pofx.errors import Advice, BadValue, Impossible, NoEOS, NotText
from pofx.lm.model import LM
from pofx.transforms.given import given as condition_on
from pofx.transforms.given import show
from pofx.transforms.given_string import given_string
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import refuse_normalizing

Boundary = Literal["token", "exact"]


@dataclass(frozen=True, eq=False)
class ConditioningProblem:
    """The texts that are requested, and the model of these texts.

    The tail of the prefix is the part that a token may span together with the text. Texts of `source` begin with the tail.

    Attributes:
        lm: The model as the caller named it.
        source: The model after the part of the prefix before the tail.
        byte_lm: The distribution over the bytes of the texts of `source`; None without a tail.
        given: The whole prefix.
        tail: The rest of the prefix, with which the texts begin.
        dfa: The automaton that accepts tail and text.
        on: The condition in words.
        ends: Whether EOS must follow.
        max_tokens: The longest text, in tokens, the tail included.
        tokens: The exact number of tokens, or None.
        cut: A function that cuts a text without its tail after the byte at which the condition is met.
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
    """Build the automaton of a condition, and the model after its prefix.

    Args:
        lm: The model.
        make: A function that makes the automaton of the condition.
        on: The condition in words.
        given: The prefix.
        suffix: The string that every text ends with; its tokens are added to `max_tokens`.
        boundary: "exact" or "token".
        ends: Whether EOS must follow.
        max_tokens: The longest text, in tokens, without tail and suffix.
        tokens: The exact number of tokens, or None.

    Returns:
        The problem, ready to be solved.

    Raises:
        BadValue: An argument is outside its domain, or the automaton is too large.
        NoEOS: `ends` is True, and the model ends no text.
    """
    refuse_normalizing(lm.vocab, "conditioning on the bytes that tokens spell")
    max_tokens = check_whole_number("max_tokens", max_tokens)
    if boundary not in ("token", "exact"):
        raise BadValue(
            f"expected 'token' or 'exact', got {boundary!r}",
            "write one of the two words",
            argument="boundary",
        )
    if ends and lm.vocab.end is None:
        raise NoEOS(
            "condition: expected a model whose texts end, got a model without EOS",
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
        source = condition_on(lm, given)
    if tokens is not None and tail:
        raise BadValue(
            "expected bytes or characters where tokens may span the end of the prefix, got tokens",
            Advice("end the prefix with a token", "boundary='token'", "--boundary token"),
            argument="length",
        )
    try:
        made = make() if ends else stopping(make())
        dfa = allow_opening_space(source, preceded(tail, made))
    except TooLarge:
        raise BadValue(
            f"expected a condition of at most {MOST:,} states, got a condition of more: {on}",
            "shorten the condition",
            argument="condition",
        ) from None

    def cut(spelled: bytes) -> bytes:
        return spelled[: None if ends else _accepted_length(made, spelled)]

    most = (
        max_tokens + _count_tokens(source, tail) + _count_tokens(source, suffix) if tokens is None else tokens
    )
    return ConditioningProblem(lm, source, byte_lm, given, tail, dfa, on, ends, most, tokens, cut)


def allow_opening_space(source: LM, dfa: Dfa) -> Dfa:
    """Allow a space before the text in the first token, where the tokenizer adds such a space."""
    return opened(dfa, ord(" ")) if source.vocab.opening else dfa


def _count_tokens(lm: LM, data: bytes) -> int:
    """Return the number of tokens of `encode` for some bytes; one token a byte where `encode` refuses the bytes."""
    try:
        return len(lm.vocab.encode(data))
    except NotText:
        return len(data)


def _accepted_length(dfa: Dfa, data: bytes) -> int:
    """Return the number of bytes of a text that the automaton reads before it accepts."""
    q = dfa.start
    for k, b in enumerate(data):
        if dfa.accept[q]:
            return k
        q = int(dfa.next[q, b])
    return len(data)


def impossible_condition(problem: ConditioningProblem, why: str) -> Impossible:
    """Return the error of a condition that no text meets."""
    after_prefix = f" after {show(problem.given)}" if len(problem.given) else ""
    return Impossible(
        f"expected a condition of positive probability, got P = 0{after_prefix} for: {problem.on} (at most "
        f"{max(problem.max_tokens, 0):,} tokens): {why}",
        [
            "take another condition or a smoothed model",
            Advice("allow longer texts", "max_tokens=…", "--max-tokens", parameter="max-tokens"),
        ],
    )
