"""The classes of texts as rows, a text a row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pofx.corpus.writing import Column
from pofx.jobs.row_query import Entry, add_kept_columns, row_head

if TYPE_CHECKING:
    from pofx.classification.joint import Joint
    from pofx.classification.outliers import Rejection
    from pofx.lm.model import LM
    from pofx.queries.scoring.stream import BlockSize, Query
    from pofx.queries.scoring.terms import Terms

# Blocks are larger than in scoring, since a model that all classes share reads their prefixes once for each block.
TEXTS, BYTES = 4096, 1 << 20


@dataclass(frozen=True, eq=False)
class Classified:
    """The posterior of one text.

    Attributes:
        log_p: `[C]`, log P(t | x) of every class, nats.
        log_evidence: log p(x) = log Σ_t P(t) p(x | t), nats.
        outlier_p: The share, 0 to 1, of held-out texts that are at most as probable; None where no text was held out.
        terms: The terms of the numbers.
        log_likelihood: `[C]`, log p(x | t) under every class, nats.
    """

    log_p: np.ndarray[Any, Any]
    log_evidence: float
    outlier_p: float | None
    terms: Terms
    log_likelihood: np.ndarray[Any, Any]


@dataclass(frozen=True)
class ClassRows:
    """The query of `classify predict`: a row a text.

    Attributes:
        joint: The classifier.
        rejection: The log-probabilities of held-out texts, nats; None where `outlier_p` is not asked for.
        reject: The largest `outlier_p` of a text that gets no label, about the share of good texts that is lost; None
            where every text gets a label.
        all_classes: Whether a row holds the posterior of every class.
        keep: The fields of the input that the rows repeat.
        prefix: Whether texts are prefixes.
    """

    joint: Joint
    rejection: Rejection | None
    reject: float | None = None
    all_classes: bool = False
    keep: tuple[str, ...] = ()
    prefix: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the rows depend on, by the name of their option."""
        return {
            "rows": "classes",
            "classes": [str(t) for t in self.joint.classes],
            "log prior": [str(p) for p in self.joint.log_prior],
            "models": self.joint.fingerprint,
            "power": self.joint.power,
            "--reject": self.reject,
            "--all-classes": self.all_classes,
        }

    def columns(self, kept: Mapping[str, Sequence[str]]) -> list[Column]:
        """Return all columns of the file, left to right."""
        ours = [
            Column("label", "text"),
            Column("posterior", "float"),
            Column("log_evidence_nats", "float"),
            Column("outlier_p", "float"),
            Column("rejected", "bool"),
            *([Column("posteriors", "any")] if self.all_classes else []),
        ]
        return add_kept_columns(self.keep, kept, ours)

    def block_size(self, lm: LM) -> BlockSize:
        """Return the block size that the work of all models allows: the model of every class reads each text."""
        from pofx.queries.scoring.stream import BlockSize, block_bytes

        most = max(1, block_bytes(lm) // len(self.joint.lms)) if lm.work else BYTES
        return BlockSize(TEXTS, most)

    def bind(self, lm: LM) -> Query[Classified]:
        """Return `classify`; texts have no prefix of their own, since the prefix of a class belongs to the classifier."""
        return lambda texts, given: self.classify(texts)

    def classify(self, texts: Sequence[str | bytes]) -> list[Classified]:
        """Return the posteriors of texts.

        Args:
            texts: The texts.

        Returns:
            A record a text.
        """
        from pofx.classification.bayes import bayes
        from pofx.queries.scoring.terms import terms
        from pofx.vocab.vocabulary import to_bytes

        lm = self.joint.lms[0]
        likelihoods = self.joint.likelihoods(texts)
        posterior = bayes(likelihoods.log_p, self.joint.log_prior, self.joint.power)
        sizes = np.array([len(to_bytes(t)) for t in texts], dtype=np.int64)
        p = None if self.rejection is None else self.rejection.p(posterior.log_evidence, sizes)
        return [
            Classified(
                posterior.log_p[i],
                float(posterior.log_evidence[i]),
                None if p is None else float(p[i]),
                terms(lm, int(n_tokens), int(sizes[i]), 0, True),
                likelihoods.log_p[i],
            )
            for i, n_tokens in enumerate(likelihoods.tokens)
        ]

    def nats(self, result: Classified) -> float:
        """Return the log evidence log p(x), summed over the classes, in nats."""
        return result.log_evidence

    def make_rows(self, entry: Entry, result: Classified | str) -> Iterable[dict[str, Any]]:
        """Yield the row of one text."""
        row = row_head(entry, self.keep)
        if isinstance(result, str):
            names = [c.name for c in self.columns({}) if c.name not in ("id", "error", *self.keep)]
            return [{**row, **dict.fromkeys(names), "error": result}]
        return [{**row, **self.record(result), "error": None}]

    def record(self, result: Classified) -> dict[str, Any]:
        """Return the cells of one text, by column name."""
        best = int(np.argmax(result.log_p))
        rejected = (
            None if self.reject is None or result.outlier_p is None else result.outlier_p <= self.reject
        )
        out: dict[str, Any] = {
            "label": None if rejected else self.joint.classes[best],
            "posterior": math.exp(result.log_p[best]),
            "log_evidence_nats": result.log_evidence,
            "outlier_p": result.outlier_p,
            "rejected": rejected,
        }
        if self.all_classes:
            out["posteriors"] = {str(t): math.exp(p) for t, p in zip(self.joint.classes, result.log_p)}
        return out
