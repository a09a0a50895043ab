"""A cluster of Ray on this machine: a head and three nodes with one CPU each, listening on loopback."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx.jobs.documents import Documents

TESTS = Path(__file__).parents[1]
FOLDERS = tuple(str(TESTS / name) for name in ("cluster", "jobs/sharded", "filtering"))
sys.path[:0] = [f for f in FOLDERS if f not in sys.path]

from shard_toys import Recipe, files_of, run  # noqa: E402

TEXTS = ["the cat", "a cat", "the end", "cat", "tea", "teeth that eat", "a"] * 6
STORE = 80 << 20
# Ray reads these when it is imported. Actors unpickle the recipes of the folders by the names of their modules.
VARIABLES = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "PYTHONPATH": os.pathsep.join(p for p in (*FOLDERS, os.environ.get("PYTHONPATH")) if p),
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    pofx.save(pofx.fit(["the cat", "a cat", "the end"], pofx.NgramSpec(order=2)), tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture
def recipe(model: Path, tmp_path: Path) -> Recipe:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"{t}\n" for t in TEXTS))
    return Recipe(str(model), Documents((str(corpus),)))


@pytest.fixture
def whole(recipe: Recipe, tmp_path: Path) -> dict[str, bytes]:
    """The oracle: the output directory of one process."""
    run(recipe, tmp_path / "whole")
    return files_of(tmp_path / "whole")


@pytest.fixture(scope="session")
def variables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in VARIABLES.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def cluster(variables: None) -> Iterator[Any]:
    """A head without a CPU, to which this process is connected, and three nodes."""
    utils = pytest.importorskip("ray.cluster_utils")
    import ray

    cluster = utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False},
    )
    for _ in range(3):
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def striking(cluster: Any) -> Iterator[Any]:
    """Removes the node whose process wrote the marker, and brings another one at the end."""
    threads: list[threading.Thread] = []

    def strike(marker: Path) -> None:
        while not (marker.exists() and marker.stat().st_size):
            time.sleep(0.05)
        node = marker.read_text().split()[1]
        (lost,) = [n for n in cluster.worker_nodes if n.node_id == node]
        cluster.remove_node(lost, allow_graceful=False)

    def begin(marker: Path) -> threading.Thread:
        threads.append(threading.Thread(target=strike, args=(marker,), daemon=True))
        threads[-1].start()
        return threads[-1]

    yield begin
    for _ in threads:
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    cluster.wait_for_nodes()
