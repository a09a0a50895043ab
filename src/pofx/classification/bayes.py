"""Bayes' rule: P(t | x) = P(t) p(x | t) / p(x), from log-likelihoods and a prior."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.errors import Advice, Impossible, NoEOS, NotText
from pofx.interactive.shown import Shown
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.lm.trace import Path
from pofx.queries.scoring.score import Scored, score
from pofx.vocab.vocabulary import refuse_normalizing, to_bytes

# The most bytes of text, times models, in one pass. An n-gram takes 0.6 GB for 4 MB of text. Few passes are better, since
# every pass reads a shared prefix once more.
BYTES = 1 << 22

Floats = NDArray[np.float64]
R = TypeVar("R")


@dataclass(frozen=True, eq=False, repr=False)
class Posterior(Shown):
    """The posterior of classes given texts.

    Attributes:
        log_p: log P(t | x), `[n, C]`, nats; every row is a normalised distribution over the classes.
        log_evidence: log p(x), `[n]`, nats.
    """

    log_p: Floats
    log_evidence: Floats

    @property
    def best(self) -> NDArray[np.int64]:
        """The most probable class of each text, `[n]`; the first of equally probable classes."""
        out: NDArray[np.int64] = np.argmax(self.log_p, axis=1)
        return out


def bayes(log_likelihood: Floats, log_prior: Floats, power: float = 1.0) -> Posterior:
    """Apply Bayes' rule: log P(t|x) = log P(t) + log p(x|t) − log p(x), with log p(x) = log Σ_t P(t) p(x|t); nats.

    Args:
        log_likelihood: log p(x|t) of whole texts, `[n, C]`. Divided by a length it would be no likelihood.
        log_prior: log P(t), `[C]`.
        power: 1 for Bayes' rule. Another β gives the power posterior, P(t) p(x|t)^β normalised, which tempers a model that
            counts the same evidence twice. `log_evidence` does not depend on β.

    Returns:
        The posterior and the evidence.

    Raises:
        Impossible: p(x) = 0 for some text; `log_evidence` gives −∞ there.

    Right: `bayes(log_likelihoods(lms, texts), np.log([0.5, 0.5]))`. Wrong: a softmax of bits per byte.
    """
    joint = log_likelihood + log_prior
    evidence = logsumexp(joint, axis=1)
    never = np.flatnonzero(np.isneginf(evidence))
    if len(never):
        more = f" (and {len(never) - 1:,} more)" if len(never) > 1 else ""
        raise Impossible(
            f"document {never[0]}{more}: expected a text that some class of positive prior can produce, got "
            "p(x) = 0 under all classes",
            "use smoothed models over bytes, or leave out the texts whose log_evidence is -inf",
        )
    if power == 1:
        return Posterior(joint - evidence[:, None], evidence)
    tempered = power * log_likelihood + log_prior
    return Posterior(tempered - logsumexp(tempered, axis=1)[:, None], evidence)


def log_evidence(log_likelihood: Floats, log_prior: Floats) -> Floats:
    """Compute log p(x) = log Σ_t P(t) p(x|t), nats, `[n]`; −∞ for a text that no class can produce."""
    return logsumexp(log_likelihood + log_prior, axis=1)


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """log p_c(x) of texts under every model, and the lengths of the texts.

    Attributes:
        log_p: log p_c(x), `[n, C]`, nats.
        tokens: The number of tokens of each text in the vocabulary of the first model, EOS not counted, `[n]`.
    """

    log_p: Floats
    tokens: NDArray[np.int64]


def log_likelihoods(lms: Sequence[LM], texts: Sequence[str | bytes]) -> Floats:
    """Compute log p_c(x), nats, EOS included, of every text under every model, in one pass of each model over all texts.

    Args:
        lms: The models.
        texts: The texts.

    Returns:
        Log-likelihoods, `[n, C]`.

    Raises:
        NoEOS: A model ends no text.
        NoBOS: A model has no x0.
        NotText: A vocabulary cannot spell a text; the message names the first such text.

    Right: `log_likelihoods([english, french], texts)`. Wrong: log P of prefixes, which are no exclusive events.
    """
    return likelihoods_and_tokens(lms, texts).log_p


def likelihoods_and_tokens(lms: Sequence[LM], texts: Sequence[str | bytes]) -> Likelihoods:
    """Compute `log_likelihoods`, and count the tokens of each text in the same pass."""
    for lm in lms:
        check_whole(lm)
        refuse_normalizing(lm.vocab, "a classifier")
    out = np.empty((len(texts), len(lms)))
    tokens = np.zeros(len(texts), dtype=np.int64)
    parts = [part for lm in lms for part in _interpolated_parts(lm)]
    common = {i for i, n in Counter(map(id, parts)).items() if n > 1}
    for at in _split_blocks(texts, 1):
        paths: dict[int, list[Path]] = {}
        known: dict[int, Floats] = {}
        for c, lm in enumerate(lms):
            if id(lm.vocab) not in paths:
                spelled = _with_document_number(texts, at, lm.vocab.encode_many)
                end = np.array([lm.vocab.end])
                paths[id(lm.vocab)] = [np.concatenate([ids, end]) for ids in spelled]
            mine = paths[id(lm.vocab)]
            if c == 0:
                tokens[at] = [len(p) - 1 for p in mine]
            # Every path has at least EOS, so no piece is empty, as `reduceat` needs.
            cuts = np.cumsum([0, *(len(p) for p in mine[:-1])])
            out[at, c] = np.add.reduceat(_terms(lm, mine, common, known), cuts)
    return Likelihoods(out, tokens)


def _interpolated_parts(lm: LM) -> tuple[LM, ...]:
    """Return the models of an interpolation, which several classes may share; else the model itself."""
    mixed = lm.parts()
    return mixed.lms if mixed is not None and mixed.draws == "token" else (lm,)


def _terms(lm: LM, paths: Sequence[Path], common: set[int], known: dict[int, Floats]) -> Floats:
    """Return log p of all positions of all paths, concatenated; a part in `common` reads the paths once."""
    mixed = lm.parts()
    if mixed is not None and mixed.draws == "token":
        parts = [_terms(part, paths, common, known) + w for part, w in zip(mixed.lms, mixed.log_weights)]
        return logsumexp(np.stack(parts), axis=0)
    if id(lm) in known:
        return known[id(lm)]
    found = np.concatenate(lm.forward(paths).logp)
    if id(lm) in common:
        known[id(lm)] = found
    return found


def log_likelihoods_behind(lm: LM, prefixes: Sequence[str | bytes], texts: Sequence[str | bytes]) -> Floats:
    """Compute log p(x | prefix_c), nats, EOS included, of one model conditioned on a prefix for each class.

    All texts after all prefixes are read in one pass, so a model that shares common beginnings reads each prefix once.

    Args:
        lm: The model.
        prefixes: The prefix of each class.
        texts: The texts.

    Returns:
        Log-likelihoods, `[n, C]`.

    Raises:
        PofxError: As for `score`; and `NoEOS`, if the model ends no text.

    Right: `log_likelihoods_behind(lm, ["En: ", "Fr: "], texts)`. Wrong: prefixes that already begin the text.
    """
    return likelihoods_and_tokens_behind(lm, prefixes, texts).log_p


def likelihoods_and_tokens_behind(
    lm: LM, prefixes: Sequence[str | bytes], texts: Sequence[str | bytes]
) -> Likelihoods:
    """Compute `log_likelihoods_behind`, and count the tokens of each text after the first prefix."""
    if lm.vocab.end is None:
        raise no_end_error()
    out = np.empty((len(texts), len(prefixes)))
    tokens = np.zeros(len(texts), dtype=np.int64)
    n_classes = len(prefixes)
    for at in _split_blocks(texts, n_classes):

        def passed(some: Sequence[str | bytes]) -> list[Scored]:
            asked = [x for _ in prefixes for x in some]
            return score(lm, asked, [g for g in prefixes for _ in some])

        found = _with_document_number(texts, at, passed)
        out[at] = np.array([s.total for s in found]).reshape(n_classes, -1).T
        tokens[at] = [s.terms.tokens for s in found[: at.stop - at.start]]
    return Likelihoods(out, tokens)


def check_whole(lm: LM) -> None:
    """Refuse a model without x0 or without EOS, which gives whole texts no probability."""
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "p(x | t)")
    if lm.vocab.end is None:
        raise no_end_error()


def no_end_error() -> NoEOS:
    """Return the error of a model that ends no text."""
    return NoEOS(
        "p(x | t) needs p(EOS | x, t), but this model ends no text, so a text and its beginnings are no exclusive "
        "events",
        [
            Advice("fit with EOS", "end=True", "without --no-end"),
            Advice("name a token that ends texts", "end=…", "--end"),
            Advice("share one distribution of lengths", "length='shared'", "--length shared"),
        ],
    )


def _split_blocks(texts: Sequence[str | bytes], models: int) -> Iterator[slice]:
    """Yield runs of neighbouring texts with at most `BYTES` together."""
    lo = held = 0
    for i, text in enumerate(texts):
        more = models * (len(text) + 1)
        if i > lo and held + more > BYTES:
            yield slice(lo, i)
            lo, held = i, 0
        held += more
    if lo < len(texts):
        yield slice(lo, len(texts))


def _with_document_number(
    texts: Sequence[str | bytes], at: slice, do: Callable[[Sequence[str | bytes]], R]
) -> R:
    """Apply `do` to a block; where a document is no text, the error names its number among all documents."""
    some = texts[at]
    try:
        return do(some)
    except NotText:
        for i, text in enumerate(some, at.start):
            try:
                to_bytes(text)
                do([text])
            except NotText as e:
                raise e.within(f"document {i}") from None
        raise
