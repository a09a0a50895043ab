"""A directory of parts: the rows of the one file, whatever the units and the workers; a stopped run goes on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from shard_toys import Places, Recipe, files_of, run

import pofx
from pofx.files.folders.opening import open_folder
from pofx.jobs.documents import Documents
from pofx.jobs.run import run as run_job
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded.commit import find_commit
from pofx.jobs.sharded.plan import read_plan
from pofx.jobs.sharded.running import ShardsStart, TooManyErrors, UnitDone
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.verify import forget_faulty, verify


def rows_of(directory: Path) -> list[dict[str, object]]:
    return [
        row for p in sorted((directory / "parts").glob("*.parquet")) for row in pq.read_table(p).to_pylist()
    ]


@pytest.mark.parametrize("n_bytes", [1, 60, 10**6])
def test_the_rows_of_all_parts_are_the_rows_of_the_file(recipe: Recipe, tmp_path: Path, n_bytes: int) -> None:
    _, ended = run(recipe, tmp_path / "out", n_bytes=n_bytes)
    one = replace(recipe(), out=str(tmp_path / "one.parquet"))
    last = list(run_job(one))[-1]
    assert rows_of(tmp_path / "out") == pq.read_table(tmp_path / "one.parquet").to_pylist()
    assert math.isclose(ended.totals.nats, last.nats, rel_tol=1e-12)  # type: ignore[union-attr]
    assert ended.totals.rows == ended.totals.scored == 42
    assert verify(tmp_path / "out") == []


@pytest.mark.thorough
def test_two_workers_make_the_bytes_of_one(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "one")
    run(recipe, tmp_path / "two", workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert len(files_of(tmp_path / "one")) > 10


def test_totals_are_the_sums_of_the_scores(recipe: Recipe, tmp_path: Path) -> None:
    _, ended = run(recipe, tmp_path / "out")
    texts = Path(recipe.documents.files[0]).read_text().splitlines()
    scored = pofx.score(pofx.load(recipe.model), texts)
    assert math.isclose(ended.totals.nats, math.fsum(s.total for s in scored), rel_tol=1e-13)
    assert ended.totals.tokens == sum(len(s.logp) for s in scored)
    assert ended.totals.bytes == sum(len(t) for t in texts)
    record = json.loads((tmp_path / "out" / "totals.json").read_text())
    assert record["nats"] == ended.totals.nats


def test_a_run_that_was_stopped_does_only_what_is_left(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "whole")
    run(recipe, tmp_path / "out")
    places, plan = Places(tmp_path / "out"), read_plan(open_folder(tmp_path / "out"))
    for unit in plan.units[1::2]:
        places.commit(unit).unlink()
    places.totals.unlink()
    events, _ = run(recipe, tmp_path / "out")
    start = next(e for e in events if isinstance(e, ShardsStart))
    assert start.done == (len(plan.units) + 1) // 2
    assert [e.unit.number for e in events if isinstance(e, UnitDone)] == [u.number for u in plan.units[1::2]]
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    events, _ = run(recipe, tmp_path / "out")
    assert not any(isinstance(e, UnitDone) for e in events)


def test_rows_without_a_score_are_in_files_of_their_own(recipe: Recipe, tmp_path: Path) -> None:
    corpus = tmp_path / "bad.jsonl"
    lines = ['{"text": "cat"}', "no JSON", '{"text": "the zebra"}', '{"text": "a"}']
    corpus.write_text("\n".join(lines) + "\n")
    _, ended = run(
        replace(recipe, documents=Documents((str(corpus),))), tmp_path / "out", n_bytes=10, max_error_rate=1
    )
    assert ended.totals.errors == 1
    path = Path(*status(tmp_path / "out").error_files)
    (row,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (row["line"], row["source"]) == (2, str(corpus))
    assert corpus.read_bytes()[row["start"] : row["stop"]].startswith(b"no JSON")
    assert "expected a JSON object" in row["error"]
    assert [r["id"] for r in rows_of(tmp_path / "out")] == [f"{corpus}:{k}" for k in (1, 3, 4)]
    assert verify(tmp_path / "out") == []


def test_too_many_bad_rows_end_the_run_and_keep_what_is_done(recipe: Recipe, tmp_path: Path) -> None:
    corpus = tmp_path / "bad.jsonl"
    corpus.write_text('{"text": "cat"}\n' + "no JSON\n")
    bad = replace(recipe, documents=Documents((str(corpus),)))
    with pytest.raises(TooManyErrors, match=r"at most 0.10% of the rows .* got 1 of 2"):
        run(bad, tmp_path / "out", n_bytes=5)
    assert status(tmp_path / "out").totals.units == 2
    events, _ = run(bad, tmp_path / "out", n_bytes=5, max_error_rate=0.5)
    assert not any(isinstance(e, UnitDone) for e in events)


def test_kept_fields_have_one_kind_in_all_parts(recipe: Recipe, tmp_path: Path) -> None:
    corpus = tmp_path / "kept.jsonl"
    lines = [{"text": "cat", "k": k} for k in range(1000)] + [{"text": "cat", "k": "word"}]
    corpus.write_text("".join(json.dumps(r) + "\n" for r in lines))
    kept = Recipe(recipe.model, Documents((str(corpus),), keep=("k",)), ScoreRows(keep=("k",)))
    _, ended = run(kept, tmp_path / "out", n_bytes=5000, max_error_rate=0.01)
    parts = sorted((tmp_path / "out" / "parts").glob("*.parquet"))
    assert len(parts) > 3
    assert {str(pq.read_schema(p).field("k").type) for p in parts} == {"int64"}
    path = Path(*status(tmp_path / "out").error_files)
    assert "expected int in field 'k'" in path.read_text()
    assert ended.totals.scored == 1000


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (lambda p, u: p.part(u).write_bytes(p.part(u).read_bytes()[:-9]), "damaged"),
        (lambda p, u: p.part(u).unlink(), "missing"),
        (lambda p, u: p.commit(u).unlink(), "missing"),
        (lambda p, u: p.commit(u).write_text('{"unit": 2}'), "damaged"),
        (lambda p, u: (p.directory / "parts" / "part-9999999.parquet").write_bytes(b""), "foreign"),
        (lambda p, u: p.totals.unlink(), "totals"),
        (
            lambda p, u: p.totals.write_text(p.totals.read_text().replace('"rows": 42', '"rows": 43')),
            "totals",
        ),
    ],
)
def test_verify_names_each_fault(recipe: Recipe, tmp_path: Path, harm: object, fault: str) -> None:
    run(recipe, tmp_path / "whole")
    run(recipe, tmp_path / "out")
    places, plan = Places(tmp_path / "out"), read_plan(open_folder(tmp_path / "out"))
    harm(places, plan.units[2])  # type: ignore[operator]
    found = verify(tmp_path / "out")
    assert [f.fault for f in found] == [fault]
    if fault in ("damaged", "missing", "totals"):
        forget_faulty(tmp_path / "out", found)
        run(recipe, tmp_path / "out")
        assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_record_holds_what_its_unit_holds(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, tmp_path / "out")
    places, plan = Places(tmp_path / "out"), read_plan(open_folder(tmp_path / "out"))
    for unit in plan.units:
        commit = find_commit(open_folder(places.directory), unit)
        assert commit is not None
        assert commit.scored == pq.read_metadata(places.part(unit)).num_rows
        assert commit.fingerprint == plan.fingerprint
