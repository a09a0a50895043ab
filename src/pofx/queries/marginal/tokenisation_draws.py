"""Draws of tokenisations of a string, without the tokenisations that are known already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.queries.marginal.lattice import Lattice
from pofx.queries.marginal.tokenisation_beam import Tokenisation


@dataclass(eq=False)
class KnownNode:
    """A beginning of known tokenisations, in the tree of these beginnings.

    q is the distribution of draws along the lattice: a token is drawn in proportion to p among the tokens that fit.

    Attributes:
        q: The probability of each token that fits after the beginning, `[k]`, in the order of the lattice.
        below: The beginnings of known tokenisations that are one token longer.
        missing: The probability under q that a draw with this beginning is not a known tokenisation; 0 for a whole
            tokenisation.
    """

    q: NDArray[np.float64]
    below: dict[int, KnownNode] = field(default_factory=dict)
    missing: float = 0.0


def build_tree(rows: Iterable[Tokenisation], lattice: Lattice) -> KnownNode:
    """Build the tree of some whole tokenisations."""
    root = KnownNode(np.zeros(0), missing=1.0)
    for row in rows:
        node = root
        for token, q in zip(row.tokens, row.fitting):
            node.q = q
            node = node.below.setdefault(token, KnownNode(np.zeros(0)))
        node.missing = 0.0
    _fill(root, lattice)
    return root


def _fill(root: KnownNode, lattice: Lattice) -> None:
    """Set `missing` of every node, from the leaves up.

    missing = Σ q · (1 for a token outside the tree, else the missing probability after the token). The sum subtracts no
    nearly equal numbers, so a small result is exact.
    """
    order: list[tuple[KnownNode, int]] = [(root, 0)]
    for node, at in order:
        ends = dict(zip(lattice.ids[at].tolist(), lattice.ends[at].tolist())) if node.below else {}
        order += [(child, ends[token]) for token, child in node.below.items()]
    for node, at in reversed(order):
        if node.below:
            ids: Ints = lattice.ids[at]
            shares = [node.below[t].missing if t in node.below else 1.0 for t in ids.tolist()]
            node.missing = float(np.dot(node.q, shares))


def draw_unknown(
    lm: LM, lattice: Lattice, root: KnownNode, n: int, rng: np.random.Generator
) -> tuple[list[Tokenisation], NDArray[np.float64], int]:
    """Draw n tokenisations that are not in a tree.

        Σ p over all tokenisations outside the tree = root.missing · E[W],   W = p / q

    q draws a token in proportion to p among the tokens that fit, so W is the product of the masses of these tokens and
    p(EOS). A step draws a token in proportion to q times the missing probability after the token, which leaves out the
    tree. All draws take a step in the same call of the model.

    Args:
        lm: The model, with EOS.
        lattice: All tokenisations.
        root: The tree of known tokenisations, with missing probability above 0.
        n: The number of draws.
        rng: The source of randomness.

    Returns:
        The draws; log W of each, nats, `[n]`; and the number of calls of the model.
    """
    particles = [_Particle(root) for _ in range(n)]
    going = list(particles)
    state, calls = lm.start(n), 1
    end = lm.vocab.end
    assert end is not None  # noqa: S101  (ours: the caller has checked the EOS)
    while True:
        logp = state.logp
        rows = []
        for k, particle in enumerate(going):
            if particle.at == len(lattice.data):
                particle.logp += float(logp[k, end])
                particle.log_w += float(logp[k, end])
            else:
                particle.step(np.asarray(logp[k], dtype=np.float64), lattice, rng)
                rows.append(k)
        going = [going[k] for k in rows]
        if not going:
            drawn = [Tokenisation(tuple(p.tokens), p.logp, tuple(p.fitting)) for p in particles]
            return drawn, np.array([p.log_w for p in particles]), calls
        step = np.array([[p.tokens[-1]] for p in going], dtype=np.int64)
        state = lm.extend(state.take(rows), step)
        calls += 1


@dataclass(eq=False)
class _Particle:
    """A draw that is not yet whole; its `node` in the tree is None once the draw has left the tree."""

    node: KnownNode | None
    at: int = 0
    logp: float = 0.0
    log_w: float = 0.0
    tokens: list[int] = field(default_factory=list)
    fitting: list[NDArray[np.float64]] = field(default_factory=list)

    def step(self, all_logp: NDArray[np.float64], lattice: Lattice, rng: np.random.Generator) -> None:
        """Draw one more token."""
        ids = lattice.ids[self.at]
        logp = all_logp[ids]
        mass = float(logsumexp(logp))
        self.log_w += mass
        if np.isneginf(mass):  # every token that fits is impossible, so the choice does not matter
            choice, q = 0, np.zeros(len(ids))
        else:
            q = np.exp(logp - mass)
            choice = int(rng.choice(len(ids), p=self._weights(q, ids)))
        self.fitting.append(q)
        self.logp += float(logp[choice])
        token = int(ids[choice])
        self.tokens.append(token)
        self.at = int(lattice.ends[self.at][choice])
        self.node = None if self.node is None else self.node.below.get(token)

    def _weights(self, q: NDArray[np.float64], ids: Ints) -> NDArray[np.float64]:
        below = {} if self.node is None else self.node.below
        weights = q * [below[t].missing if t in below else 1.0 for t in ids.tolist()] if below else q
        return np.asarray(weights / weights.sum())
