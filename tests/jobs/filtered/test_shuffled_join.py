"""The join on Ray with a shuffle in this process, which has its rows, groups and parts in random orders."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pofx.errors import MissingExtra
from pofx.files.folders.opening import open_folder
from pofx.filtering.copies.joining import join_copies
from pofx.filtering.copies.signature import Dedupe, signatures
from pofx.jobs.filtered import on_ray
from pofx.jobs.filtered.on_ray import RayJoin, check_ray_join

Table = dict[str, np.ndarray]


class Shuffle:
    """The five methods of Ray Data that the join calls, on rows in this process."""

    def __init__(self, seed: int) -> None:
        self.order = random.Random(seed)
        self.rows: list[dict[str, Any]] = []

    def from_items(self, items: list[dict[str, Any]], override_num_blocks: int) -> Shuffle:
        self.rows = list(items)
        return self

    def map_batches(
        self, keys: Callable[[Table], Iterator[Table]], batch_size: int, batch_format: str
    ) -> Shuffle:
        tables = [t for row in self.rows for t in keys({k: np.array([v], object) for k, v in row.items()})]
        self.rows = [dict(zip(t, row)) for t in tables for row in zip(*t.values())]
        self.order.shuffle(self.rows)
        return self

    def groupby(self, key: str, num_partitions: int) -> Shuffle:
        self.key = key
        return self

    def map_groups(self, found: Callable[[Table], Table], batch_format: str) -> Shuffle:
        groups = defaultdict(list)
        for row in self.rows:
            groups[row[self.key]].append(row)
        tables = [{k: np.array([row[k] for row in g]) for k in g[0]} for g in groups.values()]
        self.groups = len(tables)
        self.out = [found(t) for t in tables]
        self.order.shuffle(self.out)
        return self

    def iter_batches(self, batch_size: int | None, batch_format: str) -> list[Table]:
        return self.out


def batches(items: Sequence[str]) -> Callable[[], Iterator[Sequence[str]]]:
    return lambda: (items[at : at + 7] for at in range(0, len(items), 7))


def corpus(seed: int) -> list[str]:
    """Texts of which most are equal or alike, and a crowd in which not all pairs are compared."""
    order = random.Random(seed)
    body = " ".join(str(k * k) for k in range(40))
    some = [f"{' '.join(order.choices(body.split(), k=30))}" for _ in range(25)]
    texts = [order.choice(some) + order.choice(["", " x", " yy", " 123 456 789"]) for _ in range(90)]
    return [*texts, *(f"{body} {k}" for k in range(50)), *texts[:9], f" {body.upper()} 3"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bits", [None, 0, 5])
@pytest.mark.parametrize("dedupe", ["near", "exact"])
def test_the_groups_are_those_of_one_process(
    seed: int, bits: int | None, dedupe: Dedupe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = SimpleNamespace(
        cluster_resources=lambda: {"CPU": 2.0}, exceptions=SimpleNamespace(RayError=ZeroDivisionError)
    )
    shuffle = Shuffle(seed)
    monkeypatch.setattr(on_ray, "ray_session", lambda address, workers: nullcontext(ray))
    monkeypatch.setattr(on_ray, "_quiet_data", lambda: nullcontext(shuffle))
    texts = corpus(seed)
    codes = signatures(texts, dedupe)
    parts = []
    for at in range(0, len(codes), 23):
        parts.append((f"part-{at}.parquet", at, len(codes[at : at + 23])))
        pq.write_table(
            pa.table({"signature": codes[at : at + 23]}), tmp_path / parts[-1][0], row_group_size=5
        )
    random.Random(seed).shuffle(parts)
    (tmp_path / "one").mkdir()
    whole = join_copies(len(texts), batches(codes), batches(texts), dedupe, tmp_path / "one")
    join = RayJoin(open_folder(tmp_path), parts, None, "auto", bits)
    found = join(len(texts), batches(codes), batches(texts), dedupe, tmp_path)
    assert [f.tolist() for f in found] == [w.tolist() for w in whole]
    assert shuffle.groups >= {None: 4, 0: 1, 5: 20}[bits]
    distinct = [len(np.unique(w)) for w in whole]
    assert distinct[1] < distinct[0] - 40 if dedupe == "near" else distinct[0] < len(texts) - 9


def test_no_document_needs_no_ray(tmp_path: Path) -> None:
    join = RayJoin(open_folder(tmp_path), [], None, "nowhere:1")
    assert [len(f) for f in join(0, batches([]), batches([]), "near", tmp_path)] == [0, 0]


def test_a_missing_package_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"--dedupe with --ray needs the package 'pandas', .*pofx\[ray\]"):
        check_ray_join()
