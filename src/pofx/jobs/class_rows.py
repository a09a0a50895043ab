"""Texts and the classes they are taken for, as rows of plain data, one a text."""

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

# A block of texts, whose prefixes a shared model reads once: larger than those that are scored one by one.
TEXTS, BYTES = 4096, 1 << 20


@dataclass(frozen=True, eq=False)
class Classified:
    """What the classifier says of one text.

    Attributes:
        log_p: `[C]`, log P(t | x) of every class, nats.
        log_evidence: log p(x), whatever the class, nats.
        outlier_p: The share, 0 to 1, of held-out texts that are at most as probable; None where none were kept aside.
        terms: What the numbers are of.
    """

    log_p: np.ndarray[Any, Any]
    log_evidence: float
    outlier_p: float | None
    terms: Terms


@dataclass(frozen=True)
class ClassRows:
    """The query of `classify predict`, and its rows.

    Attributes:
        joint: The classifier.
        rejection: How probable held-out texts are; None without outliers.
        reject: Texts with an `outlier_p` of at most this get no label: about this share of good texts is lost. None for no
            rejection.
        all_classes: Whether a row holds the posterior of every class.
        keep: Fields of the input that are passed on.
        prefix: Whether texts need not end.
    """

    joint: Joint
    rejection: Rejection | None
    reject: float | None = None
    all_classes: bool = False
    keep: tuple[str, ...] = ()
    prefix: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the rows, by the name of its option."""
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
        """All columns of the file, left to right."""
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
        """By the work of all models: every class reads the text."""
        from pofx.queries.scoring.stream import BlockSize, block_bytes

        most = max(1, block_bytes(lm) // len(self.joint.lms)) if lm.work else BYTES
        return BlockSize(TEXTS, most)

    def bind(self, lm: LM) -> Query[Classified]:
        """`classify`; the prefix that stands for a class belongs to the classifier."""
        return lambda texts, given: self.classify(texts)

    def classify(self, texts: Sequence[str | bytes]) -> list[Classified]:
        """The classes of texts."""
        from pofx.classification.bayes import bayes
        from pofx.queries.scoring.terms import terms
        from pofx.vocab.vocabulary import to_bytes

        lm = self.joint.lms[0]
        likelihoods = self.joint.likelihoods(texts)
        found = bayes(likelihoods.log_p, self.joint.log_prior, self.joint.power)
        sizes = np.array([len(to_bytes(t)) for t in texts], dtype=np.int64)
        p = None if self.rejection is None else self.rejection.p(found.log_evidence, sizes)
        return [
            Classified(
                found.log_p[i],
                float(found.log_evidence[i]),
                None if p is None else float(p[i]),
                terms(lm, int(n_tokens), int(sizes[i]), 0, True),
            )
            for i, n_tokens in enumerate(likelihoods.tokens)
        ]

    def nats(self, found: Classified) -> float:
        """log p(x), whatever its class."""
        return found.log_evidence

    def make_rows(self, entry: Entry, found: Classified | str) -> Iterable[dict[str, Any]]:
        """The row of one text."""
        row = row_head(entry, self.keep)
        if isinstance(found, str):
            names = [c.name for c in self.columns({}) if c.name not in ("id", "error", *self.keep)]
            return [{**row, **dict.fromkeys(names), "error": found}]
        return [{**row, **self.record(found), "error": None}]

    def record(self, found: Classified) -> dict[str, Any]:
        """The cells of one text."""
        best = int(np.argmax(found.log_p))
        rejected = None if self.reject is None or found.outlier_p is None else found.outlier_p <= self.reject
        out: dict[str, Any] = {
            "label": None if rejected else self.joint.classes[best],
            "posterior": math.exp(found.log_p[best]),
            "log_evidence_nats": found.log_evidence,
            "outlier_p": found.outlier_p,
            "rejected": rejected,
        }
        if self.all_classes:
            out["posteriors"] = {str(t): math.exp(p) for t, p in zip(self.joint.classes, found.log_p)}
        return out
