"""A tree of continuations: each path is the chain rule's, and children with the rest are their parent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pofx
from pofx.errors import BadValue, NoBOS
from pofx.lm.model import LM
from pofx.queries.next_unit.tree import ContinuationTree, continuation_tree, count_nodes
from pofx.transforms.warp import warp
from small_models import BYTES, MLE, NO_BEGIN, NO_END, TOY


def check(tree: ContinuationTree, lm: LM) -> None:
    """Every node with children: their paths and the rest sum to its own path, and its law is that of `extend`."""
    for n, node in enumerate(tree.nodes):
        children = [c for c in tree.nodes if c.parent == n]
        if node.rest is None:
            assert not children and node.n_rest is None
            continue
        parts = [*(math.exp(c.path) for c in children), math.exp(node.rest)]
        assert math.fsum(parts) == pytest.approx(math.exp(node.path), rel=1e-9, abs=1e-300)
        assert [c.logp for c in children] == sorted((c.logp for c in children), reverse=True)
        assert len(children) + (node.n_rest or 0) == lm.vocab.size
        law = law_after(lm, [*lm.vocab.encode(tree.given), *tree.after, *path_of(tree, n)])
        assert [c.logp for c in children] == pytest.approx([law[c.id] for c in children], abs=1e-9)
        assert min((c.logp for c in children), default=0) >= np.sort(law)[-len(children)] - 1e-12


def path_of(tree: ContinuationTree, n: int) -> list[int]:
    node = tree.nodes[n]
    return [] if node.parent is None or node.id is None else [*path_of(tree, node.parent), node.id]


def law_after(lm: LM, ids: list[int]) -> Any:
    state = lm.start(1)
    return (lm.extend(state, [ids]) if ids else state).logp[0]


@pytest.mark.parametrize("k", [1, 2, 4, 9])
@pytest.mark.parametrize("given", ["", "ab"])
def test_paths_and_rests_are_those_of_the_model(given: str, k: int) -> None:
    for lm in (TOY, NO_END, warp(TOY, 0.5)):
        check(continuation_tree(lm, given, k=k, depth=3), lm)


def test_trees_of_ngrams() -> None:
    for lm in (BYTES, MLE):
        check(continuation_tree(lm, "the ", k=3, depth=4), lm)


def test_a_tree_of_a_whole_vocabulary_leaves_nothing_out() -> None:
    tree = continuation_tree(NO_END, k=3, depth=3)
    leaves = [n for n in tree.nodes if n.rest is None]
    assert len(leaves) == 27 and sum(math.exp(n.path) for n in leaves) == pytest.approx(1, abs=1e-9)
    assert all(n.rest == -math.inf and n.n_rest == 0 for n in tree.nodes if n.rest is not None)


def test_eos_ends_a_branch() -> None:
    tree = continuation_tree(TOY, k=4, depth=3)
    ends = [n for n, node in enumerate(tree.nodes) if node.id == TOY.vocab.end]
    assert ends and not any(node.parent in ends for node in tree.nodes)


def test_a_tree_grows_from_a_node_of_another() -> None:
    whole = continuation_tree(TOY, "a", k=2, depth=3)
    n = next(k for k, node in enumerate(whole.nodes) if node.rest is not None and node.parent is not None)
    part = continuation_tree(TOY, "a", path_of(whole, n), k=2, depth=1)
    children = [c for c in whole.nodes if c.parent == n]
    assert [c.logp for c in part.nodes[1:]] == pytest.approx([c.logp for c in children], abs=1e-12)


def test_what_has_no_tree() -> None:
    with pytest.raises(NoBOS):
        continuation_tree(NO_BEGIN)
    check(continuation_tree(NO_BEGIN, "a"), NO_BEGIN)
    with pytest.raises(BadValue, match="EOS"):
        continuation_tree(TOY, after=[3])
    with pytest.raises(BadValue, match="depth"):
        continuation_tree(TOY, depth=0)
    with pytest.raises(pofx.Impossible):
        continuation_tree(MLE, "zz")


def test_how_many_distributions_a_tree_reads() -> None:
    assert count_nodes(3, 4) == 40
    assert sum(n.rest is not None for n in continuation_tree(NO_END, k=3, depth=3).nodes) == count_nodes(3, 3)
