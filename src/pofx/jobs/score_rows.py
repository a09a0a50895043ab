"""The log p of texts as rows, a text a row or a token a row, always with the same columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pofx.corpus.writing import Column, Kind
from pofx.jobs.row_query import Entry, add_kept_columns, row_head
from pofx.units import bits, bits_per_byte
from pofx.vocab.vocabulary import plain_text

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.joins import JoinRequest
    from pofx.queries.scoring.score import Scored
    from pofx.queries.scoring.stream import BlockSize, Query
    from pofx.vocab.vocabulary import Vocab

# The names and units are those of `--json`. The terms are columns of the row, not an object of their own.
NUMBERS = (
    Column("total_nats", "float"),
    Column("prefix_nats", "float"),
    Column("bits_per_byte", "float"),
)
TERMS: dict[str, Kind] = {
    "tokens": "int",
    "bytes": "int",
    "given_bytes": "int",
    "begin": "text",
    "begin_known": "text",
    "first": "bool",
    "end": "bool",
    "dtype": "text",
    "kind": "text",
    "boundary": "text",
}
TOKEN = (
    Column("index", "int"),
    Column("token_id", "int"),
    Column("token", "text"),
    Column("start", "int"),
    Column("end", "int"),
    Column("nats", "float"),
    Column("surprisal_bits", "float"),
    Column("seen", "int"),
)
TOP = (Column("top_ids", "ints"), Column("top_tokens", "texts"), Column("top_nats", "floats"))


@dataclass(frozen=True)
class ScoreRows:
    """The query of `score`: a row a text, or a row a token.

    Attributes:
        per: Whether a row stands for a text or for a token.
        prefix: Whether texts are prefixes: no EOS term.
        top: How many likeliest tokens a row of a token names.
        entropy: Whether a row of a token holds the entropy of its distribution, nats.
        rank: Whether a row of a token holds the rank of the token.
        text: Whether a row of a text repeats the text.
        given: Whether a row of a text repeats its prefix.
        keep: The fields of the input that the rows repeat.
        boundary: How prefix and text are joined, as in `score`.
        normalize: Whether a row of a text says how the vocabulary changed the text.
    """

    per: Literal["text", "token"] = "text"
    prefix: bool = False
    top: int = 0
    entropy: bool = False
    rank: bool = False
    text: bool = True
    given: bool = False
    keep: tuple[str, ...] = ()
    boundary: JoinRequest = "auto"
    normalize: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the rows depend on, by the name of their option."""
        return {
            "--per": self.per,
            "--prefix": self.prefix,
            "-k": self.top,
            "--entropy": self.entropy,
            "--rank": self.rank,
            "--no-text": not self.text,
            "--boundary": self.boundary,
            **({"--normalize": True} if self.normalize else {}),
        }

    def block_size(self, lm: LM) -> BlockSize:
        """Return the block size that the work of the model allows."""
        from pofx.queries.scoring.stream import block_size

        return block_size(lm)

    def bind(self, lm: LM) -> Query[Scored]:
        """Return `score` of this model, with entropy, rank and likeliest tokens where the columns hold them."""
        from pofx.lm.trace import Want
        from pofx.queries.scoring.score import score

        want = Want(entropy=self.entropy, rank=self.rank, top=self.top)
        return lambda texts, given: score(lm, texts, given, want, self.boundary)

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """Return all columns of the file, left to right.

        Args:
            kept: For each kept field, the kinds of its values.

        Raises:
            BadValue: Two columns have the same name.
        """
        ours: list[Column] = []
        if self.per == "text":
            ours += [Column("text", "text")] * self.text + [Column("given", "text")] * self.given
            ours += [*NUMBERS, *(Column(name, kind) for name, kind in TERMS.items())]
            ours += [Column("normalized", "text")] * self.normalize
        else:
            ours += TOKEN
            ours += [Column("entropy_nats", "float")] * self.entropy + [Column("rank", "int")] * self.rank
            ours += TOP if self.top else ()
        return add_kept_columns(self.keep, kept, ours)

    def nats(self, result: Scored) -> float:
        """Return the log p of a complete text, or log P of a prefix; nats."""
        return result.prefix_total if self.prefix else result.total

    def make_rows(self, entry: Entry, result: Scored | str) -> Iterable[dict[str, Any]]:
        """Yield the rows of one text.

        Args:
            entry: The text.
            result: The score of the text, or an error message where the text has no score.
        """
        first = row_head(entry, self.keep)
        scored = None if isinstance(result, str) else (result.without_end() if self.prefix else result)
        error = result if isinstance(result, str) else None
        if self.per == "token":
            if scored is None:
                return [{**first, **self._empty_cells, "error": error}]
            return ({**first, **cells, "error": None} for cells in self._tokens(scored))
        if self.text:
            first["text"] = None if entry.text is None else plain_text(entry.text)
        if self.given:
            first["given"] = None if entry.given is None else plain_text(entry.given)
        cells = dict.fromkeys([*(c.name for c in NUMBERS), *TERMS]) if scored is None else _numbers(scored)
        if self.normalize:
            cells["normalized"] = (scored.terms.normalized or None) if scored is not None else None
        return [{**first, **cells, "error": error}]

    @property
    def _empty_cells(self) -> dict[str, None]:
        extra = (
            ["entropy_nats"] * self.entropy + ["rank"] * self.rank + [c.name for c in TOP] * (self.top > 0)
        )
        return dict.fromkeys([*(c.name for c in TOKEN), *extra])

    def _tokens(self, scored: Scored) -> Iterator[dict[str, Any]]:
        vocab, t = scored.vocab, len(scored.tokens)
        ids = [*scored.tokens.tolist(), *([vocab.end] if scored.terms.end else [])]
        spans, logp, seen = scored.spans.tolist(), scored.logp.tolist(), scored.seen.tolist()
        data = scored.text if isinstance(scored.text, bytes) else scored.text.encode("utf-8")
        for k, i in enumerate(ids):
            start, end = spans[k] if k < t else (len(data), len(data))
            cells: dict[str, Any] = {
                "index": k,
                "token_id": i,
                "token": token_text(vocab, i),
                "start": start,
                "end": end,
                "nats": logp[k],
                "surprisal_bits": bits(-logp[k]) + 0.0,  # the sum makes 0.0 of -0.0
                "seen": seen[k],
            }
            if scored.entropy is not None:
                cells["entropy_nats"] = float(scored.entropy[k])
            if scored.rank is not None:
                cells["rank"] = int(scored.rank[k])
            if scored.top_ids is not None and scored.top_logp is not None:
                top = scored.top_ids[k][: vocab.size].tolist()
                cells["top_ids"] = top
                cells["top_tokens"] = [token_text(vocab, j) for j in top]
                cells["top_nats"] = scored.top_logp[k][: vocab.size].tolist()
            yield cells


def token_text(vocab: Vocab, i: int) -> str:
    """Return the text of a token: a part of a character as an escape, a control token by its name."""
    spelled = vocab.token_bytes[i]
    return vocab.show(i) if spelled is None else spelled.decode("utf-8", "backslashreplace")


def or_null(name: str, value: Any) -> Any:
    """Return the value of a term; None where the term is absent."""
    return None if value == "none" or (name == "boundary" and not value) else value


def _numbers(scored: Scored) -> dict[str, Any]:
    total = scored.total if scored.terms.end else None
    value = scored.prefix_total if total is None else total
    return {
        "total_nats": total,
        "prefix_nats": scored.prefix_total,
        "bits_per_byte": bits_per_byte(-value, scored.terms.bytes) if scored.terms.bytes else None,
        **{name: or_null(name, getattr(scored.terms, name)) for name in TERMS},
    }
