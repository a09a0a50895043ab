"""pofx filter: every document lands once, copies go whatever the units are, and any number of workers makes the same bytes."""

from __future__ import annotations

import filecmp
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from command_line import Ran, process

import pofx

Run = Callable[..., Ran]
DOCS = Path(__file__).parents[2] / "docs"
ENGLISH, FRENCH = (list(pofx.documents(DOCS / name)) for name in ("proverbs.txt", "proverbes.txt"))
FIT = ("--language", f"en={DOCS / 'proverbs.txt'}", "--language", f"fr={DOCS / 'proverbes.txt'}")


def web() -> list[str]:
    """Proverbs of two languages, with exact and near copies, base64 and an empty document, in a random order."""
    texts = [
        *ENGLISH,
        *FRENCH,
        *ENGLISH[:50],
        *(f"{t}!" for t in FRENCH[:20]),
        *["aGVsbG8gd29ybGQ="] * 3,
        " ",
    ]
    random.Random(3).shuffle(texts)
    return texts


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"text": t, "n": k}) for k, t in enumerate(web())]
    Path("web.jsonl").write_text("\n".join([*lines, '{"n": 1}', ""]))
    files = (str(DOCS / "proverbs.txt"), str(DOCS / "proverbes.txt"))
    assert run("filter", "fit", *files, *FIT, "--order", "4", "-o", "quality").code == 0
    return tmp_path


APPLY = (
    "filter",
    "apply",
    "quality",
    "web.jsonl",
    "--unit-size",
    "4K",
    "--max-error-rate",
    "0.1",
    "--keep",
    "n",
)


def apply(run: Run, name: str, *more: str) -> Ran:
    return run(*APPLY, "-o", f"{name}/", "--rest", f"{name}-rest/", *more)


