"""What a beam keeps unread, so that it cannot die: of each row, one closed token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.transforms.bytewise.sorted_tokens import Logs

# Share of the mass in reserve that goes to all next bytes alike: its own law is not known before it is read. The rest
# goes where the hypotheses that are read go. At 0.1 a draw would be off the language ten times as often, and the law gains
# 0.002 bits a byte with two hypotheses; at 0.001 it loses as much (1,600 bytes of English, SmolLM2).
UNREAD = 0.01


def uniform_share(total: Logs, spare: Logs) -> Logs:
    """The share of a law that is uniform: `UNREAD` · e^spare / (e^total + e^spare), 0 where nothing is in reserve.

    Args:
        total: log of the mass of the hypotheses that are read.
        spare: log of the mass in reserve.
    """
    whole = np.logaddexp(total, spare)
    share: Logs = UNREAD * np.exp(spare - np.where(np.isneginf(whole), 0.0, whole))
    return share


def with_uniform(logp: Logs, share: Logs, size: int) -> Logs:
    """log((1 − share) · e^logp + share / size): a law of which a share goes to all outcomes alike."""
    with np.errstate(divide="ignore"):
        mixed = np.logaddexp(logp + np.log1p(-share), np.log(share) - np.log(size))
    return np.where(share > 0, mixed, logp)


@dataclass(frozen=True, eq=False)
class Reserve:
    """Of n rows; behind a closed token whatever has a token of its own can follow.

    at: the state of the history before the token, a row of `Covers.inner`; −1 for nothing in reserve. token: its id.
    weight: log P(history and token). since: the bytes of the text behind it.
    """

    at: Ints
    token: Ints
    weight: Logs
    since: tuple[bytes, ...]

    @classmethod
    def none(cls, n: int) -> Reserve:
        """n rows with nothing in reserve."""
        return cls(np.full(n, -1), np.full(n, -1), np.full(n, -np.inf), (b"",) * n)

    def take(self, rows: Ints) -> Reserve:
        """These rows."""
        since = tuple(self.since[k] for k in rows.tolist())
        return Reserve(self.at[rows], self.token[rows], self.weight[rows], since)

    def cat(self, others: Sequence[Reserve], shift: Sequence[int]) -> Reserve:
        """These rows and then those, of states that lie behind one another: shift, where each begins."""
        every = [self, *others]
        return Reserve(
            np.concatenate([np.where(r.at < 0, -1, r.at + k) for r, k in zip(every, shift)]),
            np.concatenate([r.token for r in every]),
            np.concatenate([r.weight for r in every]),
            tuple(b for r in every for b in r.since),
        )
