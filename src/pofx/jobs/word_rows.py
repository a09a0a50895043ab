"""The words of texts as rows, a word a row, for studies of reading times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pofx.corpus.writing import Column
from pofx.jobs.row_query import Entry, add_kept_columns, row_head
from pofx.report.json_records import word_record

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import BlockSize, Query
    from pofx.queries.segmentation.word_rule import WordRule
    from pofx.queries.words.words import Worded

COLUMNS = (
    Column("index", "int"),
    Column("word", "text"),
    Column("form", "text"),
    Column("length", "int"),
    Column("start", "int"),
    Column("end", "int"),
    Column("start_byte", "int"),
    Column("end_byte", "int"),
    Column("surprisal_nats", "float"),
    Column("surprisal_bits", "float"),
    Column("ending_nats", "float"),
    Column("bounded", "bool"),
    Column("entropy_nats", "float"),
    Column("tokens", "int"),
    Column("seen", "int"),
)


@dataclass(frozen=True)
class WordRows:
    """The query of `words`: a row a word.

    Attributes:
        units: The rule that cuts texts into words.
        keep: The fields of the input that the rows repeat.
        prefix: Whether texts are prefixes.
    """

    units: WordRule
    keep: tuple[str, ...] = ()
    prefix: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the rows depend on, by the name of their option."""
        how = self.units.how
        return {
            "rows": "words",
            "--unit": how if isinstance(how, str) else how.pattern,
            "--punctuation": self.units.punctuation,
        }

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """Return all columns of the file, left to right."""
        return add_kept_columns(self.keep, kept, COLUMNS)

    def block_size(self, lm: LM) -> BlockSize:
        """Return the block size that the work of the model allows."""
        from pofx.queries.scoring.stream import block_size

        return block_size(lm)

    def bind(self, lm: LM) -> Query[Worded]:
        """Return `words` of this model; the sets of tokens that end a word are made once."""
        from pofx.queries.words.boundaries import BoundaryTokens
        from pofx.queries.words.words import read_words

        boundaries = BoundaryTokens(lm.vocab, self.units)
        return lambda texts, given: read_words(lm, boundaries, texts, given)

    def nats(self, result: Worded) -> float:
        """Return the log p of the text, nats."""
        return result.total

    def make_rows(self, entry: Entry, result: Worded | str) -> Iterable[dict[str, Any]]:
        """Yield a row a word; a text without a score has one row without a word."""
        first = row_head(entry, self.keep)
        if isinstance(result, str):
            return [{**first, **dict.fromkeys(c.name for c in COLUMNS), "error": result}]
        return ({**first, **word_record(w), "error": None} for w in result.words)
