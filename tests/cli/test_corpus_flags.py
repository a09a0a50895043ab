"""pofx corpus -o: a row a document, with all groups of copies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import Ran

from pofx.queries.corpus_audit.near_duplicates import group_exact_copies, group_near_copies

Run = Callable[..., Ran]
BODY = "This page tells how the small engine of a boat is cleaned, number"


def test_all_groups_are_written(run: Run) -> None:
    # Twelve groups: the report itself lists ten.
    texts = [f"{BODY} {k}, {word * 9}" for k, word in enumerate("abcdefghijkl")]
    texts = [*texts, *texts, "and then it ends", *(f"{t}!" for t in texts), "One of a kind."]
    Path("web.txt").write_text("".join(f"{t}\n" for t in texts))
    ran = run("corpus", "web.txt", "-o", "flags.parquet")
    assert ran.code == 0, ran.err
    assert "pofx: wrote flags.parquet" in ran.err
    rows = pq.read_table("flags.parquet").to_pylist()
    ids = [f"web.txt:{k}" for k in range(1, len(texts) + 1)]
    assert [r["id"] for r in rows] == ids
    for name, groups in (("copy_of", group_exact_copies(texts)), ("near_copy_of", group_near_copies(texts))):
        assert [r[name] for r in rows] == [None if g == k else ids[g] for k, g in enumerate(groups.tolist())]
    assert sum(r["copy_of"] is not None for r in rows) == 12
    assert sum(r["near_copy_of"] is not None for r in rows) >= 24
    assert [r["id"] for r in rows if r["begins_midway"]] == [ids[24]]


@pytest.mark.parametrize("name", ["flags.jsonl", "flags.csv", "new/flags.jsonl.gz"])
def test_other_formats(run: Run, name: str) -> None:
    Path("web.txt").write_text("one\ntwo\none\n" * 4)
    assert run("corpus", "web.txt", "-o", name, "--json").code == 0
    assert Path(name).is_file()
    if name.endswith(".jsonl"):
        rows = [json.loads(line) for line in Path(name).read_text().splitlines()]
        assert (rows[2]["copy_of"], rows[0]["copy_of"]) == ("web.txt:1", None)
    assert not list(Path().rglob(".flags*"))


def test_a_name_without_a_format_is_refused_before_any_work(run: Run) -> None:
    Path("web.txt").write_text("one\n")
    assert (
        "expected a file to write that ends in .jsonl" in run("corpus", "web.txt", "-o", "flags.txt").refusal
    )
    assert not Path("flags.txt").exists()
