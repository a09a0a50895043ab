"""The files of `pofx evaluate`: which kind of item their rows hold, and the reading of the items."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from pofx.cli.options.layout import CountedDocuments, Layout, tally
from pofx.errors import BadSource, PofxError
from pofx.evaluation.items import BLIMP, ChoiceItem, ItemFields, Pair, choice_item, pair_item

if TYPE_CHECKING:
    from pofx.corpus.documents import Document

F = TypeVar("F", bound=Callable[..., Any])
Kind = Literal["choices", "pairs", "blimp"]

OPTIONS = (
    click.option(
        "--items",
        "kind",
        type=click.Choice(["choices", "pairs", "blimp"]),
        help="What rows hold: choices (context, choices, label), pairs (good, bad), or the pairs of a file of BLiMP; "
        "by default what the fields of the files say.",
    ),
    click.option(
        "--context-field", default="context", show_default=True, help="choices: the field of the context."
    ),
    click.option(
        "--choices-field",
        default="choices",
        show_default=True,
        help="choices: the field of the choices, a list of strings, or such a list as JSON in a cell.",
    ),
    click.option(
        "--label-field",
        default="label",
        show_default=True,
        help="choices: the field of the right choice, its place from 0 or its text.",
    ),
    click.option(
        "--good-field", default="good", show_default=True, help="pairs: the field of the right text."
    ),
    click.option("--bad-field", default="bad", show_default=True, help="pairs: the field of the other text."),
    click.option("--group-field", metavar="NAME", help="Also count each group apart, such as a phenomenon."),
)
_NAMES = ("context_field", "choices_field", "label_field", "good_field", "bad_field", "group_field")


@dataclass(frozen=True)
class ItemFiles:
    """How items stand in the rows of files.

    Attributes:
        kind: What rows hold; None where the fields of the files decide.
        fields: The fields of the rows.
        layout: How rows stand in the files.
    """

    kind: Kind | None
    fields: ItemFields
    layout: Layout

    def read(self, files: tuple[str, ...]) -> tuple[list[ChoiceItem] | list[Pair], int]:
        """Read all items, and return them with the number of rows that hold none.

        Raises:
            BadSource: A file cannot be read, or its rows hold no items.
        """
        kind, found = self._look(files)
        fields = self._fields(kind)
        make = choice_item if kind == "choices" else pair_item
        items: list[Any] = []
        bad = 0
        for document in found:
            where = f"{document.source}:{document.line}"
            try:
                items.append(make(_row(document, kind, fields), fields, document.id))
            except PofxError as e:
                bad += 1
                found.bad.failed(where, e)
        tally(found)
        if not items:
            raise BadSource(f"{' '.join(files)}: expected items, got none", "check the fields of the rows")
        return items, bad + found.records.n_bad

    def _look(self, files: tuple[str, ...]) -> tuple[Kind, CountedDocuments]:
        """Return the kind whose fields the beginnings of the files have, and the rows."""
        if self.kind is None and "-" in files:
            raise click.UsageError("--items: expected with standard input, which is read once, got without.")
        kinds: tuple[Kind, ...] = ("choices", "pairs", "blimp") if self.kind is None else (self.kind,)
        errors: list[BadSource] = []
        for kind in kinds:
            fields = self._fields(kind)
            try:
                return kind, replace(self.layout, field=_wanted(kind, fields)[0]).documents(
                    files, _wanted(kind, fields)[1:]
                )
            except BadSource as e:
                errors.append(e)
        if len({str(e) for e in errors}) == 1:  # the fault is not in the fields
            raise errors[0]
        raise BadSource(
            f"{' '.join(files)}: expected fields {' and '.join(map(repr, _wanted('choices', self.fields)))}, or "
            f"{' and '.join(map(repr, _wanted('pairs', self.fields)))}, got {errors[0].subject.partition(', got ')[2]}",
            "name the fields (--context-field, --good-field, …)",
        )

    def _fields(self, kind: Kind) -> ItemFields:
        if kind != "blimp":
            return self.fields
        return replace(BLIMP, group=self.fields.group or BLIMP.group)


def _wanted(kind: Kind, fields: ItemFields) -> tuple[str, ...]:
    """Return the fields that every row has, the field of the group last."""
    own = (fields.context, fields.choices, fields.label) if kind == "choices" else (fields.good, fields.bad)
    return own if fields.group is None else (*own, fields.group)


def _row(document: Document, kind: Kind, fields: ItemFields) -> dict[str, Any]:
    return dict(zip(_wanted(kind, fields), (document.text, *document.kept)))


def item_options(function: F) -> F:
    """Give a verb --items and the options of fields as one argument `item_files`; they stand below `row_options`."""

    @functools.wraps(function)
    def with_items(*args: Any, kind: Kind | None, layout: Layout, **others: Any) -> Any:
        names = {n.removesuffix("_field"): others.pop(n) for n in _NAMES}
        return function(*args, item_files=ItemFiles(kind, ItemFields(**names), layout), **others)

    out: Any = with_items
    for option in reversed(OPTIONS):
        out = option(out)
    return out  # type: ignore[no-any-return]
