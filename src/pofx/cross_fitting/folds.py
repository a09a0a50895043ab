"""Cross-fitting: each document is scored by a model that was fitted without it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pofx.errors import BadValue
from pofx.models.fitting import Spec, fit
from pofx.models.specs import NgramSpec
from pofx.queries.scoring.score import Scored, score
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes

MOST_FOLDS = 1_000


def cross_fit(
    documents: Iterable[str | bytes], spec: Spec = NgramSpec(), folds: int = 10, seed: int = 0
) -> list[Scored]:
    """Score each document by argmax L(θ) over the documents outside its fold: log p(x), nats, in order.

    Args:
        documents: Texts, as `fit` takes them; all are in memory at once.
        spec: The specification of the model that is fitted for each fold.
        folds: K, the number of folds. A hash of document and seed chooses the fold, so equal documents share a fold. The
            model that scores a document has seen no copy of the document.
        seed: Seed of the folds.

    Returns:
        A record for each document. The mean estimates the loss on new documents of a model that is fitted on (K − 1)/K of
        the documents. Numbers of two folds belong to two distributions.

    Raises:
        BadValue: There are fewer than two folds with documents, or K is no number from 2 to 1,000.
        NotText: A document has a character that occurs in its own fold only, and the vocabulary is of characters.

    Right: `cross_fit(documents("corpus.txt"), NgramSpec(order=4))`. Wrong: summing the records into log p of the corpus
    under one model.
    """
    if isinstance(documents, str | bytes):
        raise BadValue(
            "expected an iterable of texts, got one text",
            "write documents(path) or [text]",
            argument="documents",
        )
    folds, seed = check_whole_number("folds", folds, 2, MOST_FOLDS), check_whole_number("seed", seed)
    texts = list(documents)
    fold = [fold_of(text, folds, seed) for text in texts]
    if len(set(fold)) < 2:
        raise BadValue(
            f"expected documents in at least two of {folds} folds, got {len(texts):,} in {len(set(fold))}",
            "give more documents that differ",
            argument="documents",
        )
    out: dict[int, Scored] = {}
    for k in sorted(set(fold)):
        lm = fit([text for text, f in zip(texts, fold) if f != k], spec)
        rows = [i for i, f in enumerate(fold) if f == k]
        out |= zip(rows, score(lm, [texts[i] for i in rows]))
    return [out[i] for i in range(len(texts))]


def fold_of(text: str | bytes, folds: int, seed: int) -> int:
    """Return the fold of a document, by a hash of document and seed: the same on any machine and in any corpus."""
    key = str(seed).encode("ascii")
    digest = hashlib.blake2b(to_bytes(text), digest_size=8, key=key, person=b"cross-fit").digest()
    return int.from_bytes(digest, "little") % folds
