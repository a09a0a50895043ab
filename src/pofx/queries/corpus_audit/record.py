"""The corpus that the checks read, and the report of the checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.interactive.shown import Shown
from pofx.lm.trace import Ints
from pofx.queries.findings import CheckVerdict, Finding


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents in the order of the files.

    Attributes:
        texts: The documents.
        ids: The id of each document.
        source: The number of the file that each document stands in, `[n]`.
        held_out: Whether each document is held out, `[n]`.
        names: The names of the files.
    """

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    source: Ints
    held_out: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def n(self) -> int:
        """The number of documents."""
        return len(self.texts)

    def first(self, n: int) -> Corpus:
        """Return the first n documents alone."""
        return Corpus(self.texts[:n], self.ids[:n], self.source[:n], self.held_out[:n], self.names)

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Whether each document stands after another document of its file, `[n]`."""
        out = np.zeros(self.n, dtype=np.bool_)
        out[1:] = self.source[1:] == self.source[:-1]
        return out


@dataclass(frozen=True)
class Loss:
    """L(θ) = −(1/N) Σ log p(xⁿ), nats a document, EOS counted, with a cluster-bootstrap interval.

    Attributes:
        value: L(θ).
        low: The lower end of the interval.
        high: The upper end of the interval.
        level: The confidence level of the interval.
        n: The number of scored documents.
        clusters: The number of clusters of the scored documents.
        rho: The intraclass correlation of log p.
        rho_p: The p-value of `rho` under permuted labels; 0 where clusters are copies, whose ρ is 1 by definition.
        design_effect: 1 + (m − 1) ρ, with the mean size m of a document's cluster in the whole corpus.
        model: The name of the model.
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    clusters: int
    rho: float
    rho_p: float
    design_effect: float
    model: str


@dataclass(frozen=True, eq=False)
class CorpusFlags:
    """What is found about each document of a corpus.

    Attributes:
        ids: The id of each document.
        held_out: Whether each document is held out, `[n]`.
        copy_of: The place of the first document that is equal to each document, `[n]`; its own place for no copy.
        near_copy_of: The place of the first document of its group of near copies, `[n]`; its own place for no near copy.
        begins_midway: Whether each document seems to continue the document before it, `[n]`.

    Right: the documents `np.flatnonzero(flags.near_copy_of == np.arange(len(flags.ids)))`, one a group. Wrong:
    `flags.copy_of` as a count of copies.
    """

    ids: tuple[str, ...]
    held_out: NDArray[np.bool_]
    copy_of: Ints
    near_copy_of: Ints
    begins_midway: NDArray[np.bool_]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row a document; a document that is no copy is a copy of None."""
        for k, name in enumerate(self.ids):
            copy, near = int(self.copy_of[k]), int(self.near_copy_of[k])
            yield {
                "id": name,
                "held_out": bool(self.held_out[k]),
                "copy_of": None if copy == k else self.ids[copy],
                "near_copy_of": None if near == k else self.ids[near],
                "begins_midway": bool(self.begins_midway[k]),
            }


@dataclass(frozen=True, repr=False)
class CorpusReport(Shown):
    """The assumptions of maximum likelihood about a corpus, and whether they hold: a finding for each check.

    Attributes:
        findings: The findings.
        documents: The number of documents.
        bytes: The number of bytes of their UTF-8.
        held_out: The number of held-out documents.
        sources: The names of the files.
        effective: The number of independent documents that would give L(θ) with the same error.
        loss: L(θ).
        copies: Ids of near or exact duplicates, the largest groups first.
        midway: Ids of documents that seem to start in the middle of a text.
        seed: The seed of the report.

    Right: `[f.check for f in corpus_report(texts).findings if f.verdict == "fail"]`. Wrong: `report.documents` as the number
    of independent draws, which is `report.effective`.
    """

    findings: tuple[Finding, ...]
    documents: int
    bytes: int
    held_out: int
    sources: tuple[str, ...]
    effective: float
    loss: Loss
    copies: tuple[tuple[str, ...], ...] = field(default_factory=tuple)
    midway: tuple[str, ...] = ()
    seed: int = 0

    @property
    def verdict(self) -> CheckVerdict:
        """The worst of the findings."""
        found = {f.verdict for f in self.findings}
        return "fail" if "fail" in found else "warn" if "warn" in found else "pass"
