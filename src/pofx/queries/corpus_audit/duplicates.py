"""Checks that a corpus holds few copies, and that no copies stand on both sides of its split."""

from __future__ import annotations

import numpy as np

from pofx.algorithms.statistics.clusters import Labels
from pofx.queries.corpus_audit.near_duplicates import ALIKE
from pofx.queries.corpus_audit.record import Corpus
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure
from pofx.units import count_noun

# The shares of copies up to which a check passes, and up to which it warns. Web corpora that were not cleaned have 2 to 14 %
# near-duplicates (Lee et al. 2022). One copy in a hundred held-out documents changes the loss as much as the smallest
# differences between models that are reported.
FEW, MANY = 0.01, 0.1
CROSSED = 0.01


def duplicate_findings(corpus: Corpus, exact: Labels, near: Labels) -> list[Finding]:
    """Check the shares of exact copies, of near copies, and of held-out documents that have a copy in the training side.

    Args:
        corpus: The corpus.
        exact: For each document the first document of its group of exact copies (`group_exact_copies`).
        near: For each document the first document of its group of near copies (`group_near_copies`).

    Returns:
        A finding for each share.
    """
    n = corpus.n
    again = int(np.sum(exact != np.arange(n)))
    alike = int(np.sum(near != np.arange(n))) - again
    crossed = count_crossing(near, corpus.held_out)
    n_held = int(corpus.held_out.sum())
    share = crossed / max(1, n_held)
    outcome: CheckVerdict = "pass" if not crossed else "warn" if share <= CROSSED else "fail"
    return [
        Finding(
            Check.EXACT_DUPLICATES,
            _outcome(again / n),
            again / n,
            FEW,
            Measure.OF_DOCUMENTS,
            f"{again:,} of {count_noun(n, 'document')} {'is' if again == 1 else 'are'} equal to an earlier one. "
            "A copy is no new draw of p: its document counts twice in the likelihood, and a model memorises it.",
        ),
        Finding(
            Check.NEAR_DUPLICATES,
            _outcome(alike / n),
            alike / n,
            FEW,
            Measure.OF_DOCUMENTS,
            f"{alike:,} more {'shares' if alike == 1 else 'share'} with an earlier one at least {ALIKE:.0%} of their "
            "5-character shingles (Jaccard; candidates by MinHash, each computed). They are edited copies, or texts made "
            "by one template.",
        ),
        Finding(
            Check.SPLIT,
            "warn" if not n_held else outcome,
            share if n_held else None,
            CROSSED if n_held else None,
            Measure.OF_HELD_OUT,
            f"{crossed:,} of {n_held:,} held-out documents {'has' if crossed == 1 else 'have'} an exact or near copy among "
            f"those to fit. What is measured on {_them(crossed)}."
            if n_held
            else "No document is held out, so no number here shows how well the model predicts new text.",
        ),
    ]


def count_crossing(groups: Labels, held_out: Labels | np.ndarray) -> int:
    """Count the held-out documents that share their group with a document that is not held out."""
    fitted = np.zeros(len(groups), dtype=np.bool_)
    fitted[groups[~held_out]] = True
    return int(np.sum(fitted[groups[held_out]]))


def largest_groups(groups: Labels, most: int) -> list[np.ndarray]:
    """Return the members of the largest groups of more than one document, the largest group first."""
    first, sizes = np.unique(groups, return_counts=True)
    order = np.argsort(-sizes, kind="stable")[:most]
    return [np.flatnonzero(groups == first[k]) for k in order if sizes[k] > 1]


def _them(crossed: int) -> str:
    return "such ones is memory, not prediction" if crossed else "them is prediction, not memory"


def _outcome(share: float) -> CheckVerdict:
    return "pass" if share <= FEW else "warn" if share <= MANY else "fail"
