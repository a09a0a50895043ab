"""The likeliest continuations of a prefix as a tree of tokens, each with the probability of its whole path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.logspace import likeliest, logsumexp
from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.scoring.terms import Terms, terms
from pofx.transforms.given import given as with_prefix
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import to_bytes

# The largest |log of the sum| of a distribution that is renormalised. A float32 distribution of SmolLM2 is off by 1e-6. A
# larger gap is a fault of the model, and must stay visible.
ROUNDING = 1e-5


@dataclass(frozen=True)
class TreeNode:
    """A node of the tree: the prefix, a path, and one token after it.

    Attributes:
        parent: The number of the parent; None for the root, whose number is 0.
        id: The id of the token; None for the root.
        logp: log p(token | prefix, path), nats; 0 for the root.
        path: log P of all tokens from the root to this token, nats.
        rest: log P of the path followed by any token that is no child of the node, nats. None where the node has no
            children, such as EOS and the ends of the longest branches.
        n_rest: The number of tokens that `rest` counts; None where `rest` is None.
    """

    parent: int | None
    id: int | None
    logp: float
    path: float
    rest: float | None
    n_rest: int | None


@dataclass(frozen=True)
class ContinuationTree:
    """The k likeliest tokens after a prefix, the k likeliest after each of them, and so on.

    Attributes:
        nodes: The root, its children from the likeliest on, then the next generation, and so on.
        given: The prefix.
        after: The ids between the prefix and the root.
        terms: The terms that were counted, and their rules.

    Right: exp of `path` of the children of a node and of its `rest` sum to exp of its own `path`. Wrong: taking the
    likeliest leaf for the likeliest text, since a token that is no child may lead to a likelier text.
    """

    nodes: tuple[TreeNode, ...]
    given: str
    after: tuple[int, ...]
    terms: Terms


def count_nodes(k: int, depth: int) -> int:
    """Return the most nodes whose next-token distributions a tree reads: 1 + k + … + k^(depth − 1)."""
    return sum(k**d for d in range(depth))


def continuation_tree(
    lm: LM, given: str = "", after: Sequence[int] = (), k: int = 3, depth: int = 3
) -> ContinuationTree:
    """Grow the tree of the k likeliest tokens after a prefix, to a depth.

        P(path) = Π_i p(token i of the path | prefix, tokens before it)

    Args:
        lm: The model.
        given: The prefix; "" for the beginnings of texts. The tree continues the tokens of the prefix (a token join).
        after: Ids that follow the prefix.
        k: The number of children of each node, at least 1.
        depth: The number of tokens of the longest branch, at least 1.

    Returns:
        The tree.

    Raises:
        NoBOS: The model has no x0, and no token stands before the root.
        Impossible: The prefix has probability zero.
        BadValue: An argument is outside its domain.

    Right: `continuation_tree(lm, "The ", k=3, depth=4)`. Wrong: k=50 and depth=5, which reads 6 million distributions.
    """
    k, depth = check_whole_number("k", k, 1), check_whole_number("depth", depth, 1)
    end = lm.vocab.end
    if end is not None and end in after:
        raise BadValue(f"expected ids before EOS, got {end}, which is EOS", "leave EOS out", argument="after")
    source = with_prefix(lm, given)
    state = source.start(1)
    if len(after):
        state = source.extend(state, np.array([list(after)], dtype=np.int64))
    branches = source.branches(state)
    nodes = [TreeNode(None, None, 0.0, 0.0, None, None)]
    logp = {0: np.asarray(state.logp[0], dtype=np.float64)}
    read = {0: -1}  # the number of each node in the tree of the model; -1 is the row of `state`
    for generation in range(depth):
        first = len(nodes)
        for n, row in logp.items():
            nodes[n], children = _grown(nodes[n], n, row, k)
            nodes += children
        if generation + 1 == depth:
            break
        new = [n for n in range(first, len(nodes)) if nodes[n].id != end and nodes[n].path > -math.inf]
        above = [read[parent] for n in new if (parent := nodes[n].parent) is not None]
        ids = [i for n in new if (i := nodes[n].id) is not None]
        at = {len(read) - 1 + j: n for j, n in enumerate(new)}
        logp = {}
        for numbers, rows in branches.grow(np.array(above, dtype=np.int64), np.array(ids, dtype=np.int64)):
            logp |= {at[j]: np.asarray(row, dtype=np.float64) for j, row in zip(numbers.tolist(), rows)}
        logp = dict(sorted(logp.items()))
        read |= {n: j for j, n in at.items()}
    small_print = terms(lm, 1, 0, len(to_bytes(given)), end=False)
    return ContinuationTree(tuple(nodes), given, tuple(int(i) for i in after), small_print)


def _grown(node: TreeNode, n: int, logp: NDArray[np.float64], k: int) -> tuple[TreeNode, list[TreeNode]]:
    """Return a node with its `rest`, and its children."""
    total = float(logsumexp(logp))
    logp = logp - total if abs(total) < ROUNDING else logp
    best = likeliest(logp[None, :], min(k, len(logp)))[0]
    others = np.ones(len(logp), dtype=bool)
    others[best] = False
    rest = node.path + float(logsumexp(logp[others]))
    children = [TreeNode(n, int(i), float(logp[i]), node.path + float(logp[i]), None, None) for i in best]
    return replace(node, rest=rest, n_rest=int(others.sum())), children
