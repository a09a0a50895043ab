"""p(· | x): the law of the next token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pofx.algorithms.logspace import entropy, logsumexp
from pofx.errors import BadValue
from pofx.lm import LM
from pofx.queries.terms import Terms, terms
from pofx.transforms.given import given as behind
from pofx.vocab import to_bytes


@dataclass(frozen=True)
class Alternative:
    """One outcome: its id, the bytes it spells (None: a control token such as EOS), a printable name, log p (nats)."""

    id: int
    bytes: bytes | None
    shown: str
    logp: float


@dataclass(frozen=True)
class Next:
    """The likeliest outcomes, best first; `rest` is log of the mass of all others; `entropy` in nats."""

    given: str | bytes
    top: tuple[Alternative, ...]
    rest: float
    n_rest: int
    entropy: float
    terms: Terms


def next_token(lm: LM, given: str | bytes = "", k: int = 10) -> Next:
    """p(v | given) for the k likeliest tokens v, and the mass of the rest: they sum to 1.

    `given=""` asks for p(x1 | x0), the law of first tokens, which only a model with x0 knows (else `NoBOS`).
    """
    if k < 1:
        raise BadValue(f"k: expected at least 1, found {k}")
    law = np.asarray(behind(lm, given).start(1).logp[0], dtype=np.float64)
    order = np.argsort(-law, kind="stable")
    top = tuple(
        Alternative(int(i), lm.vocab.token_bytes[i], lm.vocab.show(int(i)), float(law[i])) for i in order[:k]
    )
    n_bytes = len(to_bytes(given))
    small_print = terms(lm, 1, 0, n_bytes, end=False)
    return Next(
        given, top, float(logsumexp(law[order[k:]])), len(law) - len(top), float(entropy(law)), small_print
    )
