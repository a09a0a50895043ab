"""Outliers: the share of held-out texts that are as improbable as a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.values import check_real_number

Per = Literal["text", "byte"]
# The most values of a reference, which are evenly spaced quantiles and change no p-value by more than 1/1,000.
KEPT = 1000


@dataclass(frozen=True, eq=False)
class Rejection:
    """The evidence of held-out texts, for comparison with other texts.

    Posteriors are never divided by a length. The statistic of outliers may be, since `p` is valid for any statistic.
    log p(x) itself mostly measures the length, so per="text" rejects long texts.

    Attributes:
        held_out: log p(x) of each held-out text, divided by 1 + its bytes with per="byte"; sorted, nats.
        per: "text" or "byte".
    """

    held_out: NDArray[np.float64]
    per: Per = "byte"

    def p(self, log_evidence: NDArray[np.float64], n_bytes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute (1 + number of held-out texts at most as probable) / (n + 1), `[n]`.

        For a text exchangeable with the held-out texts, P(p ≤ s) ≤ s for every s: a conformal p-value (Vovk et al. 2005).
        """
        values = statistic(log_evidence, n_bytes, self.per)
        below = np.searchsorted(self.held_out, values, side="right")
        out: NDArray[np.float64] = (1 + below) / (len(self.held_out) + 1)
        return out

    def threshold(self, share: float) -> float:
        """Return the value below which p ≤ `share`; a rejection below it loses at most this share of good texts.

        Args:
            share: A number in (0, 1).

        Returns:
            The threshold, nats a text or a byte; −∞ where too few texts are held out.

        Raises:
            BadValue: `share` is outside (0, 1).
        """
        share = check_real_number("share", share, 0, 1, above=True, below=True)
        at = int(np.floor(share * (len(self.held_out) + 1) + 1e-9)) - 1
        return -np.inf if at < 0 else float(self.held_out[at])


def make_rejection(
    log_evidence: NDArray[np.float64], n_bytes: NDArray[np.int64], per: Per = "byte"
) -> Rejection:
    """Return the reference of held-out texts.

    Args:
        log_evidence: log p(x) of each held-out text, nats.
        n_bytes: Bytes of each text.
        per: "text" or "byte".

    Returns:
        The reference.

    Raises:
        BadValue: There is no text.

    Right: with held-out documents. Wrong: with documents of the fit, which the model has memorised.
    """
    if not len(log_evidence):
        raise BadValue(
            "held out: expected at least one text to compare other texts with, got none",
            "leave some texts out of the fit",
        )
    values = np.sort(statistic(log_evidence, n_bytes, per))
    if len(values) > KEPT:
        values = values[np.round(np.linspace(0, len(values) - 1, KEPT)).astype(np.int64)]
    return Rejection(values, per)


def statistic(log_evidence: NDArray[np.float64], n_bytes: NDArray[np.int64], per: Per) -> NDArray[np.float64]:
    """Return log p(x), divided by 1 + the bytes of x with per="byte", so that EOS counts as one byte."""
    if per not in ("text", "byte"):
        raise BadValue(
            f"expected 'text' or 'byte', got {per!r}", "write one of the two words", argument="per"
        )
    return log_evidence if per == "text" else log_evidence / (1 + n_bytes)
