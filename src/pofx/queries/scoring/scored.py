"""One text and the terms of its log-probability, taken from one pass of the model over many texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pofx.errors import Advice, NoEOS
from pofx.interactive.shown import Shown
from pofx.interactive.table import HasTable, TableColumn
from pofx.lm.fitted_documents import seen_in_fit
from pofx.lm.model import LM
from pofx.lm.trace import Ints, Trace, Want
from pofx.queries.scoring.terms import Terms, terms
from pofx.transforms.given import check_possible
from pofx.units import bits_per_byte
from pofx.vocab.vocabulary import Vocab, to_bytes

# The first advice for a model without EOS. The command line gives this advice only for verbs with the option.
ASK_FOR_PREFIXES = Advice(
    "ask for log P of prefixes", "prefix_log_prob, prefix_total", "--prefix", parameter="prefix"
)


def refuse_complete() -> NoEOS:
    """Make the error for a question about complete texts to a model without EOS."""
    return NoEOS(
        "log p(text) needs p(EOS | text), the last factor of the chain rule, but this model has no "
        "end-of-text symbol, so no text of it is ever complete",
        [
            ASK_FOR_PREFIXES,
            Advice("name a token that ends texts", "end=…", "--end"),
            Advice("fit with EOS", "end=True", "without --no-end"),
        ],
    )


@dataclass(frozen=True, eq=False, repr=False)
class Scored(Shown, HasTable):
    """One text and the terms of its log-probability, nats.

    Attributes:
        text: The text.
        given: The prefix, "" for none.
        tokens: Ids of the text, `[t]`.
        logp: log p(x_i | x_<i), nats, `[t + 1]`; the last entry is of EOS. `[t]` for a model without EOS.
        terms: The terms that were counted, and their rules.
        vocab: The vocabulary that spells the tokens.
        seen: The effective context of each entry of `logp`: the number of tokens that its distribution is conditioned on,
            x0 and the prefix included.
        entropy: Entropy of the next-token distribution of each entry, nats; None unless a `Want` requests it.
        rank: 1 + the number of likelier tokens, for each entry; None unless a `Want` requests it.
        top_ids: The k likeliest tokens of each entry, `[t + 1, k]`; None unless a `Want` requests them.
        top_logp: log p of the k likeliest tokens, nats; None unless a `Want` requests them.
        low: Terms whose running sums are lower bounds, nats (`Trace`); None where the model has no bounds.
        high: Terms whose running sums are upper bounds, nats; None where the model has no bounds.
        inside: The number of bytes of the first token that lie in `given`, where `terms.boundary` is "healed"; else 0.

    Right: `score(lm, ["a"])[0].total`. Wrong: `logp.sum()` for a prefix, which counts EOS; `prefix_total` does not.
    """

    text: str | bytes
    given: str | bytes
    tokens: Ints
    logp: NDArray[np.float64]
    terms: Terms
    vocab: Vocab
    seen: Ints
    entropy: NDArray[np.float64] | None = None
    rank: Ints | None = None
    top_ids: Ints | None = None
    top_logp: NDArray[np.float64] | None = None
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    inside: int = 0

    @cached_property
    def spans(self) -> Ints:
        """Byte offsets `[t, 2]` of the part of the text that each token spells."""
        found = self.vocab.spans(self.tokens, self.text)  # type: ignore[arg-type]
        return np.maximum(found - self.inside, 0) if self.inside else found

    @property
    def total(self) -> float:
        """Log p(text | given), EOS included, nats; −inf for a text of probability zero.

        Raises:
            NoEOS: Texts of the model never end.
        """
        if not self.terms.end:
            raise refuse_complete()
        return float(self.logp.sum())

    @property
    def prefix_total(self) -> float:
        """Log P(text | given), nats, of all texts that begin with `text`, so without an EOS term."""
        return float(self.logp[: len(self.tokens)].sum())

    @property
    def bits_per_byte(self) -> float:
        """−log2 p(text | given), or −log2 P of a prefix, divided by the bytes of the text; nan for a text of no bytes."""
        return bits_per_byte(-(self.total if self.terms.end else self.prefix_total), self.terms.bytes)

    @property
    def token_strings(self) -> list[str]:
        """A printable name of each entry of `logp`, such as "␣cat"; the last name is "EOS" where EOS is a term."""
        return [*(self.vocab.show(int(i)) for i in self.tokens), *["EOS"] * self.terms.end]

    def table_columns(self) -> list[TableColumn]:
        """Return the columns of `to_arrow`, with a row for each entry of `logp`, and names as in `score --tokens --json`."""
        ids = [*map(int, self.tokens), *[self.vocab.end] * self.terms.end]
        spelled = [*(self.vocab.token_bytes[i] for i in self.tokens), *[None] * self.terms.end]
        size = len(to_bytes(self.text))
        edges = np.concatenate([self.spans, np.full((int(self.terms.end), 2), size, dtype=np.int64)])
        out = [
            TableColumn("id", "int", ids),
            TableColumn("token", "text", self.token_strings),
            TableColumn("bytes", "bytes", spelled),
            TableColumn("start", "int", edges[:, 0]),
            TableColumn("end", "int", edges[:, 1]),
            TableColumn("nats", "float", self.logp),
            TableColumn("seen", "int", self.seen),
        ]
        if self.rank is not None:
            out.append(TableColumn("rank", "int", self.rank))
        if self.entropy is not None:
            out.append(TableColumn("entropy_nats", "float", self.entropy))
        return out

    def without_end(self) -> Scored:
        """Return the record of the text as a prefix, without an EOS term and with `terms.end` False."""
        t = len(self.tokens)
        return replace(
            self,
            logp=self.logp[:t],
            seen=self.seen[:t],
            terms=replace(self.terms, end=False),
            entropy=None if self.entropy is None else self.entropy[:t],
            rank=None if self.rank is None else self.rank[:t],
            top_ids=None if self.top_ids is None else self.top_ids[:t],
            top_logp=None if self.top_logp is None else self.top_logp[:t],
            low=None if self.low is None else self.low[:t],
            high=None if self.high is None else self.high[:t],
        )

    @property
    def interval(self) -> tuple[float, float]:
        """Bounds (low, high) of log p(text | given), nats; both equal `total` where nothing was left out."""
        return self._bounds(self.total, len(self.logp))

    @property
    def prefix_interval(self) -> tuple[float, float]:
        """Bounds (low, high) of log P(text | given), nats; both equal `prefix_total` where nothing was left out."""
        return self._bounds(self.prefix_total, len(self.tokens))

    def _bounds(self, value: float, n: int) -> tuple[float, float]:
        if self.low is None or self.high is None:  # an interpolation of models with bounds has no bounds
            return (float("-inf"), 0.0) if self.terms.kind == "interval" else (value, value)
        # Where nothing was left out, both bounds are the value up to rounding.
        return min(float(self.low[:n].sum()), value), max(float(self.high[:n].sum()), value)


@dataclass(frozen=True, eq=False)
class TokenPaths:
    """Texts after their prefixes, as tokens that one pass of a model can read.

    Attributes:
        texts: The texts, n of them.
        prefixes: The prefix of each text.
        vocabs: The vocabulary that spells each text.
        ids: Tokens of each text.
        paths: Tokens of each prefix, its text, and EOS where the model has EOS.
        skips: The number of tokens of each prefix.
    """

    texts: tuple[str | bytes, ...]
    prefixes: tuple[str | bytes, ...]
    vocabs: tuple[Vocab, ...]
    ids: tuple[Ints, ...]
    paths: tuple[Ints, ...]
    skips: tuple[int, ...]

    @classmethod
    def of(cls, lm: LM, texts: Sequence[str | bytes], prefixes: Sequence[str | bytes]) -> TokenPaths:
        """Cut each prefix and each text into tokens by itself."""
        end = np.array([] if lm.vocab.end is None else [lm.vocab.end], dtype=np.int64)
        scoring = lm.vocab.scoring
        cut = dict(zip(dict.fromkeys(prefixes), scoring.encode_many(list(dict.fromkeys(prefixes)))))
        # After a prefix a text may be spelled in another way than alone.
        vocabs = tuple(scoring.continuation if len(cut[g]) else scoring for g in prefixes)
        ids = tuple(_encoded(vocabs, texts))
        paths = tuple(np.concatenate([cut[g], x, end]) for g, x in zip(prefixes, ids))
        skips = tuple(len(cut[g]) for g in prefixes)
        return cls(tuple(texts), tuple(prefixes), vocabs, ids, paths, skips)

    def check_given(self, lm: LM) -> None:
        """Raise `Impossible` for a prefix of probability zero."""
        asked = {g: p[:s] for g, p, s in zip(self.prefixes, self.paths, self.skips) if s}
        if asked:
            check_possible(lm, list(asked.values()), list(asked))

    def _known(self, lm: LM) -> tuple[Sequence[bool], Sequence[bool]]:
        """Return whether the model was fitted on each text with its prefix, and whether the text chose its weights."""
        if not lm.fitted:
            return [False] * len(self.texts), [False] * len(self.texts)
        both = [to_bytes(g) + to_bytes(x) for g, x in zip(self.prefixes, self.texts)]
        fitted, chosen = seen_in_fit(lm, both)
        return fitted.tolist(), chosen.tolist()

    def records(self, lm: LM, trace: Trace, first: int = 0) -> list[Scored]:
        """Make the record of each text from a pass over the paths.

        Args:
            lm: The model that made the pass.
            trace: The trace of the pass.
            first: The entry of `trace` that belongs to the first path.

        Returns:
            One record a text, in order.
        """
        seen: dict[tuple[int, int], Ints] = {}
        out = []
        known, chosen = self._known(lm)
        for k, (text, prefix, x) in enumerate(zip(self.texts, self.prefixes, self.ids)):
            i = first + k
            place = len(self.paths[k]), self.skips[k]
            if place not in seen:
                seen[place] = lm.seen(place[0])[place[1] :]
                seen[place].flags.writeable = False  # texts of one length share the array
            leak = 0.0 if trace.leak is None else float(1 - np.prod(1 - trace.leak[i]))
            ended = lm.vocab.end is not None
            small_print = terms(lm, len(x), len(to_bytes(text)), len(to_bytes(prefix)), ended, leak)
            if trace.low is not None:
                small_print = replace(small_print, kind="interval")
            class_of_words = self.vocabs[k].control.unknown
            unknown = 0 if class_of_words is None else int(np.sum(self.paths[k] == class_of_words))
            if unknown:
                small_print = replace(small_print, kind="class", unknown=unknown)
            if known[k] or chosen[k]:
                small_print = replace(small_print, fitted=known[k], chosen=chosen[k])
            out.append(
                Scored(
                    text,
                    prefix,
                    x,
                    trace.logp[i],
                    small_print,
                    self.vocabs[k],
                    seen[place],
                    trace.entropy[i] if trace.entropy else None,
                    trace.rank[i] if trace.rank else None,
                    trace.top_ids[i] if trace.top_ids else None,
                    trace.top_logp[i] if trace.top_logp else None,
                    trace.low[i] if trace.low else None,
                    trace.high[i] if trace.high else None,
                )
            )
        return out


def score_tokens(
    lm: LM, texts: Sequence[str | bytes], prefixes: Sequence[str | bytes], want: Want = Want()
) -> list[Scored]:
    """Score each text after its prefix, both cut into tokens by themselves, in one pass of the model.

    Args:
        lm: The model.
        texts: Texts.
        prefixes: The prefix of each text, "" for none.
        want: The request for more numbers at each position.

    Returns:
        One record a text, in order.

    Raises:
        Impossible: A prefix has probability zero.
    """
    cut = TokenPaths.of(lm, texts, prefixes)
    cut.check_given(lm)
    return cut.records(lm, lm.forward(cut.paths, want, cut.skips))


def _encoded(vocabs: Sequence[Vocab], texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
    """Return the ids of each text by its vocabulary; texts of one vocabulary are encoded in one call."""
    if all(v is vocabs[0] for v in vocabs):
        return vocabs[0].encode_many(texts) if texts else []
    out = [np.zeros(0, dtype=np.int64)] * len(texts)
    for vocab in {id(v): v for v in vocabs}.values():
        rows = [i for i, v in enumerate(vocabs) if v is vocab]
        for i, ids in zip(rows, vocab.encode_many([texts[i] for i in rows])):
            out[i] = ids
    return out
