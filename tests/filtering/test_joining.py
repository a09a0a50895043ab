"""The join of copies on disk: against all pairs, and against the join in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from copied_texts import WORDS, corpus

from pofx.algorithms.statistics.clusters import Groups
from pofx.algorithms.statistics.shingles import jaccard
from pofx.filtering.copies.joining import join_copies
from pofx.filtering.copies.signature import Dedupe, signatures
from pofx.queries.corpus_audit.near_duplicates import ALIKE, group_near_copies


def batches(items: Sequence[str], size: int = 7) -> Callable[[], Iterator[Sequence[str]]]:
    return lambda: (items[at : at + size] for at in range(0, len(items), size))


def joined(
    texts: list[str], directory: Path, dedupe: Dedupe, memory: int = 1 << 28
) -> tuple[list[int], list[int]]:
    directory.mkdir()
    found = join_copies(
        len(texts), batches(signatures(texts, dedupe)), batches(texts), dedupe, directory, memory
    )
    return found[0].tolist(), found[1].tolist()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("memory", [1 << 28, 1 << 11])
def test_groups_are_those_of_all_pairs(seed: int, memory: int, tmp_path: Path) -> None:
    texts = corpus(seed)
    exact, near = joined(texts, tmp_path / "join", "near", memory)
    assert exact == [texts.index(t) for t in texts]
    groups = Groups(len(texts))
    for i, j in combinations(range(len(texts)), 2):
        if jaccard(texts[i], texts[j]) >= ALIKE:
            groups.join(i, j)
    assert near == groups.labels().tolist()
    assert len(set(near)) < len(set(exact)) < len(texts)


def test_the_join_on_disk_is_that_in_memory(tmp_path: Path) -> None:
    texts = corpus(9, 400)
    _, near = joined(texts, tmp_path / "join", "near", 1 << 11)
    assert near == group_near_copies(texts).tolist()
    assert len(list((tmp_path / "join").glob("exact-*"))) > 8  # the bound of memory parts the keys


def test_a_crowd_of_near_copies_is_one_group(tmp_path: Path) -> None:
    body = " ".join(WORDS * 3)
    texts = [f"{body} {k}" for k in range(90)] + ["another text altogether"] * 3
    exact, near = joined(texts, tmp_path / "join", "near")
    assert near == [0] * 90 + [90] * 3
    assert exact == [*range(90), 90, 90, 90]


def test_exact_alone_reads_no_shingles(tmp_path: Path) -> None:
    texts = ["a b c d e f", "A  b c d e f", "a b c d e f", ""]
    assert joined(texts, tmp_path / "join", "exact") == ([0, 1, 0, 3], [0, 1, 0, 3])
    assert not list((tmp_path / "join").glob("band-*"))


def test_no_document_has_no_copy(tmp_path: Path) -> None:
    exact, near = joined([], tmp_path / "join", "near")
    assert np.shape(exact) == np.shape(near) == (0,)
