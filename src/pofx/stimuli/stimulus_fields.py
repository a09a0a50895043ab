"""The columns of a stimulus table: which column holds the word, which name the text, and which has the word's place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.errors import Advice, Argument, BadValue

# The names of columns that are recognised, in lower case: those of plain tables, of Natural Stories (item, zone, word), of
# Provo (Text_ID, Word_Number, Word) and of the interest-area reports of SR Research (IA_LABEL, IA_ID).
WORDS = ("word", "ia_label", "region_text", "token")
ITEMS = ("item", "text_id", "item_id", "itemid", "sentence_id", "text", "sentence", "trial")
CONDITIONS = ("condition", "cond")
# Columns with the name of a region, such as "verb" or "critical".
REGIONS = ("region_label", "region_name", "area", "area_label", "roi", "interest_area", "region")
TIMES = (
    "rt",
    "reading_time",
    "time",
    "duration",
    "ms",
    "ia_first_run_dwell_time",
    "ia_dwell_time",
    "ia_first_fixation_duration",
)
READERS = (
    "participant",
    "participant_id",
    "subject",
    "subject_id",
    "subj",
    "reader",
    "workerid",
    "recording_session_label",
)
# A column `region` has places in some tables, and names of regions in others.
ORDERS = ("zone", "word_number", "ia_id", "word_index", "wordnum", "idx", "position", "region")


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
    rows: Sequence[Mapping[str, Any]] = (),
) -> StimulusFields:
    """Find the columns of a stimulus table, by the names that the caller gives, and otherwise by known names.

    Args:
        names: The names of all columns.
        word: The column of the word; None for the first known name.
        item: The column or columns that name a text; None for the first known name, and a column `condition` if there is
            one, since an item has another sentence in each condition.
        order: The column of the word's place; None for the first known name, or for the order of the rows.
        given: The column of the prefix; None for no such column.
        rows: The rows of the table. A column `region` whose first value is no number has names of regions, and no places.

    Raises:
        BadValue: A column is missing, or no column has a known name.

    Right: `find_fields(["item", "zone", "word"])`. Wrong: `find_fields(["Satz", "Wort"])`, since these names are unknown.
    """
    for argument, named in (("word", word), ("order", order), ("given_field", given)):
        if named is not None:
            check_column(names, named, argument)
    own_word = word or find_known(names, WORDS) or _refuse("word", WORDS, names)
    items = find_items(names, item, own_word)
    of_regions = [n for n in names if n.casefold() == "region" and rows and not _is_number(rows[0].get(n))]
    return StimulusFields(
        own_word, items, order or find_known(names, ORDERS, own_word, *items, *of_regions), given
    )


def find_items(names: Sequence[str], item: str | Sequence[str] | None = None, *taken: str) -> tuple[str, ...]:
    """Find the columns that name a text.

    Args:
        names: The names of all columns.
        item: The column or columns that the caller names; None for the first known name, and a column of conditions.
        *taken: Columns with another task.

    Raises:
        BadValue: A column is missing, or no column has a known name.
    """
    if item is None:
        conditions = find_known(names, CONDITIONS, *taken)
        first = find_known(names, ITEMS, *taken) or _refuse("item", ITEMS, names)
        return (first,) if conditions is None else (first, conditions)
    items = (item,) if isinstance(item, str) else tuple(item)
    if not items:
        raise BadValue("expected at least one column, got none", "name a column", argument="item")
    for name in items:
        check_column(names, name, "item")
    return items


def find_known(names: Sequence[str], known: Sequence[str], *taken: str) -> str | None:
    """Return the column with the first known name, in upper or lower case, that is none of `taken`; None for none."""
    folded = {n.casefold(): n for n in reversed(names) if n not in taken}
    return next((folded[k] for k in known if k in folded), None)


def check_column(names: Sequence[str], name: str, argument: str, option: str = "") -> None:
    """Raise `BadValue`, which names the argument and its option, if a column is missing."""
    if name not in names:
        raise BadValue(
            f"expected a column of the table, got {name!r:.60}",
            f"name one of {_shown(names)}",
            argument=Argument(argument, option or f"--{argument.replace('_', '-')}"),
        )


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _refuse(argument: str, known: Sequence[str], names: Sequence[str]) -> str:
    raise BadValue(
        f"expected a column with a known name ({', '.join(known)}), got {_shown(names)}",
        Advice("name the column", f"{argument}=…", f"--{argument}"),
        argument=argument,
    )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(repr(n[:40]) for n in names[:10]) + more
