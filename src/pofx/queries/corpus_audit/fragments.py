"""A check for fragments: documents that begin in the middle of a text, and so have no x0 of their own."""

from __future__ import annotations

import unicodedata
from collections import Counter
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.algorithms.statistics.permutation import paired_p_value
from pofx.errors import Impossible, NotText
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.corpus_audit.record import Corpus
from pofx.queries.findings import Check, CheckVerdict, Finding, Measure
from pofx.queries.scoring.score import score
from pofx.units import count_noun

# The share of documents that may look like fragments by chance, such as names, verse or code.
FEW = 0.05
LEVEL = 0.01
# The share of documents of one length that means a cut by length, and the least such length in characters or words.
SAME, LONG = 0.2, 64
# The number of pairs, whose joins are computed all with all, and the characters on either side of a join.
PAIRS = 24
FEWEST = 8
TAIL, HEAD = 80, 24
GAPS = ("", " ", "\n")
SHUFFLES = 999
OPEN = ",;:)]}»”’…%"
FINAL = ".!?…。！？｡।؟\"'”’»)]}>"


def fragment_finding(corpus: Corpus, lm: LM, pairs: Ints, seed: int) -> tuple[Finding, Ints]:
    """Check the share of documents that look like fragments, by three kinds of evidence.

    The evidence of form: a document begins in lower case or with a closing mark, and the document before does not end a
    sentence. The evidence of length: many documents have the very same length. The evidence of the model: log P(head | tail
    of the document before) is higher than after tails of other documents, with p by permutation. One kind of evidence is a
    warning; two kinds are a failure.

    Args:
        corpus: The corpus.
        lm: The model.
        pairs: Places of documents after another one, whose joins the model scores.
        seed: Seed of the permutations.

    Returns:
        The finding, and the places of the documents that look like fragments.
    """
    looks = looks_broken(corpus)
    share = float(looks.mean())
    same, length, unit = common_length(corpus.texts)
    found, usual, p = 0.0, 0.0, float("nan")
    if len(pairs) >= FEWEST:
        tails = [corpus.texts[int(i) - 1][-TAIL:] for i in pairs]
        heads = [corpus.texts[int(i)][:HEAD] for i in pairs]
        with suppress(Impossible):  # a model that gives some tail probability 0 cannot score joins
            table = join_table(lm, tails, heads)
            if np.isfinite(table).all():
                found, usual, p = paired_p_value(table, SHUFFLES, np.random.default_rng(seed))
    goes_on, cut = p <= LEVEL, same >= SAME
    many = share > FEW
    outcome: CheckVerdict = (
        "fail" if many + goes_on + cut > 1 else "warn" if many or goes_on or cut else "pass"
    )
    why = (
        f"{count_noun(int(looks.sum()), 'document begins', 'documents begin')} in lower case or with a closing mark after "
        "one that ends no sentence (by form)"
    )
    why += f"; {same:.0%} are exactly {length} {unit} long" if cut else ""
    if np.isfinite(p):
        why += (
            f"; after the end of the document before, the first {HEAD} characters gain {found - usual:+.2f} nats over "
            f"other ends (by the model, p = {p:.3g})"
        )
    if outcome == "pass":
        why += ". So x0 stands where texts begin, and p(x1|x0) is learned of openings."
    else:
        why += (
            f". {'They' if outcome == 'fail' else 'If they'} are pieces of texts{',' if outcome == 'fail' else ', they are'}"
            " no draws of p: the first factor of a piece is p(x_k|x_<k), not p(x1|x0). Part the files where texts begin."
        )
    return Finding(Check.STARTS, outcome, share, FEW, Measure.OF_DOCUMENTS, why), np.flatnonzero(looks)


def looks_broken(corpus: Corpus) -> NDArray[np.bool_]:
    """Return whether each document seems, by its form, to continue the document before, `[n]`."""
    out = corpus.follows
    for i in np.flatnonzero(out).tolist():
        out[i] = continues_sentence(corpus.texts[i]) and not ends_sentence(corpus.texts[i - 1])
    return out


def continues_sentence(text: str) -> bool:
    """Return whether a text begins in lower case, with a closing mark or with a combining character."""
    first = text.lstrip()[:1]
    return bool(first) and (first.islower() or first in OPEN or unicodedata.combining(first) > 0)


def ends_sentence(text: str) -> bool:
    """Return whether a text is blank, or its last character ends a sentence, a quotation or a bracket."""
    last = text.rstrip()[-1:]
    return not last or last in FINAL


def common_length(texts: tuple[str, ...]) -> tuple[float, int, str]:
    """Return the share of texts with the commonest length of at least 64, this length, and its unit."""
    best = 0.0, 0, "characters"
    if len(texts) < FEWEST:
        return best
    for unit, sizes in (("characters", map(len, texts)), ("words", (len(t.split()) for t in texts))):
        common = Counter(n for n in sizes if n >= LONG).most_common(1)
        if common and common[0][1] / len(texts) > best[0]:
            best = common[0][1] / len(texts), common[0][0], unit
    return best


def join_table(lm: LM, tails: list[str], heads: list[str]) -> NDArray[np.float64]:
    """Compute log P(head_j | tail_i): the mean of P after the tail alone, after a space, and after a newline.

    The cut of a text into two documents took away one of the three gaps.

    Args:
        lm: The model.
        tails: Ends of documents.
        heads: Beginnings of documents.

    Returns:
        Log-probabilities `[n, n]`, nats.
    """
    gaps = [gap for gap in GAPS if _spells(lm, gap)]
    rows = []
    for tail in tails:
        # A token join is enough, since a cut within a word costs the same after every tail.
        prefixes = [tail + gap for gap in gaps for _ in heads]
        found = score(lm, heads * len(gaps), prefixes, boundary="token")
        ways = np.array([s.prefix_total for s in found]).reshape(len(gaps), len(heads))
        rows.append(logsumexp(ways, axis=0) - np.log(len(gaps)))
    return np.array(rows)


def _spells(lm: LM, text: str) -> bool:
    try:
        return lm.vocab.encode(text) is not None
    except NotText:
        return False
