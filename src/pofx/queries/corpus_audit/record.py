"""A corpus as the checks see it, and what they say of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints
from pofx.queries.findings import CheckVerdict, Finding


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents in the order of the files. ids: of each. source: the number of the file each stands in, `[n]`.
    held_out: whether each is kept aside, `[n]`. names: of the files."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    source: Ints
    held_out: NDArray[np.bool_]
    names: tuple[str, ...]

    @property
    def n(self) -> int:
        """Documents."""
        return len(self.texts)

    def first(self, n: int) -> Corpus:
        """The first n documents alone."""
        return Corpus(self.texts[:n], self.ids[:n], self.source[:n], self.held_out[:n], self.names)

    @property
    def follows(self) -> NDArray[np.bool_]:
        """Whether each document stands behind another one of its file, `[n]`."""
        out = np.zeros(self.n, dtype=np.bool_)
        out[1:] = self.source[1:] == self.source[:-1]
        return out


@dataclass(frozen=True)
class Loss:
    """L(θ) = −(1/N) Σ log p(xⁿ), nats a document, EOS counted, with a cluster-bootstrap interval low … high at `level`.

    model: whose p. n: documents it is the mean of, in so many clusters. design_effect: 1 + (m − 1) ρ, with the mean
    size m of a document's cluster in the whole corpus and the intraclass correlation rho of log p. rho_p: p-value of
    a rho so large where labels are permuted; 0 where clusters are copies, whose rho is 1 by definition.
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


@dataclass(frozen=True)
class CorpusReport:
    """What maximum likelihood assumes of a corpus, and whether it holds: one finding a check.

    documents, bytes, held_out: how many; of the documents so many are kept aside. effective: the number of
    independent documents that say as much of L(θ). loss: L(θ) itself. copies: ids of documents that are one another's
    near or exact duplicates, the largest groups first. midway: ids of documents that seem to start mid-way.
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
