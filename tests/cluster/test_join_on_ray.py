"""Copies joined on Ray: the groups of one process, whatever the partitions and the order of the parts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copied_texts import WORDS, corpus

from pofx.errors import BadSource
from pofx.files.folders.opening import open_folder
from pofx.filtering.copies.joining import join_copies
from pofx.filtering.copies.signature import Dedupe, signatures
from pofx.jobs.filtered.on_ray import RayJoin

pytestmark = pytest.mark.cluster

UNIT = 23


def batches(items: Sequence[str]) -> Callable[[], Iterator[Sequence[str]]]:
    return lambda: (items[at : at + 7] for at in range(0, len(items), 7))


def write_parts(codes: list[str], home: Path) -> list[tuple[str, int, int]]:
    """Write parts of 23 documents, in row groups of 5; the last part is shorter."""
    parts = []
    for at in range(0, len(codes), UNIT):
        some = codes[at : at + UNIT]
        parts.append((f"part-{at}.parquet", at, len(some)))
        pq.write_table(pa.table({"signature": some}), home / parts[-1][0], row_group_size=5)
    return parts


@pytest.mark.parametrize(("dedupe", "bits"), [("near", None), ("near", 0), ("near", 3), ("exact", None)])
def test_the_groups_are_those_of_one_process(
    cluster: Any, tmp_path: Path, dedupe: Dedupe, bits: int | None, capfd: pytest.CaptureFixture[str]
) -> None:
    body = " ".join(WORDS * 3)
    crowd = [f"{body} {k}" for k in range(50)]  # a bucket in which not all pairs are compared
    texts = [*corpus(5, 90), *crowd, *corpus(6, 60), *crowd[:9]]
    codes = signatures(texts, dedupe)
    parts = write_parts(codes, tmp_path)
    random.Random(bits).shuffle(parts)
    for name in ("one", "ray"):
        (tmp_path / name).mkdir()
    whole = join_copies(len(texts), batches(codes), batches(texts), dedupe, tmp_path / "one")
    join = RayJoin(open_folder(tmp_path), parts, None, cluster.address, bits)
    found = join(len(texts), batches(codes), batches(texts), dedupe, tmp_path / "ray")
    assert [f.tolist() for f in found] == [w.tolist() for w in whole]
    assert len(np.unique(whole[1])) < len(texts) - (80 if dedupe == "near" else 30)
    assert capfd.readouterr() == ("", "")


def test_a_part_that_a_node_does_not_see(cluster: Any, tmp_path: Path) -> None:
    join = RayJoin(open_folder(tmp_path), [("gone.parquet", 0, 1)], None, cluster.address)
    codes = signatures(["a"], "exact")
    with pytest.raises(
        BadSource, match=r"expected a Ray whose nodes can join the copies, got .*; check that"
    ):
        join(1, batches(codes), batches(["a"]), "exact", tmp_path)
