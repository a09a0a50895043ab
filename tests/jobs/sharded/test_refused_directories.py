"""What a run in a directory refuses: other settings, other files, edited files, a directory in use, no directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shard_toys import Places, Recipe, files_of, run

import pofx
from pofx.errors import BadSource
from pofx.files.folders.opening import open_folder
from pofx.files.locks import open_locked
from pofx.jobs.documents import Documents
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.plan import read_plan


def test_other_settings_are_named(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "out")
    with pytest.raises(BadSource, match=r"--prefix: False then, True now"):
        run(replace(recipe, rows=ScoreRows(prefix=True)), tmp_path / "out")
    pofx.save(pofx.fit(["another"], pofx.NgramSpec(order=2)), tmp_path / "other")
    with pytest.raises(BadSource, match=r"model: '.*' then, '.*' now"):
        run(replace(recipe, model=str(tmp_path / "other")), tmp_path / "out")


def test_other_files_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "out")
    (tmp_path / "more.txt").write_text("cat\n")
    files = (*recipe.documents.files, str(tmp_path / "more.txt"))
    for wrong in (files, files[::-1], files[1:]):
        with pytest.raises(BadSource, match="expected the files of the plan"):
            run(replace(recipe, documents=Documents(wrong)), tmp_path / "out")


def test_an_edited_file_is_refused_and_a_touched_one_is_not(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "out")
    corpus = Path(recipe.documents.files[0])
    os.utime(corpus, ns=(1, 1))
    run(recipe, tmp_path / "out")
    corpus.write_bytes(corpus.read_bytes().replace(b"teeth", b"tooth"))
    with pytest.raises(BadSource, match="a file that was edited since"):
        run(recipe, tmp_path / "out")


def test_an_edit_that_the_first_look_does_not_see_fails_its_unit(recipe: Recipe, tmp_path: Path) -> None:
    corpus = Path(recipe.documents.files[0])
    run(recipe, tmp_path / "out")
    plan, places = read_plan(open_folder(tmp_path / "out")), Places(tmp_path / "out")
    for unit in plan.units:
        places.commit(unit).unlink()
    places.totals.unlink()
    edited = plan.units[1]
    assert edited.stretch is not None
    with corpus.open("r+b") as f:
        f.seek(edited.stretch.start)
        f.write(b"e")
    _, ended = run(recipe, tmp_path / "out")
    assert [f.unit for f in ended.failed] == [edited]
    assert "a file that was edited" in ended.failed[0].error
    assert not places.totals.exists()
    assert not places.commit(edited).exists()


def test_a_directory_that_holds_something_else_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(BadSource, match="expected a new or empty directory, got one with 'mine.txt' in it"):
        run(recipe, tmp_path / "out")
    with pytest.raises(BadSource, match="expected a new or empty directory"):
        run(recipe, tmp_path / "out", fresh=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_fresh_removes_no_folder_that_no_plan_is_of(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "out" / "parts").mkdir(parents=True)
    (tmp_path / "out" / "parts" / "mine.txt").write_text("mine")
    with pytest.raises(BadSource, match="expected a new or empty directory, got one with 'parts' in it"):
        run(recipe, tmp_path / "out", fresh=True)
    run(recipe, tmp_path / "ours")
    (tmp_path / "ours" / "mine.txt").write_text("mine")
    whole = files_of(tmp_path / "ours")
    with pytest.raises(BadSource, match="nothing but the files of a job, got one with 'mine.txt' in it"):
        run(recipe, tmp_path / "ours", fresh=True, n_bytes=30)
    left = {name: data for name, data in files_of(tmp_path / "ours").items() if name != ".lock"}
    assert left == whole
    assert (tmp_path / "out" / "parts" / "mine.txt").read_text() == "mine"


def test_fresh_starts_over(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "one", n_bytes=30)
    run(recipe, tmp_path / "out", n_bytes=60)
    run(recipe, tmp_path / "out", n_bytes=30, fresh=True)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "one")


def test_a_directory_in_use_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with (
        open_locked(tmp_path / "out" / ".lock"),
        pytest.raises(BadSource, match="that no other run writes to"),
    ):
        run(recipe, tmp_path / "out")


def test_a_file_is_no_directory(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(BadSource, match="expected a directory, got a file"):
        run(recipe, tmp_path / "out")


def test_an_input_without_rows_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(BadSource, match="expected"):
        run(replace(recipe, documents=Documents((str(tmp_path / "empty.txt"),))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def with_another_size(plan: Path) -> bytes:
    table = pq.read_table(plan)
    sizes = pa.array([n + 1 for n in table["stop"].to_pylist()], pa.int64())
    out = pa.BufferOutputStream()
    pq.write_table(table.set_column(table.schema.get_field_index("stop"), "stop", sizes), out)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "harm", [lambda p: p.read_bytes()[: p.stat().st_size // 2], lambda p: b"", with_another_size]
)
def test_a_damaged_plan_is_refused(recipe: Recipe, tmp_path: Path, harm: Callable[[Path], bytes]) -> None:
    run(recipe, tmp_path / "out")
    plan = tmp_path / "out" / "plan.parquet"
    plan.write_bytes(harm(plan))
    with pytest.raises(BadSource, match="expected the plan of a job, got a damaged file"):
        run(recipe, tmp_path / "out")


def test_the_record_of_another_job_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "out")
    run(replace(recipe, rows=ScoreRows(text=False)), tmp_path / "other")
    plan = read_plan(open_folder(tmp_path / "out"))
    record = Places(tmp_path / "other").commit(plan.units[1])
    Places(tmp_path / "out").commit(plan.units[1]).write_bytes(record.read_bytes())
    with pytest.raises(BadSource, match="expected the record of this job, got that of another"):
        run(recipe, tmp_path / "out")
