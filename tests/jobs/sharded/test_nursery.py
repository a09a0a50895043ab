"""Workers that are forked from a process which has imported what they need."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

import pytest
from shard_toys import Recipe, run

from pofx.jobs.job import Job
from pofx.jobs.sharded.nursery import worker_context

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers start from nothing elsewhere")


def imported() -> set[str]:
    return set(sys.modules)


def test_a_worker_has_imported_what_an_ngram_needs_and_no_torch() -> None:
    before = dict(os.environ)
    with ProcessPoolExecutor(1, worker_context()) as pool:
        found = pool.submit(imported).result()
    assert {"pofx.jobs.sharded.part", "pofx.models.ngram"} <= found
    assert not {"torch", "transformers", "pyarrow"} & found
    assert dict(os.environ) == before


def test_the_process_that_is_forked_has_one_thread() -> None:
    worker_context()
    pid = forkserver._forkserver._forkserver_pid
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1


@dataclass(frozen=True)
class Noting(Recipe):
    """A job that writes down a variable of the process that makes it."""

    notes: str = ""

    def __call__(self) -> Job:
        (Path(self.notes) / f"{os.getpid()}").write_text(os.environ.get("POFX_NOTED", "none"))
        return super().__call__()


@pytest.mark.parametrize("value", ["one", "two"])
def test_workers_have_the_variables_of_their_driver_now(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("POFX_NOTED", value)
    noting = Noting(recipe.model, recipe.documents, recipe.rows, str(tmp_path))
    run(noting, tmp_path / "out", workers=2)
    noted = {p.name: p.read_text() for p in tmp_path.iterdir() if p.name.isdecimal()}
    assert len(noted) >= 2
    assert set(noted.values()) == {value}
