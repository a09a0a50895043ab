"""A driver that dies, and runs that go on with other workers, other nodes and another order of units."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from shard_toys import Recipe, files_of, run

from pofx.files.folders.opening import open_folder
from pofx.jobs.sharded.commit import find_commit
from pofx.jobs.sharded.on_ray.pool import do_on_ray
from pofx.jobs.sharded.plan import make_plan, write_plan
from pofx.jobs.sharded.running import ShardedJob, UnitDone, run_sharded
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.totals import totals_of, write_totals

pytestmark = pytest.mark.cluster

# A driver of two actors, one of which kills it.
DRIVER = """
import os
from pathlib import Path
from cluster_toys import Death, Spoiled
from shard_toys import run
from pofx.jobs.documents import Documents

death = Death({name!r}, {marker!r}, os.getpid())
run(Spoiled({model!r}, Documents(({corpus!r},)), driver=os.getpid(), spoil=death), Path({out!r}), workers=2, ray={ray!r})
"""


@pytest.fixture
def killed(recipe: Recipe, tmp_path: Path) -> Callable[[str, str], None]:
    """Begins a run whose driver is killed when an actor is about to call a function for the second time."""

    def begin(name: str, ray: str) -> None:
        program = DRIVER.format(
            name=name,
            marker=str(tmp_path / "marker"),
            model=recipe.model,
            corpus=recipe.documents.files[0],
            out=str(tmp_path / "out"),
            ray=ray,
        )
        got = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert got.returncode == -signal.SIGKILL, got.stderr
        found = status(tmp_path / "out")
        assert found.totals.units < found.units
        assert not (tmp_path / "out" / "totals.json").exists()

    return begin


@pytest.mark.parametrize("name", ["total_cells", "sha256_of", "answer_totals", "write_commit"])
def test_a_driver_that_is_killed_between_two_steps_of_a_unit(
    cluster: Any,
    recipe: Recipe,
    tmp_path: Path,
    whole: dict[str, bytes],
    killed: Callable[[str, str], None],
    name: str,
) -> None:
    killed(name, cluster.address)
    # Every other run goes on without Ray.
    workers, ray = (2, None) if name in ("total_cells", "write_commit") else (3, cluster.address)
    _, ended = run(recipe, tmp_path / "out", workers=workers, ray=ray)
    assert ended.failed == ()
    assert files_of(tmp_path / "out") == whole


def processes_of(directory: str) -> list[str]:
    """The command lines that name a directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [line] if directory in (line := path.read_text().replace("\0", " ")) else []
    return found


def test_a_driver_that_dies_takes_the_ray_of_this_machine_with_it(
    variables: None,
    recipe: Recipe,
    tmp_path: Path,
    whole: dict[str, bytes],
    killed: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as short:
        monkeypatch.setenv("TMPDIR", short)
        killed("write_commit", "local")
        assert list(Path(short).glob("pofx-ray-*"))
        end = time.monotonic() + 30
        while processes_of(short) and time.monotonic() < end:
            time.sleep(0.2)
        assert processes_of(short) == []
    run(recipe, tmp_path / "out", workers=1)
    assert files_of(tmp_path / "out") == whole


def test_a_run_goes_on_with_other_numbers_of_nodes(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    for workers, units in ((3, 2), (1, 1), (2, 99)):
        sharded = ShardedJob(recipe, tmp_path / "out", workers, lambda: 60, ray=cluster.address)
        running = run_sharded(recipe(), sharded)
        for event in running:
            units -= isinstance(event, UnitDone)
            if units == 0:
                break
        running.close()
    assert files_of(tmp_path / "out") == whole


def test_the_order_of_the_units_is_of_no_account(
    cluster: Any, recipe: Recipe, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    folder, job = open_folder(tmp_path / "out"), recipe()
    plan = write_plan(make_plan(job, 60), folder)
    outcomes = list(do_on_ray(recipe, plan.units[::-1], folder, None, cluster.address))
    assert len(outcomes) == len(plan.units)
    commits = [find_commit(folder, u) for u in plan.units]
    write_totals(folder, totals_of([c for c in commits if c is not None]), plan.fingerprint)
    assert files_of(tmp_path / "out") == whole
