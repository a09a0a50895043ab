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

# The sum of a float32 distribution of SmolLM2 is up to 1e-6 from 1. A sum further away is a fault of the model, and stays.
ROUNDING = 1e-5


@dataclass(frozen=True)
class TreeNode:
    """A node of the tree: the prefix, a path, and one token after it.

    Attributes:
        parent: The number of the parent; None for the root, whose number is 0.
        id: The id of the token; None for the root.
        logp: log p(token | prefix, path), nats; 0 for the root.
        path: log P of all tokens from the root to this one, nats.
        rest: log P of the path and then any token that is no child here, nats; None where the node has no children, as
            EOS and the ends of the longest branches.
        n_rest: How many tokens `rest` counts; None where `rest` is None.
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
        nodes: The root, its children from the likeliest, then theirs, generation by generation.
        given: The prefix.
        after: The ids between the prefix and the root.
        terms: What was counted, and under which rules.

    Right: exp of `path` of the children of a node and of its `rest` sum to exp of its own `path`. Wrong: taking the
    likeliest leaf for the likeliest text: each node has k children, and others may lead to likelier ones.
    """

    nodes: tuple[TreeNode, ...]
    given: str
    after: tuple[int, ...]
    terms: Terms


def count_nodes(k: int, depth: int) -> int:
    """Bound the nodes whose next-token distributions a tree reads: 1 + k + … + k^(depth − 1)."""
    return sum(k**d for d in range(depth))


def continuation_tree(
    lm: LM, given: str = "", after: Sequence[int] = (), k: int = 3, depth: int = 3
) -> ContinuationTree:
    """Grow the tree of the k likeliest tokens after a prefix, to a depth.

        P(path) = Π_i p(token i of the path | prefix, tokens before it)

    Args:
        lm: The model.
        given: The prefix; "" for how texts begin. The tree continues the tokens of the prefix (a token join).
        after: Ids that follow the prefix.
        k: How many children each node has, at least 1.
        depth: How many tokens the longest branch has, at least 1.

    Returns:
        The tree.

    Raises:
        NoBOS: The model has no x0, and nothing stands before the root.
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
    laws = {0: np.asarray(state.logp[0], dtype=np.float64)}
    read = {0: -1}  # the number of each node in the tree of the model; -1 is the row of `state`
    for generation in range(depth):
        first = len(nodes)
        for n, law in laws.items():
            nodes[n], children = _grown(nodes[n], n, law, k)
            nodes += children
        if generation + 1 == depth:
            break
        new = [n for n in range(first, len(nodes)) if nodes[n].id != end and nodes[n].path > -math.inf]
        above = [read[parent] for n in new if (parent := nodes[n].parent) is not None]
        ids = [i for n in new if (i := nodes[n].id) is not None]
        at = {len(read) - 1 + j: n for j, n in enumerate(new)}
        laws = {}
        for numbers, rows in branches.grow(np.array(above, dtype=np.int64), np.array(ids, dtype=np.int64)):
            laws |= {at[j]: np.asarray(row, dtype=np.float64) for j, row in zip(numbers.tolist(), rows)}
        laws = dict(sorted(laws.items()))
        read |= {n: j for j, n in at.items()}
    small_print = terms(lm, 1, 0, len(to_bytes(given)), end=False)
    return ContinuationTree(tuple(nodes), given, tuple(int(i) for i in after), small_print)


def _grown(node: TreeNode, n: int, law: NDArray[np.float64], k: int) -> tuple[TreeNode, list[TreeNode]]:
    """A node with its `rest`, and its children."""
    total = float(logsumexp(law))
    law = law - total if abs(total) < ROUNDING else law
    best = likeliest(law[None, :], min(k, len(law)))[0]
    others = np.ones(len(law), dtype=bool)
    others[best] = False
    rest = node.path + float(logsumexp(law[others]))
    children = [TreeNode(n, int(i), float(law[i]), node.path + float(law[i]), None, None) for i in best]
    return replace(node, rest=rest, n_rest=int(others.sum())), children
