"""A part that is made of columns has the rows of a part that is made row by row."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from shard_toys import Recipe, run

import pofx
from pofx.jobs.documents import Documents, ReadOptions
from pofx.jobs.score_rows import ScoreRows
from pofx.jobs.sharded import part
from pofx.vocab.words import WordVocab


@pytest.fixture
def words(tmp_path: Path) -> Recipe:
    """A corpus with a bad row, unknown words and a lone surrogate, and a model of words."""
    lm = pofx.fit(
        ["the cat", "a cat sat", "the end"],
        pofx.NgramSpec(order=3, vocab=WordVocab(["a", "the", "cat", "sat", "end"])),
    )
    pofx.save(lm, tmp_path / "words")
    texts = ["the cat", "", "a dog", "the cat", "the  end", "a cat sat", "dog"] * 3
    rows = [json.dumps({"text": t, "id": i}) for i, t in enumerate(texts)]
    rows[5:5] = ["{", json.dumps({"id": 99}), json.dumps({"text": "\udc80", "id": "x"})]
    (tmp_path / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    documents = Documents((str(tmp_path / "corpus.jsonl"),), ReadOptions(id="id"))
    return Recipe(str(tmp_path / "words"), documents)


@pytest.mark.parametrize("rows", [ScoreRows(), ScoreRows(text=False), ScoreRows(prefix=True)], ids=str)
def test_columns_hold_what_rows_hold(
    words: Recipe, tmp_path: Path, rows: ScoreRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(words, rows=rows)
    monkeypatch.setattr("pofx.jobs.total_rows.GROUP_ROWS", 4)
    run(recipe, tmp_path / "columns", n_bytes=300, max_error_rate=1.0)
    asked: list[object] = []
    monkeypatch.setattr(part, "asks_for_totals", lambda job: bool(asked.append(job)))
    run(recipe, tmp_path / "rows", n_bytes=300, max_error_rate=1.0)
    assert asked
    names = sorted(p.relative_to(tmp_path / "rows") for p in (tmp_path / "rows").rglob("*-*"))
    assert len([n for n in names if n.parts[0] == "parts"]) > 1
    assert names == sorted(p.relative_to(tmp_path / "columns") for p in (tmp_path / "columns").rglob("*-*"))
    for name in names:
        one, other = tmp_path / "columns" / name, tmp_path / "rows" / name
        if name.suffix == ".parquet":
            a, b = pq.read_table(one), pq.read_table(other)
            assert a.schema.equals(b.schema, check_metadata=True)
            assert a.to_pylist() == b.to_pylist()
        elif name.suffix == ".jsonl":
            assert one.read_bytes() == other.read_bytes()
        else:
            # Row groups of other sizes make other hashes.
            records = [json.loads(p.read_text()) for p in (one, other)]
            a, b = ({k: v for k, v in r.items() if k not in ("part", "seal")} for r in records)
            assert a == b


def test_a_question_that_needs_records_has_rows(words: Recipe) -> None:
    for rows in (
        ScoreRows(per="token"),
        ScoreRows(keep=("id",)),
        ScoreRows(given=True),
        ScoreRows(boundary="exact"),
    ):
        assert not part.asks_for_totals(replace(words, rows=rows)())
    given = replace(words.documents, given="the")
    assert not part.asks_for_totals(replace(words, documents=given)())
    assert part.asks_for_totals(words())
