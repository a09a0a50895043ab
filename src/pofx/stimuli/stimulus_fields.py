"""The columns of a stimulus table: which column holds the word, which name the text, and which has the word's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pofx.errors import Advice, Argument, BadValue

# The names of columns that are recognised, in lower case: those of plain tables, of Natural Stories (item, zone, word), of
# Provo (Text_ID, Word_Number, Word) and of the interest-area reports of SR Research (IA_LABEL, IA_ID).
WORDS = ("word", "ia_label", "region_text", "token")
ITEMS = ("item", "text_id", "item_id", "itemid", "sentence_id", "text", "sentence", "trial")
CONDITIONS = ("condition", "cond")
ORDERS = ("zone", "word_number", "ia_id", "word_index", "wordnum", "position", "region")


@dataclass(frozen=True)
class StimulusFields:
    """The names of the columns of a stimulus table.

    Attributes:
        word: The column of the word, or of the string of a region.
        item: The columns that name a text together: rows with equal values there are of one text.
        order: The column with the place of the word in its text, a number; None where words stand in the order of the rows.
        given: The column of the prefix of the text, such as the discourse before; None for no such column.
    """

    word: str
    item: tuple[str, ...]
    order: str | None = None
    given: str | None = None


def find_fields(
    names: Sequence[str],
    word: str | None = None,
    item: str | Sequence[str] | None = None,
    order: str | None = None,
    given: str | None = None,
) -> StimulusFields:
    """Find the columns of a stimulus table, by the names that the caller gives, and otherwise by known names.

    Args:
        names: The names of all columns.
        word: The column of the word; None for the first known name.
        item: The column or columns that name a text; None for the first known name, and a column `condition` if there is
            one, since an item has another sentence in each condition.
        order: The column of the word's place; None for the first known name, or for the order of the rows.
        given: The column of the prefix; None for no such column.

    Raises:
        BadValue: A column is missing, or no column has a known name.

    Right: `find_fields(["item", "zone", "word"])`. Wrong: `find_fields(["Satz", "Wort"])`, since these names are unknown.
    """
    items = () if item is None else (item,) if isinstance(item, str) else tuple(item)
    if item is not None and not items:
        raise BadValue("expected at least one column, got none", "name a column", argument="item")
    for argument, named in (
        ("word", word),
        ("order", order),
        ("given_field", given),
        *(("item", i) for i in items),
    ):
        if named is not None and named not in names:
            raise BadValue(
                f"expected a column of the table, got {named!r:.60}",
                f"name one of {_shown(names)}",
                argument=Argument(argument, f"--{argument.replace('_', '-')}"),
            )
    own_word = word or _known(names, WORDS) or _refuse("word", WORDS, names)
    if not items:
        conditions = _known(names, CONDITIONS, own_word)
        first = _known(names, ITEMS, own_word) or _refuse("item", ITEMS, names)
        items = (first,) if conditions is None else (first, conditions)
    return StimulusFields(own_word, items, order or _known(names, ORDERS, own_word, *items), given)


def _known(names: Sequence[str], known: Sequence[str], *taken: str) -> str | None:
    folded = {n.casefold(): n for n in reversed(names) if n not in taken}
    return next((folded[k] for k in known if k in folded), None)


def _refuse(argument: str, known: Sequence[str], names: Sequence[str]) -> str:
    raise BadValue(
        f"expected a column with a known name ({', '.join(known)}), got {_shown(names)}",
        Advice("name the column", f"{argument}=…", f"--{argument}"),
        argument=argument,
    )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(repr(n[:40]) for n in names[:10]) + more
