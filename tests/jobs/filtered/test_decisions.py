"""The decision about each document, against a loop over all documents."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pofx.filtering.copies.joining import join_copies
from pofx.filtering.copies.signature import Dedupe, signatures
from pofx.jobs.filtered.decisions import decide, ids_of
from pofx.queries.corpus_audit.near_duplicates import group_near_copies

BODY = "The engine of a small boat is cleaned once a year, says the manual of"


def corpus(seed: int) -> tuple[list[str], list[str]]:
    """Texts of a few families of near copies, and their reasons; equal texts have equal reasons."""
    rng = random.Random(seed)
    texts = [f"{BODY} {rng.choice('ABCD') * 30} {rng.choice('xyz')}" for _ in range(50)]
    reason = {t: rng.choice(["", "", "improbable"]) for t in sorted(set(texts))}
    return texts, [reason[t] for t in texts]


def parts_of(texts: list[str], reasons: list[str], dedupe: Dedupe, home: Path) -> list[Path]:
    """The parts of the first pass, of 13 documents each, in row groups of 5."""
    columns = {
        "id": [f"d{k}" for k in range(len(texts))],
        "text": texts,
        "reason": reasons,
        "signature": signatures(texts, dedupe),
    }
    out = []
    for at in range(0, len(texts), 13):
        out.append(home / f"part-{at:03d}.parquet")
        table = pa.table({name: values[at : at + 13] for name, values in columns.items()})
        pq.write_table(table, out[-1], row_group_size=5)
    return out


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dedupe", ["near", "exact", "none"])
def test_of_each_group_the_first_that_passes_is_kept(seed: int, dedupe: Dedupe, tmp_path: Path) -> None:
    texts, own = corpus(seed)
    (tmp_path / "join").mkdir()
    found = decide(len(texts), parts_of(texts, own, dedupe, tmp_path), dedupe, tmp_path / "join", join_copies)
    final = found.reasons(0, own)
    near = group_near_copies(texts).tolist()
    for k, text in enumerate(texts):
        first = texts.index(text)
        group = [j for j in range(len(texts)) if near[j] == near[k] and texts.index(texts[j]) == j]
        stands = next((j for j in group if not own[j]), group[0])
        expected = {"none": k, "exact": first, "near": first if first < k else stands}[dedupe]
        assert found.copy_of[k] == expected
        copy = "copy" if first < k else "near copy"
        assert final[k] == (own[k] or (copy if expected != k else ""))
    if dedupe == "near":
        assert sum(not why for why in final) == len({near[k] for k, why in enumerate(own) if not why})
    assert found.reasons(20, own[20:30]) == final[20:30]


def test_ids_are_found_in_any_order(tmp_path: Path) -> None:
    texts, own = corpus(0)
    parts = parts_of(texts, own, "exact", tmp_path)
    numbers = np.array([0, 12, 13, 49])
    with ids_of(numbers, parts, tmp_path / "ids") as ids:
        assert [ids[k] for k in (49, 0, 13, 12)] == ["d49", "d0", "d13", "d12"]
    with ids_of(numbers[:0], parts, tmp_path / "none"):
        pass
