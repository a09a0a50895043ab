"""The white space between the words of a text whose punctuation and clitics have rows of their own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Marks of Unicode's category Po that touch the word before; others, such as & and /, stand between spaces.
_CLOSING = frozenset(",.;:!?…%‰،؛؟۔।॥、。，．！？：；")
_OPENING = frozenset("¿¡")
# Clitics of English that tables of tokens cut off: "do" and "n't", "it" and "'s".
_CLITICS = frozenset(("n't", "'s", "'re", "'ve", "'ll", "'d", "'m", "'t"))
# Marks that open and close by turns, since one character has both tasks.
_BY_TURNS = ('"', "'")


def spaced(words: Sequence[str]) -> list[bool]:
    """Return for each word whether white space stands before it; the first word has none.

    Closing marks, and marks such as , . ; : ! ? and …, touch the word before. Opening marks touch the word after. The quotes
    " and ' open and close by turns. The clitics "n't", "'s", "'re", "'ve", "'ll", "'d", "'m" and "'t" touch the word
    before. Dashes and all other marks stand between spaces.

    Args:
        words: The words of one text, none empty.
    """
    out: list[bool] = []
    opened: set[str] = set()
    touches = True  # whether the word before, or the beginning of the text, takes no space after it
    for word in words:
        opening = closing = False
        if word in _BY_TURNS:
            closing = word in opened
            opening = not closing
            opened ^= {word}
        else:
            closing = all(_closes(c) for c in word) or word.lower().replace("’", "'") in _CLITICS
            opening = all(c in _OPENING or unicodedata.category(c) in ("Ps", "Pi") for c in word)
        out.append(not (touches or closing))
        touches = opening
    return out


def _closes(character: str) -> bool:
    return character in _CLOSING or unicodedata.category(character) in ("Pe", "Pf")
