"""Text for people: characters that cannot be seen, or that move other text about, are written by name."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from pofx.vocab.vocabulary import Vocab

NEWLINE = "⏎"


def visible(text: str) -> str:
    r"""Return the text with control and format characters escaped (`\x1b`, `\u202e`). Spaces stay spaces.

    So no direction override and no escape sequence reaches the terminal or the page.
    """
    return text if text.isprintable() else "".join(_shown(ch) for ch in text)


def visible_bytes(data: bytes) -> str:
    r"""Bytes as visible text. Bytes that are not UTF-8 become `\xNN`."""
    return visible(data.decode("utf-8", "backslashreplace"))


def token_name(vocab: Vocab, i: int) -> str:
    """Return the printable name of a token. A space is ␣, and a combining mark gets a ◌ to sit on.

    Args:
        vocab: The vocabulary.
        i: The id of the token.
    """
    name = visible(vocab.show(i))
    return f"◌{name}" if name and unicodedata.combining(name[0]) else name


def excerpt(text: str | bytes, longest: int = 80) -> str:
    """Return the beginning of a text on one line.

    Args:
        text: The text.
        longest: The most characters; a longer text ends in "…".
    """
    cut = text[: longest + 1]
    shown = visible_bytes(cut) if isinstance(cut, bytes) else visible(cut)
    return shown if len(text) <= longest else shown[: longest - 1] + "…"


@lru_cache(maxsize=4096)
def _shown(ch: str) -> str:
    if ch == "\n":
        return NEWLINE
    # Lone surrogates are escaped too: no UTF-8 spells them.
    return ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii")
