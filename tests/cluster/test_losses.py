"""The loss of an actor, of a node, and a stopped process: the directory has the bytes of one process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster_toys import Death, Spoiled, StruckRows
from shard_toys import POISON, DeadlyRows, Recipe, files_of, run

from pofx.jobs.sharded.on_ray import pool
from pofx.jobs.sharded.running import UnitDone
from pofx.jobs.sharded.status import status

pytestmark = pytest.mark.cluster


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit is late after two seconds."""
    monkeypatch.setattr(pool, "PATIENCE", 2.0)
    monkeypatch.setattr(pool, "SECONDS", 1.0)


def numbers(events: list[Any]) -> list[int]:
    return sorted(e.unit.number for e in events if isinstance(e, UnitDone))


def test_three_nodes_make_the_bytes_of_one_process(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    events, ended = run(recipe, tmp_path / "out", workers=3, ray=cluster.address)
    assert ended.failed == ()
    assert numbers(events) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole


def test_an_actor_that_is_killed_in_the_middle_of_a_unit(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    marker = tmp_path / "marker"
    rows = StruckRows(marker=str(marker), blow=signal.SIGKILL)
    events, ended = run(replace(recipe, rows=rows), tmp_path / "out", workers=3, ray=cluster.address)
    assert marker.exists()
    assert ended.failed == ()
    assert numbers(events) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole


@pytest.mark.parametrize("name", ["total_cells", "sha256_of", "answer_totals", "write_commit"])
def test_an_actor_that_is_killed_between_two_steps_of_a_unit(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes], name: str
) -> None:
    marker = tmp_path / "marker"
    spoiled = Spoiled(recipe.model, recipe.documents, recipe.rows, os.getpid(), Death(name, str(marker)))
    events, ended = run(spoiled, tmp_path / "out", workers=2, ray=cluster.address)
    assert marker.exists()
    assert ended.failed == ()
    assert numbers(events) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole


@pytest.mark.usefixtures("impatient")
def test_a_node_that_is_lost_in_the_middle_of_a_unit(
    cluster: Any, striking: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    marker = tmp_path / "marker"
    thread = striking(marker)
    # Three nodes have three actors, so the lost actor finds no other CPU.
    rows = StruckRows(marker=str(marker))
    events, ended = run(replace(recipe, rows=rows), tmp_path / "out", workers=3, ray=cluster.address)
    thread.join(30)
    assert len(cluster.worker_nodes) == 2
    assert ended.failed == ()
    assert numbers(events) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole


@pytest.mark.usefixtures("impatient")
def test_a_stopped_process_holds_nobody_up(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    marker = tmp_path / "marker"
    rows = StruckRows(marker=str(marker), blow=signal.SIGSTOP)
    events, ended = run(replace(recipe, rows=rows), tmp_path / "out", workers=3, ray=cluster.address)
    process = int(marker.read_text().split()[0])
    assert ended.failed == ()
    assert numbers(events) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole
    # Ray ends the process sooner or later; until then it may go on, and changes nothing.
    try:
        os.kill(process, signal.SIGCONT)
        time.sleep(2)
    except ProcessLookupError:
        pass
    assert files_of(tmp_path / "out") == whole


def family(pid: int) -> list[int]:
    """A process, and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(p for child in children for p in family(int(child)))]


@pytest.fixture
def stopping(cluster: Any) -> Iterator[Any]:
    """Stops every process of the node whose actor wrote the marker; at the end the node is removed, and another one comes."""
    stopped: list[Any] = []

    def stop(marker: Path) -> None:
        while not (marker.exists() and marker.stat().st_size):
            time.sleep(0.05)
        node = marker.read_text().split()[1]
        (lost,) = [n for n in cluster.worker_nodes if n.node_id == node]
        raylets = [info.process.pid for info in lost.all_processes["raylet"]]
        for pid in [p for raylet in raylets for p in family(raylet)]:
            os.kill(pid, signal.SIGSTOP)
        stopped.append(lost)

    def begin(marker: Path) -> threading.Thread:
        thread = threading.Thread(target=stop, args=(marker,), daemon=True)
        thread.start()
        return thread

    yield begin, stopped
    for node in stopped:
        for info in node.all_processes["raylet"]:
            for pid in family(info.process.pid):
                os.kill(pid, signal.SIGKILL)
        cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    cluster.wait_for_nodes()


@pytest.mark.usefixtures("impatient")
def test_a_node_that_is_stopped_whole_holds_nobody_up(
    cluster: Any, stopping: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    marker = tmp_path / "marker"
    begin, stopped = stopping
    thread = begin(marker)
    rows = StruckRows(marker=str(marker))
    events, ended = run(replace(recipe, rows=rows), tmp_path / "out", workers=3, ray=cluster.address)
    thread.join(30)
    assert len(stopped) == 1
    assert ended.failed == ()
    assert numbers(events) == list(range(ended.totals.units))
    assert files_of(tmp_path / "out") == whole


def test_a_document_that_kills_each_worker_costs_its_unit_alone(
    cluster: Any, recipe: Recipe, tmp_path: Path
) -> None:
    corpus = Path(recipe.documents.files[0])
    texts = corpus.read_text().splitlines()
    corpus.write_text("".join(f"{t}\n" for t in [*texts[:20], POISON, *texts[20:]]))
    run(recipe, tmp_path / "whole")
    events, ended = run(replace(recipe, rows=DeadlyRows()), tmp_path / "out", workers=3, ray=cluster.address)
    (failed,) = ended.failed
    assert "the worker died 3 times in this unit" in failed.error
    stretch = failed.unit.stretch
    assert stretch is not None
    assert POISON.encode() in corpus.read_bytes()[stretch.start : stretch.stop]
    assert len(numbers(events)) == status(tmp_path / "out").units - 1
    assert not (tmp_path / "out" / "totals.json").exists()
    _, ended = run(recipe, tmp_path / "out", workers=3, ray=cluster.address)
    assert ended.failed == ()
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
