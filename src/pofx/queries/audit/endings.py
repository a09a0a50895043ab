"""Checks that EOS stands where texts end, and that the documents are possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.lm.model import LM
from pofx.lm.trace import Ints, Want
from pofx.queries.audit.begin.openings import FEWEST, MATERIAL, SAME
from pofx.queries.audit.distribution_statistics import DistributionStatistics, split_batches
from pofx.queries.findings import Check, CheckVerdict, EndCandidate, Finding, Measure, Series
from pofx.transforms.with_begin import token_name
from pofx.units import bits
from pofx.vocab.vocabulary import Vocab

# The least log2 p(EOS): a maximum-likelihood model gives −∞ inside documents, and the floor makes means finite.
FLOOR = -64.0
# An EOS that costs more than under the uniform distribution passes if the average Σ p(EOS) of a document lies in `SUMS`, and
# EOS is `LIKELIER` bits likelier where documents end. A calibrated model has Σ p(EOS) = 1, since a document ends once.
# n-grams and small transformers have 0.9 to 1.05 on texts of their kind. SmolLM2's <|im_end|> has 0.02 to 0.06 on bare
# texts, but costs 6 to 9 bits less than under the uniform distribution. A small Llama whose training texts had no EOS has
# 0.0016, costs 5.6 bits more, and is 1.3 bits likelier.
SUMS, LIKELIER = (0.25, 4.0), 2.0


def end_findings(
    lm: LM, paths: Sequence[Ints], free: int, average: DistributionStatistics | None
) -> tuple[list[Finding], tuple[EndCandidate, ...]]:
    """Check p(EOS) at the ends of documents against p(EOS) elsewhere, and whether the documents have positive probability.

    EOS must pass two tests. In the first, log2 p(EOS) at the end of a document must exceed log2 p(EOS) at its other
    positions by more than 2 standard errors and 0.1 bit. The second is passed in either of two ways. At ends EOS costs less
    than under the uniform distribution, by the same margins. Or Σ p(EOS) over a document is 1/4 to 4, and EOS is two bits
    likelier at ends.

    Args:
        lm: The model.
        paths: Whole documents, as token ids without EOS.
        free: Positions at the start without a distribution.
        average: Statistics of the next-token distributions along the documents, or None.

    Returns:
        The two findings, and the same measurements of every control token of a pretrained model that might be EOS.

    Right: on whole documents. Wrong: on chunks of a fixed length, which end where no text ends.
    """
    end, enders = lm.vocab.end, _end_candidates(lm.vocab)
    read = _read(lm, paths, free, enders)
    endings = tuple(
        _measure_ending(lm.vocab, i, read.at_end[:, k], read.elsewhere[:, k], read.sums[:, k])
        for k, i in enumerate(enders)
    )
    if end is None:
        better = max(endings, key=lambda e: e.gain, default=None)
        hint = (
            ""
            if better is None or not better.gain > MATERIAL
            else (f" {better.name} is {better.gain:.1f} bits likelier where they end: end=, --end.")
        )
        why = (
            "There is no EOS, so no text is ever complete: prefix probabilities P(x) exist, log p(x) of a "
            f"complete text does not. Fit with end=True, or ask for prefix_log_prob.{hint}"
        )
        return [Finding(Check.END, "fail", None, None, Measure.BITS, why), _impossible(read.totals)], endings
    k = enders.index(end) if enders else 0
    learned = _learned(
        read.at_end[:, k], read.elsewhere[:, k], read.sums[:, k], float(np.log2(lm.vocab.size)), average
    )
    return [learned, _impossible(read.totals)], endings


def _end_candidates(vocab: Vocab) -> list[int]:
    """Return the control tokens of a pretrained model that may end texts, EOS first; none for a model fitted here."""
    found = [i for _, i in vocab.control.candidates]
    return list(dict.fromkeys([*([] if vocab.end is None else [vocab.end]), *found])) if found else []


@dataclass(frozen=True, eq=False)
class EndMasses:
    """The probabilities of each candidate for EOS at the ends of documents and elsewhere.

    Attributes:
        at_end: log2 p(token) at the end of each document, `[documents, tokens]`.
        elsewhere: The mean of log2 p(token) over the other positions, `[documents, tokens]`.
        sums: Σ p(token) over all positions, `[documents, tokens]`.
        totals: log p of each document, nats.
    """

    at_end: NDArray[np.float64]
    elsewhere: NDArray[np.float64]
    sums: NDArray[np.float64]
    totals: tuple[float, ...]


def _read(lm: LM, paths: Sequence[Ints], free: int, enders: Sequence[int]) -> EndMasses:
    """Measure EOS, or every candidate for EOS, in one pass over the documents."""
    end = lm.vocab.end
    # A last token is needed, so that the trace has the distribution after the last token of the document.
    closing = [i for i in (end, *enders) if i is not None][:1]
    masses = np.zeros((len(enders), lm.vocab.size), dtype=np.bool_)
    masses[np.arange(len(enders)), enders] = True
    want = Want(masses=masses) if enders else Want(end=end is not None)
    at_end: list[NDArray[np.float64]] = []
    elsewhere: list[NDArray[np.float64]] = []
    sums: list[NDArray[np.float64]] = []
    totals: list[float] = []
    for batch in split_batches(lm, paths):
        trace = lm.forward([np.append(p, closing).astype(np.int64) for p in batch], want, free)
        read = trace.masses if enders else None if trace.end is None else tuple(e[:, None] for e in trace.end)
        for i, logp in enumerate(trace.logp):
            totals.append(float(logp[: len(logp) - (end is None and bool(closing))].sum()))
            if read is not None and len(read[i]) > 1:
                floored = (np.maximum(read[i], -1e3) * bits(1.0)).clip(min=FLOOR)
                at_end.append(floored[-1])
                elsewhere.append(floored[:-1].mean(axis=0))
                sums.append(np.exp(read[i]).sum(axis=0))
    shape = (len(at_end), max(len(enders), 1))
    ends, rest, all_of_it = (np.array(a).reshape(shape) for a in (at_end, elsewhere, sums))
    return EndMasses(ends, rest, all_of_it, tuple(totals))


def _measure_ending(
    vocab: Vocab,
    i: int,
    at_end: NDArray[np.float64],
    elsewhere: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> EndCandidate:
    gain, n = at_end - elsewhere, len(at_end)
    return EndCandidate(
        name=token_name(vocab, i),
        id=i,
        current=i == vocab.end,
        at_end=_mean(at_end),
        elsewhere=_mean(elsewhere),
        gain=_mean(gain),
        se=float(gain.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
        n=n,
        sum=_mean(sums),
    )


def _mean(a: NDArray[np.float64]) -> float:
    return float(a.mean()) if len(a) else float("nan")


def _learned(
    at_end: NDArray[np.float64],
    elsewhere: NDArray[np.float64],
    sums: NDArray[np.float64],
    uniform: float,
    average: DistributionStatistics | None,
) -> Finding:
    """Check that EOS was learned; `uniform` is the bits of an outcome under the uniform distribution."""
    check, n = Check.END, len(at_end)
    if n < FEWEST:
        why = f"Too few whole documents ({n}, at least {FEWEST} needed) to see whether EOS stands where texts end."
        return Finding(check, "warn", None, None, Measure.BITS, why)
    gain = at_end - elsewhere
    mean, se = float(gain.mean()), _se(gain)
    bound = max(2 * se, MATERIAL)
    chart = Series(
        "log2 p(EOS)", "bits", "bars",
        (("where documents end", float(at_end.mean())), ("elsewhere", float(elsewhere.mean()))),
    )  # fmt: skip
    why = (
        f"EOS is {mean:.2f} ± {se:.2f} bits likelier where {n} documents end (mean log2 p(EOS) = "
        f"{at_end.mean():.2f}) than elsewhere in them ({elsewhere.mean():.2f})"
    )
    outcome: CheckVerdict = "pass" if mean > bound else "fail"
    value = mean
    if outcome == "fail" and average is not None and average.rows > 1 and average.spread < SAME:
        # A model with one distribution for all positions cannot make EOS likelier anywhere, and its geometric lengths are
        # a proper distribution.
        same = "its next-token distribution never changes, so it ends texts by the same coin everywhere"
        outcome, why = "warn", f"{why}; {same}"
    elif outcome == "fail":
        why += (
            f"; {_summed(sums)}. A model that was never shown ends of texts has no last factor, and its log p(x) no "
            "meaning; documents that were cut before their end look the same"
        )
    else:
        over, over_se = float(at_end.mean()) + uniform, _se(at_end)
        enough = max(2 * over_se, MATERIAL)
        less = "less" if over >= 0 else "more"
        why += (
            f". There it costs {abs(over):.2f} ± {over_se:.2f} bits {less} than under the uniform distribution; "
            f"{_summed(sums)}"
        )
        calibrated = SUMS[0] <= sums.mean() <= SUMS[1] and mean >= LIKELIER
        if over <= enough and not calibrated:
            outcome, value, bound = "fail", over, enough
            why += (
                f". An EOS that was learned costs less, or has {SUMS[0]:g} to {SUMS[1]:g} a document and is "
                f"{LIKELIER:g} bits likelier where documents end: a difference alone ends no text"
            )
    if elsewhere.min() <= FLOOR or at_end.min() <= FLOOR:
        why += f" (p(EOS) below 2^{FLOOR:.0f}, 0 included, counts as that)"
    return Finding(check, outcome, value, bound, Measure.BITS, f"{why}.", chart)


def _summed(sums: NDArray[np.float64]) -> str:
    """Describe Σ p(EOS) of a document in words."""
    mean, se = float(sums.mean()), _se(sums)
    found = f"Σ p(EOS) over a document is {mean:.3g} ± {se:.2g}, where a calibrated model has 1"
    if mean + 2 * se < 0.5:
        return f"{found} (less on texts of another kind, or cut before their end)"
    return f"{found} (more on longer texts than the model expects)" if mean - 2 * se > 2 else found


def _se(a: NDArray[np.float64]) -> float:
    return float(a.std(ddof=1) / np.sqrt(len(a)))


def _impossible(totals: Sequence[float]) -> Finding:
    n = len(totals)
    bad = sum(not np.isfinite(t) for t in totals)
    share = bad / n if n else 0.0
    why = f"{bad} of {n} documents have probability 0: log p is −inf, in means of bits too. " + (
        "A smoothed model gives every text something." if bad else "Every one of them can be scored."
    )
    return Finding(Check.POSSIBLE, "warn" if bad else "pass", share, 0.0, Measure.SHARE, why)
