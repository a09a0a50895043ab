"""Some tokenisations of a string: the likeliest, by a beam, and others, by draws that leave those out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import logsumexp
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.queries.marginal.lattice import Lattice

Tokens = tuple[int, ...]


@dataclass(eq=False)
class KnownNode:
    """A beginning of found tokenisations, in the law q of draws that keep to the lattice.

    q: of the tokens that fit behind it, `[k]` as in the lattice. below: where found tokenisations go on. missing:
    the q of all tokenisations behind it that were not found, given this beginning; a leaf, which was found, has 0.
    """

    q: NDArray[np.float64]
    below: dict[int, KnownNode] = field(default_factory=dict)
    missing: float = 0.0


@dataclass(frozen=True, eq=False)
class Tokenisation:
    """A tokenisation, or the beginning of one: its tokens, its log p (EOS included where it is whole), and the laws q
    it passed, one a token."""

    tokens: Tokens
    logp: float
    laws: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, eq=False)
class BeamResult:
    """Distinct tokenisations, and whether there are no others of positive probability."""

    rows: tuple[Tokenisation, ...]
    all: bool


def find_likeliest(
    lm: LM, lattice: Lattice, canonical: Sequence[int], width: int, go_on: Callable[[], bool]
) -> BeamResult | None:
    """The likeliest `width` beginnings of each offset, extended in one call an offset, and the canonical one always.

    None where `go_on()` says, before a call, that there shall be no more.
    """
    n = len(lattice.data)
    marks = set(_beginnings(canonical, lattice, lm))
    waiting: list[list[tuple[float, int, int, int]]] = [[] for _ in range(n + 1)]  # log p, offset, row, token
    rows: dict[int, list[Tokenisation]] = {}
    states: dict[int, State] = {}
    pruned = False
    for at in range(n + 1):
        if at and not waiting[at]:
            continue
        if not go_on():
            return None
        if not at:
            states[0], rows[0] = lm.start(1), [Tokenisation((), 0.0, ())]
        else:
            kept, cut = _best(waiting[at], rows, width, marks)
            pruned = pruned or cut
            states[at], rows[at] = _extended(lm, lattice, kept, states, rows)
        waiting[at] = []
        if at == n:
            break
        logp = np.asarray(states[at].logp, dtype=np.float64)[:, lattice.ids[at]]
        for k, row in enumerate(rows[at]):
            q = (
                np.exp(logp[k] - logsumexp(logp[k]))
                if np.any(np.isfinite(logp[k]))
                else np.zeros(logp.shape[1])
            )
            rows[at][k] = Tokenisation(row.tokens, row.logp, (*row.laws, q))
            for token, end, value in zip(
                lattice.ids[at].tolist(), lattice.ends[at].tolist(), logp[k].tolist()
            ):
                if np.isfinite(value):
                    waiting[end].append((row.logp + value, at, k, token))
        for gone in [o for o in states if o <= at - lattice.longest]:
            del states[gone], rows[gone]
    if n not in states:  # all that is on the beam leads to the impossible
        return BeamResult((), not pruned)
    ended = np.asarray(states[n].logp, dtype=np.float64)[:, lm.vocab.end]
    whole = [Tokenisation(row.tokens, row.logp + float(e), row.laws) for row, e in zip(rows[n], ended)]
    return BeamResult(tuple(whole), not pruned)


def draw_unknown(
    lm: LM, lattice: Lattice, root: KnownNode, n: int, rng: np.random.Generator
) -> tuple[list[Tokenisation], NDArray[np.float64], int]:
    """n draws from q, without those of the tree; log W = log p − log q of each; and the calls of the model.

    q draws a token in proportion to p among those that fit, so that W is the product of their masses and p(EOS).
    Without the tree's, each step weighs a token by q times what is missing behind it, so that
    Σ p over all that is not in the tree = root.missing · E[W]. Every particle takes a step in the same call.
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
            found = [Tokenisation(tuple(p.tokens), p.logp, tuple(p.laws)) for p in particles]
            return found, np.array([p.log_w for p in particles]), calls
        step = np.array([[p.tokens[-1]] for p in going], dtype=np.int64)
        state = lm.extend(state.take(rows), step)
        calls += 1


@dataclass(eq=False)
class _Particle:
    """A draw on its way. node: where it stands in the tree, None outside of it."""

    node: KnownNode | None
    at: int = 0
    logp: float = 0.0
    log_w: float = 0.0
    tokens: list[int] = field(default_factory=list)
    laws: list[NDArray[np.float64]] = field(default_factory=list)

    def step(self, law: NDArray[np.float64], lattice: Lattice, rng: np.random.Generator) -> None:
        """One token more."""
        ids = lattice.ids[self.at]
        fitting = law[ids]
        mass = float(logsumexp(fitting))
        self.log_w += mass
        if np.isneginf(mass):  # only the impossible fits: any way will do
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


def _beginnings(canonical: Sequence[int], lattice: Lattice, lm: LM) -> list[Tokens]:
    # A token that spells nothing is on no path of the lattice.
    kept = tuple(int(i) for i in canonical if lm.vocab.token_bytes[int(i)])
    return [kept[:k] for k in range(len(kept) + 1)]


def _best(
    waiting: list[tuple[float, int, int, int]],
    rows: dict[int, list[Tokenisation]],
    width: int,
    marks: set[Tokens],
) -> tuple[list[tuple[float, int, int, int]], bool]:
    """The likeliest of them, and the canonical one; and whether any was left out."""
    ranked = sorted(waiting, key=lambda w: (-w[0], w[1:]))
    kept = ranked[:width]
    kept += [w for w in ranked[width:] if (*rows[w[1]][w[2]].tokens, w[3]) in marks]
    return kept, len(kept) < len(ranked)


def _extended(
    lm: LM,
    lattice: Lattice,
    kept: list[tuple[float, int, int, int]],
    states: dict[int, State],
    rows: dict[int, list[Tokenisation]],
) -> tuple[State, list[Tokenisation]]:
    ordered = sorted(kept, key=lambda w: w[1])
    parents = sorted({w[1] for w in ordered})
    taken = [states[o].take([w[2] for w in ordered if w[1] == o]) for o in parents]
    state = taken[0].cat(*taken[1:]) if len(taken) > 1 else taken[0]
    out = []
    for logp, offset, row, token in ordered:
        before = rows[offset][row]
        out.append(Tokenisation((*before.tokens, token), logp, before.laws))
    return lm.extend(state, np.array([[w[3]] for w in ordered], dtype=np.int64)), out


def build_tree(rows: Iterable[Tokenisation], lattice: Lattice) -> KnownNode:
    """The tree of some whole tokenisations."""
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
    """`missing` of every node, from the leaves up: Σ q · (1 for what was not found, else its own). No difference of
    near-equal numbers is taken, so that little stays exact."""
    order: list[tuple[KnownNode, int]] = [(root, 0)]
    for node, at in order:
        ends = dict(zip(lattice.ids[at].tolist(), lattice.ends[at].tolist())) if node.below else {}
        order += [(child, ends[token]) for token, child in node.below.items()]
    for node, at in reversed(order):
        if node.below:
            ids: Ints = lattice.ids[at]
            shares = [node.below[t].missing if t in node.below else 1.0 for t in ids.tolist()]
            node.missing = float(np.dot(node.q, shares))
