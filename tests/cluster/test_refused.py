"""What a run on a cluster refuses, and what it names: full disks, other models, edited and truncated files, tampered parts."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cluster_toys import Spoiled, full_disk
from shard_toys import Recipe, files_of, run

import pofx
from pofx.errors import BadSource
from pofx.jobs.documents import Documents
from pofx.jobs.job import Job
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.running import ShardedJob, UnitDone, run_sharded
from pofx.jobs.sharded.verify import forget_faulty, verify

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class OtherOnNodes(Spoiled):
    """A job whose actors have another model under the same name."""

    def __call__(self) -> Job:
        job = super().__call__()
        other = pofx.fit(["another"], pofx.NgramSpec(order=2))
        return job if os.getpid() == self.driver else replace(job, lm=other)


def begun(recipe: Recipe, directory: Path, address: str, units: int = 2) -> None:
    """Do some units."""
    running = run_sharded(recipe(), ShardedJob(recipe, directory, 2, lambda: 60, ray=address))
    for event in running:
        units -= isinstance(event, UnitDone)
        if units == 0:
            break
    running.close()


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    begun(recipe, tmp_path / "out", cluster.address)
    kept = files_of(tmp_path / "out")
    full = Spoiled(recipe.model, recipe.documents, recipe.rows, os.getpid(), full_disk)
    with pytest.raises(OSError, match="File too large") as refused:
        run(full, tmp_path / "out", workers=2, ray=cluster.address)
    assert refused.value.errno == errno.EFBIG
    now = files_of(tmp_path / "out")
    assert {name: now[name] for name in kept if name.startswith(("parts", "commits"))} == {
        name: data for name, data in kept.items() if name.startswith(("parts", "commits"))
    }
    run(recipe, tmp_path / "out", workers=2, ray=cluster.address)
    assert files_of(tmp_path / "out") == whole


def test_a_node_with_another_model_is_named(cluster: Any, recipe: Recipe, tmp_path: Path) -> None:
    other = OtherOnNodes(recipe.model, recipe.documents, recipe.rows, os.getpid())
    with pytest.raises(BadSource, match=r"expected the settings of the plan .*model: '.*' then, '.*' now"):
        run(other, tmp_path / "out", workers=2, ray=cluster.address)
    assert not list((tmp_path / "out").glob("parts/*"))


def test_other_settings_are_named(cluster: Any, recipe: Recipe, tmp_path: Path) -> None:
    begun(recipe, tmp_path / "out", cluster.address)
    with pytest.raises(BadSource, match=r"--prefix: False then, True now"):
        run(replace(recipe, rows=ScoreRows(prefix=True)), tmp_path / "out", workers=2, ray=cluster.address)


def test_an_edited_file_is_refused(cluster: Any, recipe: Recipe, tmp_path: Path) -> None:
    begun(recipe, tmp_path / "out", cluster.address)
    corpus = Path(recipe.documents.files[0])
    corpus.write_bytes(corpus.read_bytes().replace(b"teeth", b"tooth"))
    with pytest.raises(BadSource, match="a file that was edited since"):
        run(recipe, tmp_path / "out", workers=2, ray=cluster.address)


@dataclass(frozen=True)
class Truncated(Spoiled):
    """A job whose first actor cuts the input in half after the plan is made."""

    def __call__(self) -> Job:
        if os.getpid() != self.driver:
            file = Path(self.documents.files[0])
            size = (file.with_suffix(".size")).read_text()
            os.truncate(file, int(size) // 2)
        return super().__call__()


def test_a_truncated_parquet_file_costs_its_units_and_no_other_file(
    cluster: Any, recipe: Recipe, tmp_path: Path
) -> None:
    table = pa.table({"text": ["the cat", "a cat", "tea"] * 10})
    files = tuple(str(tmp_path / f"{name}.parquet") for name in ("bad", "good"))
    for file in files:
        pq.write_table(table, file, row_group_size=10)
    Path(files[0]).with_suffix(".size").write_text(str(os.path.getsize(files[0])))
    data = Path(files[0]).read_bytes()
    sound = replace(recipe, documents=Documents(files))
    run(sound, tmp_path / "whole")
    cut = Truncated(recipe.model, Documents(files), recipe.rows, os.getpid())
    events, ended = run(cut, tmp_path / "out", workers=2, ray=cluster.address)
    assert {f.unit.path for f in ended.failed} == {files[0]}
    assert all("a file that was edited since" in f.error for f in ended.failed)
    assert {e.unit.path for e in events if isinstance(e, UnitDone)} == {files[1]}
    Path(files[0]).write_bytes(data)
    run(sound, tmp_path / "out", workers=2, ray=cluster.address)
    ours, theirs = files_of(tmp_path / "out"), files_of(tmp_path / "whole")
    assert ours == theirs


def test_a_tampered_part_is_found_and_made_again(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    run(recipe, tmp_path / "out", workers=2, ray=cluster.address)
    part = next((tmp_path / "out" / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    faults = verify(tmp_path / "out")
    assert part.name in str(faults)
    assert forget_faulty(tmp_path / "out", faults) == 1
    run(recipe, tmp_path / "out", workers=2, ray=cluster.address)
    assert files_of(tmp_path / "out") == whole
