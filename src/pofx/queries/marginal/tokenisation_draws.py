"""Draws of tokenisations of a string that leave out the tokenisations known before."""

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
    """A beginning of known tokenisations, in a tree of them.

    q is the distribution of draws that keep to the lattice: a token in proportion to p among the tokens that fit.

    Attributes:
        q: Probability of each token that fits after the beginning, `[k]`, in the order of the lattice.
        below: The beginnings of known tokenisations that are one token longer.
        missing: Probability under q that a draw with this beginning is not a known tokenisation; 0 for a whole one.
    """

    q: NDArray[np.float64]
    below: dict[int, KnownNode] = field(default_factory=dict)
    missing: float = 0.0


def build_tree(rows: Iterable[Tokenisation], lattice: Lattice) -> KnownNode:
    """Build the tree of some whole tokenisations."""
    root = KnownNode(np.zeros(0), missing=1.0)
    for row in rows:
        node = root
        for token, law in zip(row.tokens, row.laws):
            node.q = law
            node = node.below.setdefault(token, KnownNode(np.zeros(0)))
        node.missing = 0.0
    _fill(root, lattice)
    return root


def _fill(root: KnownNode, lattice: Lattice) -> None:
    """Fill in `missing` of every node, from the leaves up.

    missing = Σ q · (1 for a token outside the tree, else the missing probability after it). The sum subtracts no nearly
    equal numbers, so that a small result stays exact.
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

    q draws a token in proportion to p among the tokens that fit, so that W = p / q is the product of the masses of these
    tokens and p(EOS). Each step weighs a token by q times the missing probability after it, which leaves out the tree.
    Then Σ p over all tokenisations outside the tree = root.missing · E[W]. All draws take a step in the same call of the
    model.

    Args:
        lm: The model, with EOS.
        lattice: All tokenisations.
        root: The tree of known tokenisations, some of whose probability is missing.
        n: Number of draws.
        rng: The source of randomness.

    Returns:
        The draws; log W of each, nats, `[n]`; and the number of calls of the model.
    """
    particles = [_Particle(root) for _ in range(n)]
    going = list(particles)
    state, calls = lm.start(n), 1
    end = lm.vocab.end
    assert end is not None  # noqa: S101  (ours: the caller has seen to it)
    while True:
        laws = state.logp
        rows = []
        for k, particle in enumerate(going):
            if particle.at == len(lattice.data):
                particle.logp += float(laws[k, end])
                particle.log_w += float(laws[k, end])
            else:
                particle.step(np.asarray(laws[k], dtype=np.float64), lattice, rng)
                rows.append(k)
        going = [going[k] for k in rows]
        if not going:
            drawn = [Tokenisation(tuple(p.tokens), p.logp, tuple(p.laws)) for p in particles]
            return drawn, np.array([p.log_w for p in particles]), calls
        step = np.array([[p.tokens[-1]] for p in going], dtype=np.int64)
        state = lm.extend(state.take(rows), step)
        calls += 1


@dataclass(eq=False)
class _Particle:
    """A draw on its way; its `node` in the tree is None once the draw has left the tree."""

    node: KnownNode | None
    at: int = 0
    logp: float = 0.0
    log_w: float = 0.0
    tokens: list[int] = field(default_factory=list)
    laws: list[NDArray[np.float64]] = field(default_factory=list)

    def step(self, law: NDArray[np.float64], lattice: Lattice, rng: np.random.Generator) -> None:
        """Draw one more token."""
        ids = lattice.ids[self.at]
        fitting = law[ids]
        mass = float(logsumexp(fitting))
        self.log_w += mass
        if np.isneginf(mass):  # every token that fits is impossible: any of them will do
            choice, q = 0, np.zeros(len(ids))
        else:
            q = np.exp(fitting - mass)
            choice = int(rng.choice(len(ids), p=self._weights(q, ids)))
        self.laws.append(q)
        self.logp += float(fitting[choice])
        token = int(ids[choice])
        self.tokens.append(token)
        self.at = int(lattice.ends[self.at][choice])
        self.node = None if self.node is None else self.node.below.get(token)

    def _weights(self, q: NDArray[np.float64], ids: Ints) -> NDArray[np.float64]:
        below = {} if self.node is None else self.node.below
        weights = q * [below[t].missing if t in below else 1.0 for t in ids.tolist()] if below else q
        return np.asarray(weights / weights.sum())
