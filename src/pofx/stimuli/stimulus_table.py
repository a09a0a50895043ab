"""A stimulus table with the numbers of its regions: the rows as they were given, and further columns."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pofx.errors import BadValue, PofxError, require
from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, TableColumn, arrow_table
from pofx.lm.model import LM
from pofx.stimuli.added_columns import added_columns, renamed_columns
from pofx.stimuli.frequencies import frequencies_of
from pofx.stimuli.regions import MeasuredText, measure_regions
from pofx.stimuli.stimulus_fields import find_fields
from pofx.stimuli.stimulus_texts import Row, StimulusText, read_texts_of_rows, tell_lacking
from pofx.values import check_bool, check_whole_number

MOST_BEFORE = 20


@dataclass(frozen=True, eq=False, repr=False)
class StimulusTable(Shown, HasTable):
    """A stimulus table with the numbers of its regions.

    Attributes:
        table: The rows as they were given, or their table of Arrow.
        columns: The further columns, each with a cell for each row.
        texts: The texts that the rows were joined to.
        measured: The numbers of each text, or the error of the text, by the model's name; "" for a model without a name.
        renamed: The new name of each column of the rows whose name a further column has, by its old name.

    Right: `measure_stimuli(lm, table).to_pandas()`. Wrong: the sum of `surprisal_nats` over the rows of a text as −log p of
    the text, without `ending_nats` of its last row.
    """

    table: Any
    columns: tuple[TableColumn, ...]
    texts: tuple[StimulusText, ...]
    measured: Mapping[str, tuple[MeasuredText | PofxError, ...]]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def table_columns(self) -> list[TableColumn]:
        """Return the further columns, without the columns of the rows that were given."""
        return list(self.columns)

    def to_arrow(self) -> Any:
        """Return the rows with the further columns at the right, as a `pyarrow.Table`.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        pa = require("pyarrow", "data", "a table of Arrow")
        rows = self.table
        out = pa.table(rows) if hasattr(rows, "__arrow_c_stream__") else pa.Table.from_pylist(list(rows))
        out = out.rename_columns([self.renamed.get(name, name) for name in out.column_names])
        added = arrow_table(self.columns)
        for name in added.column_names:
            out = out.append_column(name, added[name])
        return out


def measure_stimuli(
    models: LM | Mapping[str, LM],
    table: Any,
    word: str | None = None,
    item: str | Sequence[str] | None = None,
    order: str | None = None,
    given: str = "",
    given_field: str | None = None,
    join: str = " ",
    attach: bool = False,
    previous: int = 0,
    frequencies: Iterable[str] | None = None,
    texts: Any = None,
    word_draws: int = 0,
    seed: int = 0,
) -> StimulusTable:
    """Compute the surprisal of the word, or region, in each row of a stimulus table.

        surprisal = −log P(region, then a boundary | regions before, then a boundary)

    The words of each text are joined to a string, and the model reads the string. So the numbers do not depend on how tokens
    cut words: Σ (surprisal + ending) over the regions of a text is −log p(text). Each row gets the numbers of its region.
    The rows keep their order.

    Args:
        models: The model, or several models by name; the columns of each then begin with its name.
        table: A table of Arrow, pandas or polars, or a list of mappings. Each row has a word.
        word: The column of the word; None for a known name (`word`, `IA_LABEL`, …).
        item: The column or columns that name a text; None for a known name (`item`, `Text_ID`, …) and `condition`.
        order: The column of the word's place in its text, a number; None for a known name (`zone`, `Word_Number`, `IA_ID`,
            …), or else the order of the rows. Rows of one text with one place are readings of one word.
        given: The prefix of all texts.
        given_field: The column with the prefix of each text, such as the discourse before.
        join: The string between two words: white space, or "" where words hold their own spaces or need none.
        attach: Whether words that are punctuation ("," ")") or a clitic ("n't", "'s") touch the word beside them.
        previous: The number of regions before, whose surprisal, length and frequency each row repeats (spill-over).
        frequencies: The documents of a corpus, whose words are counted for the column `log_frequency`; or "wordfreq:en" for
            the list of a language of the package wordfreq; None for no such column.
        texts: A table with every word of the texts, in columns of the same names, where `table` lacks words. It needs
            places. None where `table` has all words.
        word_draws: The number of words that are drawn before each region, for an estimate of the entropy of the next word
            (`word_entropy_nats`); 0 for no such column.
        seed: The seed of the draws.

    Returns:
        The rows with further columns; see [stimuli](stimuli.md). A text without numbers has nulls and an `error`.

    Raises:
        BadValue: A column is missing, `given` and `given_field` are both given, a row lacks a value, or the rows of a text
            contradict each other.
        NoEOS: Texts of a model never end.
        NoBOS: A model has no x0, and no text has a prefix.
        MissingExtra: `table` is no list of mappings, and pyarrow is not installed.

    Right: `measure_stimuli(lm, pandas.read_csv("items.csv"), item=["item", "condition"])`. Wrong: `item="item"` where the
    conditions of an item are different sentences.
    """
    check_whole_number("previous", previous, 0, MOST_BEFORE, advice="name fewer regions")
    check_whole_number("seed", seed)
    check_whole_number("word_draws", word_draws)
    if word_draws:
        check_whole_number("word_draws", word_draws, 2, advice="draw at least two words, or 0 for none")
    check_bool("attach", attach)
    if given and given_field is not None:
        raise BadValue("expected given or given_field, got both", "leave one out", argument="given_field")
    source, rows = rows_of(table)
    names = list(dict.fromkeys(name for row in rows for name in row))
    fields = find_fields(names, word, item, order, given_field, rows)
    whole = [] if texts is None else rows_of(texts)[1]
    read = read_texts_of_rows(rows, fields, join, given, attach, whole)
    if told := tell_lacking(read):
        warnings.warn(f"texts: {told}; pass a table of the texts (texts=…)", UserWarning, stacklevel=2)
    lms = dict(models) if isinstance(models, Mapping) else {"": models}
    known = None if frequencies is None else frequencies_of(frequencies)
    measured = {name: tuple(measure_regions(lm, read, word_draws, seed)) for name, lm in lms.items()}
    columns = added_columns(len(rows), read, measured, previous, known, word_draws > 0)
    return StimulusTable(source, columns, tuple(read), measured, renamed_columns(names, columns))


def rows_of(table: Any) -> tuple[Any, list[Row]]:
    """Return a table as it is to be kept, and its rows."""
    if hasattr(table, "__arrow_c_stream__"):
        kept = require("pyarrow", "data", "a table of Arrow").table(table)
        return kept, kept.to_pylist()
    rows = list(table) if isinstance(table, Sequence) and not isinstance(table, str | bytes) else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        got = type(rows[0]).__name__ if rows else "none" if isinstance(table, list) else type(table).__name__
        raise BadValue(
            f"expected a table, or a list of rows that are mappings, got {got}",
            "pass a table of Arrow, pandas or polars",
            argument="table",
        )
    return rows, rows
