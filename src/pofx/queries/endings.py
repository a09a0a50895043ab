"""Whether EOS stands where texts end, and what is impossible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pofx.lm import LM
from pofx.queries.findings import Ending, Finding, Outcome, Series
from pofx.queries.openings import FEWEST, MATERIAL, SAME
from pofx.queries.survey import Survey, batches
from pofx.trace import Ints, Want
from pofx.transforms.begun import candidates, token_name
from pofx.units import bits
from pofx.vocab import Vocab

# log2 p(EOS) below this counts as this: a maximum-likelihood model says −∞ elsewhere, and means stay finite.
FLOOR = -64.0


def end_findings(
    lm: LM, paths: Sequence[Ints], free: int, average: Survey | None
) -> tuple[list[Finding], tuple[Ending, ...]]:
    """p(EOS) at true ends of documents against elsewhere, and whether the documents are possible at all.

    paths: whole documents without EOS. Pass if log2 p(EOS) at the end of a document exceeds that of its other
    positions by more than 2 standard errors (and 0.1 bit), document by document. For a pretrained model the same is
    measured of every control token that might be EOS.

    Right: on whole documents. Wrong: on chunks of a fixed length, which end where no text ends.
    """
    end, enders = lm.vocab.end, _enders(lm.vocab)
    read = _read(lm, paths, free, enders)
    endings = tuple(
        _ending(lm.vocab, i, read.at_end[:, k], read.elsewhere[:, k]) for k, i in enumerate(enders)
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
        return [Finding("EOS ends texts", "fail", None, None, "bits", why), _impossible(read.totals)], endings
    k = enders.index(end) if enders else 0
    return [_learned(read.at_end[:, k], read.elsewhere[:, k], average), _impossible(read.totals)], endings


def _enders(vocab: Vocab) -> list[int]:
    """Control tokens of a pretrained model that may end texts, EOS first; none for our own, which have one or none."""
    found = [i for _, i in candidates(vocab)]
    return list(dict.fromkeys([*([] if vocab.end is None else [vocab.end]), *found])) if found else []


@dataclass(frozen=True, eq=False)
class Read:
    """log2 of p(token) at the end of documents, and its mean elsewhere in them, `[documents, tokens]`; log p of each."""

    at_end: NDArray[np.float64]
    elsewhere: NDArray[np.float64]
    totals: tuple[float, ...]


def _read(lm: LM, paths: Sequence[Ints], free: int, enders: Sequence[int]) -> Read:
    """Of EOS, or of all `enders`, in one pass over the documents."""
    end = lm.vocab.end
    closing = [i for i in (end, *enders) if i is not None][:1]  # whose law is that of the last position
    masses = np.zeros((len(enders), lm.vocab.size), dtype=np.bool_)
    masses[np.arange(len(enders)), enders] = True
    want = Want(masses=masses) if enders else Want(end=end is not None)
    at_end: list[NDArray[np.float64]] = []
    elsewhere: list[NDArray[np.float64]] = []
    totals: list[float] = []
    for batch in batches(lm, paths):
        trace = lm.forward([np.append(p, closing).astype(np.int64) for p in batch], want, free)
        read = trace.masses if enders else None if trace.end is None else tuple(e[:, None] for e in trace.end)
        for i, logp in enumerate(trace.logp):
            totals.append(float(logp[: len(logp) - (end is None and bool(closing))].sum()))
            if read is not None and len(read[i]) > 1:
                floored = (np.maximum(read[i], -1e3) * bits(1.0)).clip(min=FLOOR)
                at_end.append(floored[-1])
                elsewhere.append(floored[:-1].mean(axis=0))
    shape = (len(at_end), max(len(enders), 1))
    return Read(np.array(at_end).reshape(shape), np.array(elsewhere).reshape(shape), tuple(totals))


def _ending(vocab: Vocab, i: int, at_end: NDArray[np.float64], elsewhere: NDArray[np.float64]) -> Ending:
    gain, n = at_end - elsewhere, len(at_end)
    return Ending(
        name=token_name(vocab, i),
        id=i,
        current=i == vocab.end,
        at_end=_mean(at_end),
        elsewhere=_mean(elsewhere),
        gain=_mean(gain),
        se=float(gain.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
        n=n,
    )


def _mean(a: NDArray[np.float64]) -> float:
    return float(a.mean()) if len(a) else float("nan")


def _learned(at_end: NDArray[np.float64], elsewhere: NDArray[np.float64], average: Survey | None) -> Finding:
    check, n = "EOS ends texts", len(at_end)
    if n < FEWEST:
        why = f"Too few whole documents ({n}, at least {FEWEST} needed) to see whether EOS stands where texts end."
        return Finding(check, "warn", None, None, "bits", why)
    gain = at_end - elsewhere
    mean, se = float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(n))
    bound = max(2 * se, MATERIAL)
    chart = Series(
        "log2 p(EOS)", "bits", "bars",
        (("where documents end", float(at_end.mean())), ("elsewhere", float(elsewhere.mean()))),
    )  # fmt: skip
    why = (
        f"EOS is {mean:.2f} ± {se:.2f} bits likelier where {n} documents end (mean log2 p(EOS) = "
        f"{at_end.mean():.2f}) than elsewhere in them ({elsewhere.mean():.2f})"
    )
    outcome: Outcome = "pass" if mean > bound else "fail"
    if outcome == "fail" and average is not None and average.rows > 1 and average.spread < SAME:
        # One law for all positions: EOS cannot be anywhere likelier, and lengths are geometric, which is
        # proper.
        outcome, why = "warn", f"{why}; its law never changes, so it ends texts by the same coin everywhere"
    elif outcome == "fail":
        why += "; a model that was never shown ends of texts has no last factor, and its log p(x) no meaning"
    if elsewhere.min() <= FLOOR or at_end.min() <= FLOOR:
        why += f" (p(EOS) below 2^{FLOOR:.0f}, 0 included, counts as that)"
    return Finding(check, outcome, mean, bound, "bits", f"{why}.", chart)


def _impossible(totals: Sequence[float]) -> Finding:
    n = len(totals)
    bad = sum(not np.isfinite(t) for t in totals)
    share = bad / n if n else 0.0
    why = f"{bad} of {n} documents have probability 0: log p is −inf, in means of bits too. " + (
        "A smoothed model gives every text something." if bad else "Every one of them can be scored."
    )
    return Finding("documents are possible", "warn" if bad else "pass", share, 0.0, "share", why)
