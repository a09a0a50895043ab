"""Scored texts as rows of plain data: one a text, or one a token, always with the same columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pofx.corpus.writing import Column, Kind
from pofx.jobs.row_query import Entry, add_kept_columns, plain_text, row_head
from pofx.units import bits, bits_per_byte

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.joins import JoinRequest
    from pofx.queries.scoring.score import Scored
    from pofx.queries.scoring.stream import BlockSize, Query
    from pofx.vocab.vocabulary import Vocab

# The names and units of `--json`; the terms stand in the row instead of an object of their own.
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
    """What the rows are of, and which columns they have besides those that all have."""

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
        """What decides the rows, by the name of its option."""
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
        """By the work of the model."""
        from pofx.queries.scoring.stream import block_size

        return block_size(lm)

    def bind(self, lm: LM) -> Query[Scored]:
        """`score`, with what the columns ask for."""
        from pofx.lm.trace import Want
        from pofx.queries.scoring.score import score

        want = Want(entropy=self.entropy, rank=self.rank, top=self.top)
        return lambda texts, given: score(lm, texts, given, want, self.boundary)

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """In order. kept: the kinds of values that each kept column held. `BadValue` where two have one name."""
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

    def nats(self, found: Scored) -> float:
        """Log p, or log P of prefixes."""
        return found.prefix_total if self.prefix else found.total

    def make_rows(self, entry: Entry, found: Scored | str) -> Iterable[dict[str, Any]]:
        """The rows of one text: `found` is its score, or why it has none."""
        first = row_head(entry, self.keep)
        scored = None if isinstance(found, str) else (found.without_end() if self.prefix else found)
        error = found if isinstance(found, str) else None
        if self.per == "token":
            if scored is None:
                return [{**first, **self._blank, "error": error}]
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
    def _blank(self) -> dict[str, None]:
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
                "surprisal_bits": bits(-logp[k]) + 0.0,  # no -0.0
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
    """What a token spells, a part of a character as an escape; a control token by its name."""
    spelled = vocab.token_bytes[i]
    return vocab.show(i) if spelled is None else spelled.decode("utf-8", "backslashreplace")


def _or_null(name: str, value: Any) -> Any:
    """What there is none of is null, in every column."""
    return None if value == "none" or (name == "boundary" and not value) else value


def _numbers(scored: Scored) -> dict[str, Any]:
    total = scored.total if scored.terms.end else None
    terms = dataclasses.asdict(scored.terms)
    value = scored.prefix_total if total is None else total
    return {
        "total_nats": total,
        "prefix_nats": scored.prefix_total,
        "bits_per_byte": bits_per_byte(-value, scored.terms.bytes) if scored.terms.bytes else None,
        **{name: _or_null(name, terms[name]) for name in TERMS},
    }
