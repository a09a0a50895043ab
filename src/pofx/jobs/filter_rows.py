"""The judgements of a filter as rows, a document a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pofx.corpus.writing import Column
from pofx.jobs.class_rows import BYTES, TEXTS
from pofx.jobs.row_query import Entry, add_kept_columns, row_head

if TYPE_CHECKING:
    from pofx.filtering.copies.signature import Dedupe
    from pofx.filtering.quality import Judgement, QualityFilter
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import BlockSize, Query
    from pofx.queries.scoring.terms import Terms

# The reasons for which a document is dropped on request alone; the filter itself has other reasons.
DROPS = ("fitted", "midway")
JUDGED = (
    Column("text", "text"),
    Column("language", "text"),
    Column("posterior", "float"),
    Column("log_p_nats", "float"),
    Column("bits_per_byte", "float"),
    Column("quantile", "float"),
    Column("outlier_p", "float"),
    Column("tokens", "int"),
    Column("bytes", "int"),
    Column("midway", "text"),
    Column("fitted", "bool"),
)
# The join of all documents finds `copy_of` by the signatures, so the first pass has the signatures alone.
SIGNATURE = Column("signature", "text")
REASON = Column("reason", "text")
COPY_OF = Column("copy_of", "text")


@dataclass(frozen=True, eq=False)
class Signed:
    """A judgement of a document, with its signature.

    Attributes:
        judgement: What the filter says of the document.
        signature: The hash and the minima by which copies of the document are found, in base64.
    """

    judgement: Judgement
    signature: str

    @property
    def terms(self) -> Terms:
        """The terms of log p."""
        return self.judgement.terms


@dataclass(frozen=True)
class FilterRows:
    """The query of `filter apply`: a row a document, before copies are known.

    Attributes:
        quality: The filter.
        fingerprint: The seal of the filter's card.
        dedupe: Which copies are to be found.
        drop: The names of `DROPS` for which a document is dropped; the reasons of the filter itself always count.
        keep: The fields of the input that the rows repeat.
    """

    quality: QualityFilter
    fingerprint: str
    dedupe: Dedupe = "near"
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    @property
    def prefix(self) -> bool:
        """Whether texts are prefixes; documents never are."""
        return False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the rows depend on, by the name of their option."""
        return {
            "rows": "filter",
            "filter": self.fingerprint,
            "--dedupe": self.dedupe,
            "--drop": sorted(self.drop),
        }

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """Return all columns of the first pass, left to right.

        Args:
            kept: For each field of `keep`, the kinds of its values.

        Raises:
            BadValue: A kept field has the name of a column of the output.
        """
        add_kept_columns(self.keep, kept, [COPY_OF])  # refuses a kept field of this name
        return add_kept_columns(self.keep, kept, [*JUDGED, REASON, SIGNATURE])

    def block_size(self, lm: LM) -> BlockSize:
        """Return the block size that the work of all models allows: each model reads each text."""
        from pofx.queries.scoring.stream import BlockSize, block_bytes

        n = len(self.quality.router.lms)
        return BlockSize(TEXTS, max(1, block_bytes(lm) // n) if lm.work else BYTES)

    def bind(self, lm: LM) -> Query[Signed]:
        """Return the query; documents have no prefix."""
        return lambda texts, given: self._signed([t for t in texts if isinstance(t, str)])

    def _signed(self, texts: Sequence[str]) -> list[Signed]:
        from pofx.filtering.copies.signature import signatures
        from pofx.filtering.quality import filter_texts

        return [
            Signed(j, s) for j, s in zip(filter_texts(self.quality, texts), signatures(texts, self.dedupe))
        ]

    def nats(self, result: Signed) -> float:
        """Return log p(text | language), nats."""
        return result.judgement.log_p

    def make_rows(self, entry: Entry, result: Signed | str) -> Iterable[dict[str, Any]]:
        """Return the row of one document.

        Args:
            entry: The document.
            result: The judgement and the signature; or the message of the error that left the document without a judgement.
        """
        row = row_head(entry, self.keep)
        if isinstance(result, str):
            names = [c.name for c in (*JUDGED, REASON, SIGNATURE)]
            return [{**row, **dict.fromkeys(names), "error": result}]
        j = result.judgement
        cells = {
            "text": entry.text,
            "language": j.language,
            "posterior": j.posterior,
            "log_p_nats": j.log_p,
            "bits_per_byte": j.bits_per_byte,
            "quantile": j.quantile,
            "outlier_p": j.outlier_p,
            "tokens": j.terms.tokens,
            "bytes": j.terms.bytes,
            "midway": j.midway,
            "fitted": j.fitted,
            "reason": self._reason(j),
            "signature": result.signature,
        }
        return [{**row, **cells, "error": None}]

    def _reason(self, judgement: Judgement) -> str:
        if judgement.reason:
            return judgement.reason
        if judgement.fitted and "fitted" in self.drop:
            return "fitted"
        return "midway" if judgement.midway and "midway" in self.drop else ""