def rows(directory: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ds.dataset(f"{directory}/parts").to_table().to_pylist()
    return found


def test_each_document_lands_once(run: Run, here: Path) -> None:
    ran = apply(run, "a", "--workers", "1")
    assert ran.code == 1  # the row without a text
    assert "1 row without a document; the files in a-rest/errors say why" in ran.err
    kept, rest = rows("a"), rows("a-rest")
    assert sorted(r["n"] for r in [*kept, *rest]) == list(range(len(web())))
    assert [r["text"] for r in sorted([*kept, *rest], key=lambda r: r["n"])] == web()
    assert all(not r["reason"] for r in kept)
    assert all(r["reason"] for r in rest)
    assert f"{len(kept)} of {len(web())} documents kept in a/" in ran.out
    for name in ("a", "a-rest"):
        assert run("verify", name).out == "every unit is there, once, as its record says\n"
    assert json.loads(run("jobs", "a", "--json").out)["totals"]["rows"] == len(kept)


def test_of_equal_documents_the_first_is_kept(run: Run, here: Path) -> None:
    apply(run, "a", "--workers", "1")
    every = sorted([*rows("a"), *rows("a-rest")], key=lambda r: r["n"])
    by_id = {r["id"]: r for r in every}
    copies = 0
    for k, row in enumerate(every):
        first = web().index(row["text"])
        assert (row["copy_of"] == every[first]["id"]) or first == k
        if first < k:
            copies += 1
            assert row["reason"] in ("copy", "improbable")
        elif row["reason"] == "near copy":
            assert by_id[row["copy_of"]]["reason"] == ""
            assert (
                pofx.algorithms.statistics.shingles.jaccard(row["text"], by_id[row["copy_of"]]["text"]) > 0.6
            )
    assert copies == len(web()) - len(set(web())) >= 52
    assert Counter(Counter(r["text"] for r in rows("a")).values()).keys() == {1}


def same(one: Path, other: Path) -> bool:
    found = filecmp.dircmp(one, other, ignore=[])
    if found.left_only or found.right_only or found.funny_files:
        return False
    equal = all((one / f).read_bytes() == (other / f).read_bytes() for f in found.common_files)
    return equal and all(same(one / d, other / d) for d in found.common_dirs)


def test_workers_do_not_change_a_byte(run: Run, here: Path) -> None:
    apply(run, "a", "--workers", "1")
    assert process(*APPLY, "-o", "b/", "--rest", "b-rest/", "--workers", "2", cwd=here).returncode == 1
    assert same(here / "a", here / "b")
    assert same(here / "a-rest", here / "b-rest")
    assert not list(here.glob("?/.*"))
    (here / "b/parts/part-0000001.parquet").write_bytes(b"")
    assert not same(here / "a", here / "b")


def test_a_finished_run_is_told_again(run: Run, here: Path) -> None:
    first = apply(run, "a", "--workers", "1")
    assert apply(run, "a", "--workers", "1").out == first.out
    told = apply(run, "a", "--workers", "1", "--dedupe", "exact").refusal
    assert "got others (--dedupe: 'near' then, 'exact' now)" in told
    assert apply(run, "a", "--dedupe", "exact", "--overwrite").code == 1
    assert not any(r["reason"] == "near copy" for r in rows("a-rest"))


def test_a_run_that_was_killed_goes_on(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(run, "a", "--workers", "1")
    import pofx.jobs.filtered.running as running

    writes = iter(range(100))

    def fail(*args: Any) -> Any:
        if next(writes) == 9:  # in the middle of the second side
            raise OSError(28, "No space left on device", "b-rest")
        return real(*args)

    real = running.write_side
    monkeypatch.setattr(running, "write_side", fail)
    assert "make room" in apply(run, "b", "--workers", "1").refusal
    assert Path("b/.scores/plan.parquet").is_file()
    monkeypatch.setattr(running, "write_side", real)
    ran = apply(run, "b", "--workers", "1")
    assert "going on after 7 of 7 units" in ran.err
    assert same(here / "a", here / "b")
    assert same(here / "a-rest", here / "b-rest")


def test_row_groups_do_not_change_a_row(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(run, "a", "--workers", "1")
    monkeypatch.setattr("pofx.corpus.writing.GROUP_ROWS", 7)
    apply(run, "b", "--workers", "1")
    for side in ("", "-rest"):
        assert rows(f"a{side}") == rows(f"b{side}")
        assert run("verify", f"b{side}").code == 0
    assert pq.ParquetFile("b/parts/part-0000000.parquet").num_row_groups > 2


def test_other_units_leave_no_part_of_the_units_before(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pofx.jobs.filtered.running as running

    real = running.write_side
    writes = iter(range(100))

    def fail(*args: Any) -> Any:
        if next(writes) == 10:
            raise OSError(28, "No space left on device", "a-rest")
        return real(*args)

    monkeypatch.setattr(running, "write_side", fail)
    assert apply(run, "a", "--workers", "1", "--quiet").code == 2
    monkeypatch.setattr(running, "write_side", real)
    shutil.rmtree("a/.scores")
    other = ("--workers", "1", "--unit-size", "16K", "--quiet")
    said = [w for w in APPLY if w not in ("--unit-size", "4K")]
    for name in ("a", "b"):
        assert run(*said, "-o", f"{name}/", "--rest", f"{name}-rest/", *other).code == 1
    assert same(here / "a", here / "b")
    assert same(here / "a-rest", here / "b-rest")


def test_what_to_drop(run: Run, here: Path) -> None:
    apply(run, "a", "--workers", "1", "--drop", "fitted", "--drop", "midway")
    assert not any(r["fitted"] or r["midway"] for r in rows("a"))
    reasons = Counter(r["reason"] for r in rows("a-rest"))
    assert reasons["fitted"] > 100
    Path("web.jsonl").write_text('{"text": "and a good man is", "n": 1}\n')
    apply(run, "b", "--workers", "1", "--drop", "midway")
    assert [(r["midway"], r["reason"]) for r in rows("b-rest")] == [("begins, ends", "midway")]


def test_refusals_leave_nothing(run: Run, here: Path) -> None:
    assert (
        "expected the directory of a filter"
        in run(*APPLY[:2], "nothing", "web.jsonl", "-o", "a", "--rest", "b").refusal
    )
    assert "got 'a/b/'" in run(*APPLY, "-o", "a", "--rest", "a/b").refusal
    Path("mine").mkdir()
    Path("mine/notes").write_text("")
    told = run(*APPLY, "-o", "a", "--rest", "mine").refusal
    assert "mine: expected a new or empty directory, got one with 'notes' in it" in told
    assert {p.name for p in here.iterdir()} == {"web.jsonl", "quality", "mine"}
    assert (
        "--good, --bad: expected both or neither, got one of the two"
        in run("filter", "fit", "web.jsonl", "--good", "web.jsonl", "-o", "q").refusal
    )
    both = ("--language", "en=web.jsonl", "--language-field", "n")
    assert (
        "--language-field: expected only without --language"
        in run("filter", "fit", "web.jsonl", *both, "-o", "q").refusal
    )


def test_a_fit_by_a_field_and_by_labels(run: Run, here: Path) -> None:
    rows = [{"text": t, "lang": n} for n, ts in (("en", ENGLISH), ("fr", FRENCH)) for t in ts]
    Path("sample.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    ran = run(
        "filter",
        "fit",
        "sample.jsonl",
        "--language-field",
        "lang",
        "-o",
        "q",
        "--quantiles",
        "0.1",
        "1",
        "--json",
    )
    found = {b["language"]: b for b in json.loads(ran.out)["languages"]}
    assert list(found) == ["en", "fr"]
    assert found["en"]["high_bits_per_byte"] is None
    assert found["en"]["kept"] == found["en"]["documents"] - int(0.1 * found["en"]["documents"])
    Path("bad.txt").write_text("xq zz 77 vv\nAAAA==//\n")
    labels = ("--good", str(DOCS / "proverbs.txt"), "--bad", "bad.txt")
    ran = run("filter", "fit", str(DOCS / "proverbs.txt"), *labels, "-o", "q2", "--reject", "0")
    assert ran.code == 0, ran.err
    assert "0  2 bad documents" in " ".join(ran.out.split())[:400] or "bad documents" in ran.out
    assert "parts good from bad documents best" in ran.out


def test_the_page_shows_examples_on_either_side(run: Run, here: Path) -> None:
    files = (str(DOCS / "proverbs.txt"), str(DOCS / "proverbes.txt"))
    ran = run("filter", "fit", *files, *FIT, "--quantiles", "0.05", "0.9", "-o", "q", "--html", "fit.html")
    assert "pofx: wrote fit.html" in ran.err
    apply(run, "a", "--workers", "1", "--html", "apply.html")
    for page in ("fit.html", "apply.html"):
        text = Path(page).read_text()
        assert "Kept, and nearest to the upper bound of" in text
        assert "The nearest documents beyond the bound:" in text
        assert "Language fr" in text
        assert "pofx filter" in text  # the command that made the page
    assert "nearest to the lower bound of" in Path("fit.html").read_text()
    assert "equal to an earlier document" in Path("apply.html").read_text()
