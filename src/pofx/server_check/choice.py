"""One choice of a completion, read from JSON and checked for its types."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.models.outside.http_client import Answer
from pofx.server_check.finding import Broken, quoted

Row = Mapping[str, float]
# The beginning of the names that OpenAI and vLLM give tokens that spell a part of a character.
NAMED = ("bytes:", "token_id:")


@dataclass(frozen=True)
class Choice:
    """One choice of an answer of `/v1/completions`.

    Attributes:
        index: The place of its prompt among the prompts of the request.
        text: The text, with the prompt in front where `echo` was asked for.
        finish_reason: "stop", "length", or another word of the server; "" for null.
        tokens: The names of the tokens.
        logprobs: log p of each token, nats; None where the server sent null.
        top: The row of likeliest tokens at each position, with log p in nats; None where the server sent null.
        offsets: The place in `text` where each token begins, code points; None where the server sent no such array.
    """

    index: int
    text: str
    finish_reason: str
    tokens: list[str]
    logprobs: list[float | None]
    top: list[Row | None]
    offsets: list[int] | None

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths of the arrays that the server sent."""
        return (
            len(self.tokens),
            len(self.logprobs),
            len(self.top),
            *(() if self.offsets is None else (len(self.offsets),)),
        )

    def whole(self, n: int, sent: str, first: int = 1) -> Choice:
        """Return the same choice, if each array has n entries and no number from index `first` on is null.

        Args:
            n: The number of entries.
            sent: The request in words.
            first: The first index at which null is wrong.

        Raises:
            Broken: An array has another length, or holds a null.
        """
        if set(self.lengths) != {n}:
            raise Broken(sent, f"arrays of length {n}", f"arrays of length {shown_lengths(self.lengths)}")
        for name, array in (("token_logprobs", self.logprobs), ("top_logprobs", self.top)):
            missing = [i for i, x in enumerate(array) if x is None and i >= first]
            if missing:
                raise Broken(sent, f"no null in {name} from index {first} on", f"null at index {missing[0]}")
        return self


def shown_lengths(lengths: Sequence[int]) -> str:
    """Return lengths of arrays in words: "12" where all are equal, "12, 13, 13, 12" where they differ."""
    return str(lengths[0]) if len(set(lengths)) == 1 else ", ".join(map(str, lengths))


def choices_of(answer: Answer, n: int, sent: str, *, with_logprobs: bool = True) -> list[Choice]:
    """Return the choices of an answer, in the order of their prompts.

    Args:
        answer: An answer of status 2xx.
        n: How many prompts were sent.
        sent: The request in words.
        with_logprobs: Whether log-probabilities were asked for.

    Returns:
        The n choices, sorted by `index`.

    Raises:
        Broken: The answer is no completion with n choices of the right types.
    """
    if answer.fault:
        raise Broken(sent, "a JSON object", f"{answer.fault}, which is no JSON")
    if answer.constants:
        raise Broken(sent, "strict JSON", f"the value {answer.constants[0]}, which no JSON has")
    listed = answer.json.get("choices") if isinstance(answer.json, dict) else None
    if not isinstance(listed, list) or len(listed) != n or not all(isinstance(c, dict) for c in listed):
        found = len(listed) if isinstance(listed, list) else "no list of"
        raise Broken(sent, f"{n} choices", f"{found} choices")
    out = [choice_of(c, sent, with_logprobs=with_logprobs) for c in listed]
    if sorted(c.index for c in out) != list(range(n)):
        raise Broken(sent, f"choices with index 0 to {n - 1}", f"index {[c.index for c in out]}")
    return sorted(out, key=lambda c: c.index)


def choice_of(raw: Mapping[str, Any], sent: str, *, with_logprobs: bool) -> Choice:
    """Return a choice of an answer, or the part of a choice in one event of a stream.

    Args:
        raw: The JSON object.
        sent: The request in words.
        with_logprobs: Whether the choice must have log-probabilities.

    Raises:
        Broken: A value has another type.
    """
    index, text = raw.get("index", 0), raw.get("text")
    if not isinstance(index, int) or not isinstance(text, str):
        raise Broken(
            sent, "an index and a text in each choice", f"{quoted(index, 20)} and {quoted(text, 40)}"
        )
    reason = raw.get("finish_reason")
    said = reason if isinstance(reason, str) else ""
    logprobs = raw.get("logprobs")
    if not with_logprobs:
        return Choice(index, text, said, [], [], [], None)
    if not isinstance(logprobs, dict):
        raise Broken(sent, "an object logprobs", quoted(logprobs, 40))
    tokens, numbers, top = (
        _array(logprobs, name, sent) for name in ("tokens", "token_logprobs", "top_logprobs")
    )
    for token in tokens:
        if not isinstance(token, str):
            raise Broken(sent, "tokens that are strings", quoted(token, 40))
    offsets = logprobs.get("text_offset")
    whole = isinstance(offsets, list) and all(isinstance(o, int) for o in offsets) and (offsets or not tokens)
    return Choice(
        index,
        text,
        said,
        tokens,
        [_number(x, sent) for x in numbers],
        [_row(r, sent) for r in top],
        offsets if whole else None,
    )


def _array(logprobs: Mapping[str, Any], name: str, sent: str) -> list[Any]:
    found = logprobs.get(name)
    if not isinstance(found, list):
        raise Broken(sent, f"an array {name}", quoted(found, 40))
    return found


def _number(raw: Any, sent: str) -> float | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise Broken(sent, "finite numbers or null as log-probabilities", quoted(raw, 40))
    return float(raw)


def _row(raw: Any, sent: str) -> Row | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise Broken(sent, "objects or null in top_logprobs", quoted(raw, 40))
    row = {name: _number(x, sent) for name, x in raw.items()}
    missing = [name for name, x in row.items() if x is None]
    if missing:
        raise Broken(sent, "numbers in top_logprobs", f"null for {quoted(missing[0], 40)}")
    return {name: x for name, x in row.items() if x is not None}
