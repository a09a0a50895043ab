"""Answers text by text: an error of one text stands at its place, and the other texts are answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pofx.errors import Impossible, NoLaw, NotText, PofxError, TooLong
from pofx.queries.scoring.stream import Query, TextBlock
from pofx.server.incoming.errors import RequestError, failure_record

R = TypeVar("R")

# The errors of a text. All others (no x0, no EOS, no memory, a wrong option) are errors of the whole request.
OF_A_TEXT = (NotText, TooLong, Impossible, NoLaw)


class _OfTheRequest(Exception):
    """An error of the whole request, which each half of the texts would raise again."""

    def __init__(self, error: PofxError) -> None:
        super().__init__(str(error))
        self.error = error


def prefix_of_each(given: str | Sequence[str], n: int) -> list[str]:
    """Return one prefix for each of n texts.

    Raises:
        RequestError: There are more or fewer prefixes than texts.
    """
    if isinstance(given, str):
        return [given] * n
    if len(given) != n:
        raise RequestError(
            400,
            "invalid_value",
            f"given: expected one prefix, or one for each of {n} texts, got {len(given)}",
            "given",
            ("pass a string, or a list of that many strings",),
        )
    return list(given)


def records_of_each(
    texts: Sequence[str], givens: Sequence[str], query: Query[R], record: Callable[[R], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the record of each text, or its error.

    Args:
        texts: The texts.
        givens: The prefix of each.
        query: A function of texts and their prefixes, which returns one result a text.
        record: A function that makes the record of a result.

    Raises:
        PofxError: The whole request has no answer.
    """

    def answer(block: Sequence[str | bytes], prefixes: Sequence[str | bytes]) -> Sequence[R]:
        try:
            return query(block, prefixes)
        except PofxError as e:
            if _of_a_text(e):
                raise
            raise _OfTheRequest(e) from None

    block = TextBlock(0, tuple(texts), tuple(zip(texts, givens)))
    try:
        found = block.answers(answer)
    except _OfTheRequest as e:
        raise e.error from None
    return [
        {"text": text, "error": failure_record(r)} if isinstance(r, PofxError) else record(r)
        for text, r in zip(texts, found)
    ]


def _of_a_text(error: PofxError) -> bool:
    cut = (
        error.argument is not None and error.argument.python == "boundary"
    )  # boundary "error", and no cut there
    return cut or isinstance(error, OF_A_TEXT)
