"""The reserve of a beam: for each text one closed token that waits unread, so that the beam cannot die."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.lm.trace import Ints
from pofx.transforms.bytewise.sorted_tokens import Logs

# The share of the mass in reserve that goes to all next bytes alike, since the distribution after the reserve is not read.
# The rest of this mass is distributed like the hypotheses that are read. At a share of 0.1 a draw would be an arbitrary
# byte ten times as often, and the beam gains 0.002 bits a byte with two hypotheses. At 0.001 the beam loses as much (1,600
# bytes of English, SmolLM2).
UNREAD = 0.01


def uniform_share(total: Logs, spare: Logs) -> Logs:
    """Return the uniform share of a distribution: `UNREAD` · e^spare / (e^total + e^spare), 0 without a reserve.

    Args:
        total: log of the mass of the hypotheses that are read, nats.
        spare: log of the mass in reserve, nats; −∞ for none.
    """
    whole = np.logaddexp(total, spare)
    share: Logs = UNREAD * np.exp(spare - np.where(np.isneginf(whole), 0.0, whole))
    return share


def with_uniform(logp: Logs, share: Logs, size: int) -> Logs:
    """Return log((1 − share) · e^logp + share / size): a distribution of which a share goes to all outcomes alike.

    Args:
        logp: The distribution without the share, nats.
        share: The share, in [0, 1].
        size: The number of outcomes.
    """
    with np.errstate(divide="ignore"):
        mixed = np.logaddexp(logp + np.log1p(-share), np.log(share) - np.log(size))
    return np.where(share > 0, mixed, logp)


@dataclass(frozen=True, eq=False)
class Reserve:
    """The closed tokens that n texts have in reserve; any token may follow a closed token.

    Attributes:
        history: The history before the token, a row of `Hypotheses.histories`, `[n]`; −1 for no reserve.
        token: The id of the token, `[n]`.
        weight: log P(history, token), `[n]`, nats; −∞ for no reserve.
        since: The bytes of each text after the token.
    """

    history: Ints
    token: Ints
    weight: Logs
    since: tuple[bytes, ...]

    @classmethod
    def none(cls, n: int) -> Reserve:
        """Return the reserves of n texts that have no token in reserve."""
        return cls(np.full(n, -1), np.full(n, -1), np.full(n, -np.inf), (b"",) * n)

    def take(self, rows: Ints) -> Reserve:
        """Return the reserves of the texts `rows`."""
        since = tuple(self.since[k] for k in rows.tolist())
        return Reserve(self.history[rows], self.token[rows], self.weight[rows], since)

    def cat(self, others: Sequence[Reserve], first: Sequence[int]) -> Reserve:
        """Return the reserves of these texts, followed by the reserves of the other texts.

        Args:
            others: The reserves that follow.
            first: The row at which the histories of this reserve begin, and then of each of the others.
        """
        every = [self, *others]
        return Reserve(
            np.concatenate([np.where(r.history < 0, -1, r.history + k) for r, k in zip(every, first)]),
            np.concatenate([r.token for r in every]),
            np.concatenate([r.weight for r in every]),
            tuple(b for r in every for b in r.since),
        )
