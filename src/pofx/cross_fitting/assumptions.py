"""Checks of the assumptions of maximum likelihood about a corpus: independent draws of one p, each from x0 to EOS."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import numpy as np

from pofx.corpus.documents import Document
from pofx.corpus.split import split_documents
from pofx.errors import Advice, BadValue, NoEOS, no_documents
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.models.fitting import fit
from pofx.models.specs import NgramSpec
from pofx.queries.corpus_audit.duplicates import duplicate_findings, largest_groups
from pofx.queries.corpus_audit.exchangeability import order_finding
from pofx.queries.corpus_audit.fragments import PAIRS as JOINS
from pofx.queries.corpus_audit.fragments import fragment_finding
from pofx.queries.corpus_audit.loss import ClusterNoun, effective_finding, estimate_loss, loss_finding
from pofx.queries.corpus_audit.near_duplicates import group_exact_copies, group_near_copies
from pofx.queries.corpus_audit.neighbours import PAIRS, choose_neighbour_pairs, neighbour_finding
from pofx.queries.corpus_audit.record import Corpus, CorpusFlags, CorpusReport
from pofx.queries.scoring.score import Scored, score
from pofx.values import check_real_number, check_whole_number
from pofx.vocab.vocabulary import plain_text, to_bytes

# The model that is fitted where the caller names no model: the fit on 4 MB takes 4 s, and scoring takes 1 s a MB.
QUICK = NgramSpec(order=5)
FITTED_BYTES = 1 << 22
# The most groups of copies, and the most fragments, whose ids a report has.
SHOWN = 10

Text = str | bytes | Document


def corpus_report(
    documents: Iterable[Text],
    lm: LM | None = None,
    *,
    held_out: float | Iterable[Text] = 0.1,
    clusters: Sequence[Hashable] | None = None,
    scored: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    flags: Callable[[CorpusFlags], None] | None = None,
) -> CorpusReport:
    """Check whether documents are independent draws of one p, each from x0 to EOS, as L(θ) = −(1/N) Σ log p(xⁿ) assumes.

    The report covers copies inside and across the split, a permutation test of the order, and the gain from knowing the
    document before. The report also has the effective number of documents, L(θ) with a cluster-bootstrap interval (nats a
    document), and documents that start in the middle of a text.

    Args:
        documents: Documents in the order of their files, as `records` gives them, or as texts; all are in memory at once.
        lm: The model of log p; None fits a byte 5-gram on the documents that are not held out.
        held_out: A share, chosen by hash as `split_documents` does, or the held-out documents themselves.
        clusters: A label for each document, such as its author or page, held-out documents last. For None the clusters are
            the files if there are several, else groups of copies.
        scored: The most documents that are scored for L(θ), drawn by `seed`.
        seed: Seed of the report.
        progress: A function that is called with the name of each stage.
        flags: A function that is called with what was found about each document.

    Returns:
        The report.

    Raises:
        BadSource: There are no documents.
        BadValue: An argument is outside its domain.
        NoBOS: `lm` has no p(x1).
        NoEOS: `lm` has no p(EOS).

    Right: `corpus_report(records("a.txt", "b.txt"))`. Wrong: `corpus_report(sorted(texts))`, since sorted texts are not
    exchangeable.
    """
    tell = progress or (lambda stage: None)
    tell("reading")
    corpus, n = _corpus(documents, held_out, seed)
    if clusters is not None and len(clusters) != corpus.n:
        raise BadValue(
            f"expected a label for each of {corpus.n} documents, got {len(clusters)}",
            "give each document one label",
            argument="clusters",
        )
    scored, seed = check_whole_number("scored", scored, 1), check_whole_number("seed", seed)
    tell("looking for copies")
    exact = group_exact_copies(corpus.texts)
    near = group_near_copies(corpus.texts, seed)
    findings = duplicate_findings(corpus, exact, near)
    tell("shuffling")
    findings.append(order_finding(corpus.first(n), seed))
    ours = lm is None
    if lm is None:
        tell("fitting")
        lm = _quick(corpus, seed)
    _check(lm)
    tell("scoring")
    # A model fitted here was fitted on all documents but the held-out share. A named model may have seen any of them, unless
    # the held-out documents are a list.
    kept = bool(corpus.held_out.any()) and (ours or n < corpus.n)
    pool = np.flatnonzero(corpus.held_out) if kept else np.arange(corpus.n)
    labels, what, copies = _clusters(corpus, clusters, near, pool)
    at = np.sort(np.random.default_rng(seed).permutation(pool)[:scored])
    found = list(_scores(lm, [corpus.texts[i] for i in at.tolist()]))
    nats = np.array([-s.total for s in found])
    name = (
        f"the model (x0 {lm.begin})" if not ours else f"a byte 5-gram of {'the rest' if kept else 'the same'}"
    )
    loss = estimate_loss(nats, labels[at], labels, copies, name, seed)
    tell("comparing neighbours")
    pairs = choose_neighbour_pairs(corpus, PAIRS, seed, kept)
    findings.append(neighbour_finding(corpus, lm, pairs, seed))
    effective, number = effective_finding(loss, corpus.n, what, len(np.unique(labels)))
    midway, begun = fragment_finding(corpus, lm, pairs[:JOINS], seed)
    if flags is not None:
        begins = np.isin(np.arange(corpus.n), begun)
        flags(CorpusFlags(corpus.ids, corpus.held_out, exact, near, begins))
    findings += [effective, loss_finding(loss, what, kept, _seen(found)), midway]
    return CorpusReport(
        tuple(findings),
        corpus.n,
        sum(len(to_bytes(t)) for t in corpus.texts),
        int(corpus.held_out.sum()),
        corpus.names,
        number,
        loss,
        tuple(tuple(corpus.ids[i] for i in g[:SHOWN].tolist()) for g in largest_groups(near, SHOWN)),
        tuple(corpus.ids[i] for i in begun[:SHOWN].tolist()),
        seed,
    )


def _corpus(documents: Iterable[Text], held_out: float | Iterable[Text], seed: int) -> tuple[Corpus, int]:
    """Read the documents; also return the number of documents that are not from a list of held-out documents."""
    if isinstance(documents, str | bytes):
        raise BadValue(
            "expected an iterable of texts, got one text",
            "write records(path) or [text]",
            argument="documents",
        )
    texts: list[str] = []
    ids: list[str] = []
    source: list[int] = []
    names: dict[str, int] = {}

    def read(many: Iterable[Text], where: str) -> int:
        for k, item in enumerate(many, 1):
            document = (
                item if isinstance(item, Document) else Document(_as_text(item), f"{where}{k}", where, k)
            )
            texts.append(document.text)
            ids.append(document.id)
            source.append(names.setdefault(document.source, len(names)))
        return len(texts)

    n = read(documents, "")
    if not n:
        raise no_documents()
    if not isinstance(held_out, Iterable) or isinstance(held_out, str | bytes):
        held_out = check_real_number("held_out", held_out, 0, 1)
        kept = set(split_documents(dict.fromkeys(texts), held_out, seed)[1])
        aside = np.array([t in kept for t in texts])
    else:
        read(held_out, "held-out ")
        aside = np.arange(len(texts)) >= n
    return Corpus(tuple(texts), tuple(ids), np.array(source, dtype=np.int64), aside, tuple(names)), n


def _as_text(text: str | bytes) -> str:
    to_bytes(text)  # raises for a string that UTF-8 cannot spell
    return plain_text(text)


def _quick(corpus: Corpus, seed: int) -> LM:
    """Fit an n-gram on the documents that are not held out, or on a part of them, chosen by hash, if they are many."""
    train = [t for t, aside in zip(corpus.texts, corpus.held_out) if not aside]
    size = sum(map(len, train))
    if size > FITTED_BYTES:
        train = split_documents(train, FITTED_BYTES / size, seed + 1)[1]
    return fit(train or corpus.texts, QUICK)


def _check(lm: LM) -> None:
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "L(θ)")
    if lm.vocab.end is None:
        raise NoEOS(
            "L(θ) needs p(EOS | text), the last factor of the chain rule, but this model has no end-of-text "
            "symbol",
            [
                Advice("name a token that ends texts", "load(source, end=TOKEN)", "--end TOKEN"),
                "leave the model out, and an n-gram is fitted",
            ],
        )


def _clusters(
    corpus: Corpus, clusters: Sequence[Hashable] | None, near: Ints, pool: Ints
) -> tuple[Ints, ClusterNoun, bool]:
    """Return a cluster number for each document, the noun for a cluster, and whether clusters are groups of copies."""
    if clusters is not None:
        seen: dict[Hashable, int] = {}
        labels = np.array([seen.setdefault(c, len(seen)) for c in clusters], dtype=np.int64)
        return labels, ("cluster", "clusters"), False
    if len(np.unique(corpus.source[pool])) > 1:
        return corpus.source, ("file", "files"), False
    return near, ("group of copies", "groups of copies"), True


def _seen(found: Sequence[Scored]) -> str:
    """Return a sentence on the scored documents that the model has seen, and in which role; "" for none."""
    fitted, chosen = sum(s.terms.fitted for s in found), sum(s.terms.chosen for s in found)
    known = [f"the model was fitted on {fitted:,} of them"] if fitted else []
    known += [f"its weights were chosen by {chosen:,} of them"] if chosen else []
    return f"On new documents L(θ) is larger, since {' and '.join(known)}" if known else ""


def _scores(lm: LM, texts: Sequence[str]) -> Iterator[Scored]:
    for at in range(0, len(texts), 64):
        yield from score(lm, texts[at : at + 64])
