"""The death of a driver or of a worker, at any moment, leaves nothing behind: the next run makes the same bytes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from shard_toys import POISON, DeadlyRows, Recipe, files_of, run

from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.running import UnitDone
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.workers import UnitFailed

# A run that kills itself when it is about to call a function of a module for the third time.
KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
import pofx.jobs.sharded.{module} as module
from pofx.jobs.documents import Documents
from pofx.jobs.score_rows import ScoreRows
from shard_toys import Recipe, run

calls, real = 0, module.{name}

def deadly(*args, **options):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **options)

module.{name} = deadly
run(Recipe({model!r}, Documents(({corpus!r},)), ScoreRows(given={given})), Path({out!r}))
"""
# Before the part is written; after that, before the part has its name; in the middle of a unit; after the part has its
# name, before the record is written. Rows with a prefix are answered one by one, all others as columns.
MOMENTS = [
    pytest.param("total_cells", False, marks=pytest.mark.thorough),
    pytest.param("target_writer", True, marks=pytest.mark.thorough),
    pytest.param("sha256_of", False, marks=pytest.mark.thorough),
    pytest.param("answer_totals", False, marks=pytest.mark.thorough),
    pytest.param("encode_answers", True, marks=pytest.mark.thorough),
    ("write_commit", False),
]


@pytest.mark.parametrize(("name", "given"), MOMENTS)
def test_a_driver_that_is_killed_is_a_non_event(
    recipe: Recipe, tmp_path: Path, name: str, given: bool
) -> None:
    recipe = replace(recipe, rows=ScoreRows(given=given))
    run(recipe, tmp_path / "whole")
    program = KILLED.format(
        here=str(Path(__file__).parent),
        module="part",
        name=name,
        given=given,
        model=recipe.model,
        corpus=recipe.documents.files[0],
        out=str(tmp_path / "out"),
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    assert status(tmp_path / "out").totals.units == 2
    run(recipe, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


@pytest.mark.thorough
def test_a_document_that_kills_its_worker_costs_its_unit_alone(recipe: Recipe, tmp_path: Path) -> None:
    corpus = Path(recipe.documents.files[0])
    texts = corpus.read_text().splitlines()
    corpus.write_text("".join(f"{t}\n" for t in [*texts[:20], POISON, *texts[20:]]))
    deadly = replace(recipe, rows=DeadlyRows())
    events, ended = run(deadly, tmp_path / "out", workers=2)
    (failed,) = ended.failed
    assert "the worker died 2 times in this unit" in failed.error
    stretch = failed.unit.stretch
    assert stretch is not None
    assert POISON.encode() in corpus.read_bytes()[stretch.start : stretch.stop]
    assert sum(isinstance(e, UnitDone) for e in events) == status(tmp_path / "out").units - 1
    assert [e for e in events if isinstance(e, UnitFailed)] == [failed]
    assert not (tmp_path / "out" / "totals.json").exists()
    # Once the cause is gone, the same command does the unit that is left.
    _, ended = run(recipe, tmp_path / "out", workers=1)
    assert ended.failed == ()
    assert status(tmp_path / "out").totals.rows == 43
