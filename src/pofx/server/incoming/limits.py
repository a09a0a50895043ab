"""The limits of one request, checked before a text is tokenised or memory is taken."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.server.incoming.errors import RequestError
from pofx.server.settings import Settings

# The most likeliest tokens in one answer, all positions together: about 300 MB while the answer is written.
LISTED = 500_000


def check_texts(param: str, texts: Sequence[str], settings: Settings) -> int:
    """Do as `check_bytes`, and refuse more texts than a request may have."""
    check_count(param, len(texts), settings)
    return check_bytes(param, texts, settings)


def check_bytes(param: str, texts: Sequence[str], settings: Settings) -> int:
    """Return an upper bound of the number of tokens of texts; a token spells at least one byte.

    Args:
        param: The field that holds the texts.
        texts: The texts, and the prefixes before them.
        settings: The limits.

    Returns:
        The bound, which is at most `settings.tokens`: texts of more tokens are refused by `check_tokens`.

    Raises:
        RequestError: There are too many bytes to be tokenised.
    """
    size = sum(len(t.encode("utf-8")) for t in texts)
    if size > settings.text:
        raise RequestError(
            413,
            "too_large",
            f"{param}: expected texts of at most {settings.text} bytes in all, got {size}",
            param,
            ("split the request",),
        )
    return min(size + len(texts), settings.tokens)


def check_count(param: str, n: int, settings: Settings) -> None:
    """Refuse more prompts than a request may have."""
    if n > settings.prompts:
        raise RequestError(
            400,
            "too_many_prompts",
            f"{param}: expected at most {settings.prompts} prompts, got {n}",
            param,
            ("split the request",),
        )


def check_tokens(param: str, n: int, settings: Settings, fewer: tuple[str, ...] = ()) -> None:
    """Refuse more tokens than a request may have, those to be generated included; `fewer` is further advice."""
    if n > settings.tokens:
        raise RequestError(
            413,
            "too_many_tokens",
            f"{param}: expected at most {settings.tokens} tokens to read and to generate, got {n}",
            param,
            ("split the request", *fewer),
        )


def check_listed(param: str, top: int, n: int) -> None:
    """Refuse an answer that would take the memory of other requests: `top` likeliest tokens at each of n positions."""
    if top * n > LISTED:
        raise RequestError(
            413,
            "too_large",
            f"{param}: expected at most {LISTED} likeliest tokens in all, got {top} for each of {n} tokens",
            param,
            ("split the request", "ask for fewer likeliest tokens"),
        )


def check_ids(param: str, ids: Sequence[int], size: int) -> None:
    """Refuse ids outside of a vocabulary of `size` ids."""
    k = next((k for k, i in enumerate(ids) if not 0 <= i < size), None)
    if k is not None:
        raise RequestError(
            400,
            "invalid_token",
            f"{param}.{k}: expected an id from 0 to {size - 1}, got {ids[k]}",
            f"{param}.{k}",
        )
