"""Whether a text is an outlier: how few held-out texts are as improbable as it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue
from pofx.values import check_real_number

Per = Literal["text", "byte"]
# Values kept of a large held-out set: evenly spaced quantiles, which move no p-value by more than 1/1,000.
KEPT = 1000


@dataclass(frozen=True, eq=False)
class Rejection:
    """The evidence of texts that were held out, to hold others against.

    held_out: log p(x) of each, or, per="byte", log p(x) over (1 + its bytes); sorted, nats.
    Posteriors are never divided by a length; this statistic may be, since p below holds for any: log p(x) itself is
    mostly a measure of the length, so that per="text" rejects what is long.
    """

    held_out: NDArray[np.float64]
    per: Per = "byte"

    def p(self, log_evidence: NDArray[np.float64], n_bytes: NDArray[np.int64]) -> NDArray[np.float64]:
        """(1 + number of held-out texts at most as probable) / (n + 1), `[n]`.

        Of a text exchangeable with them, P(p ≤ s) ≤ s for every s: a conformal p-value (Vovk et al. 2005).
        """
        values = statistic(log_evidence, n_bytes, self.per)
        below = np.searchsorted(self.held_out, values, side="right")
        out: NDArray[np.float64] = (1 + below) / (len(self.held_out) + 1)
        return out

    def threshold(self, share: float) -> float:
        """The value below which p ≤ `share`: rejecting there loses at most that share of good texts; −∞: too few held out.

        In nats a text, or a byte. `BadValue` for a share outside (0, 1).
        """
        share = check_real_number("share", share, 0, 1, above=True, below=True)
        at = int(np.floor(share * (len(self.held_out) + 1) + 1e-9)) - 1
        return -np.inf if at < 0 else float(self.held_out[at])


def make_rejection(
    log_evidence: NDArray[np.float64], n_bytes: NDArray[np.int64], per: Per = "byte"
) -> Rejection:
    """The reference of texts that were not fitted on; `BadValue` without any.

    Right: of documents held out. Wrong: of those the model was fitted on, which it knows by heart.
    """
    if not len(log_evidence):
        raise BadValue("held out: expected at least one text to hold others against, found none", None)
    values = np.sort(statistic(log_evidence, n_bytes, per))
    if len(values) > KEPT:
        values = values[np.round(np.linspace(0, len(values) - 1, KEPT)).astype(np.int64)]
    return Rejection(values, per)


def statistic(log_evidence: NDArray[np.float64], n_bytes: NDArray[np.int64], per: Per) -> NDArray[np.float64]:
    """What is compared: log p(x), or log p(x) over 1 + its bytes, EOS counted as one."""
    if per not in ("text", "byte"):
        raise BadValue(f"per: expected 'text' or 'byte', found {per!r}", None)
    return log_evidence if per == "text" else log_evidence / (1 + n_bytes)
