"""The answers of a block as lines of rows, with the counts and sums of all rows so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import Document
from pofx.corpus.writing import encode_row, kind_of_value
from pofx.errors import PofxError
from pofx.jobs.row_query import Entry

if TYPE_CHECKING:
    from pofx.jobs.job import Job

# Counts of texts that the model was fitted on or its weights were chosen by, by the names of `Terms`.
SEEN = ("fitted", "chosen")
# The state before the first row. items: answered rows of the input; kinds: the kinds of values of each kept column.
BEGIN: dict[str, Any] = {"items": 0, "scored": 0, "bytes": 0, "nats": 0.0, "kinds": {}}

Item = Document | BadRow
Answers = Sequence[Any | PofxError]


@dataclass(frozen=True, slots=True)
class ItemLines:
    """The rows of one item.

    Attributes:
        lines: A line of JSON for each row, as `encode_row` returns it.
        error: Why the item has no score; "" where it has one.
    """

    lines: tuple[bytes, ...]
    error: str = ""


def encode_answers(
    job: Job, items: Sequence[Item], answers: Answers, before: Mapping[str, Any]
) -> tuple[list[ItemLines], dict[str, Any]]:
    """Return the rows of some items, and the state of the run after them.

    Args:
        job: The job, whose query makes the rows.
        items: The items.
        answers: An answer, or an error, for each item.
        before: The state before the items; `BEGIN` before the first one.
    """
    rows = job.rows
    state = {**before, "items": before["items"] + len(items)}
    kinds = {name: set(before["kinds"].get(name, [])) for name in rows.keep}
    out = []
    for item, answer in zip(items, answers):
        for name, value in zip(rows.keep, item.kept):
            kinds[name].add(kind_of_value(value))
        entry = (
            Entry(item.id, item.kept, item.text, job.documents.prefix(item))
            if isinstance(item, Document)
            else Entry(item.id, item.kept)
        )
        if isinstance(answer, PofxError):
            why = reason(job, item, answer)
            out.append(ItemLines(tuple(encode_row(r) for r in rows.make_rows(entry, why)), why))
            continue
        state["scored"] += 1
        state["bytes"] += answer.terms.bytes
        state["nats"] += rows.nats(answer)
        for name in SEEN:
            state[name] = state.get(name, 0) + getattr(answer.terms, name)
        out.append(ItemLines(tuple(encode_row(r) for r in rows.make_rows(entry, answer))))
    state["kinds"] = {name: sorted(names) for name, names in kinds.items()}
    return out, state


def reason(job: Job, item: Item, error: PofxError) -> str:
    """Return the reason why an item has no score, in one line."""
    message = job.spell(error)
    return " ".join((f"{type(error).__name__}: {message}" if isinstance(item, Document) else message).split())
