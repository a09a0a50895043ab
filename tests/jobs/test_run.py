"""Jobs from Python, without the command line: stopped anywhere and taken up again, answered elsewhere, told as values."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pofx.errors import BadSource, BadValue
from pofx.jobs.documents import Documents, ReadOptions
from pofx.jobs.events import BlankLines, BlockEnd, BlockStart, JobEnd, JobStart, RepeatedId, UnresumableInput
from pofx.jobs.job import Job, JobStopped
from pofx.jobs.run import JobRun, run
from pofx.jobs.score_rows import ScoreRows
from pofx.lm.trace import Trace, Want
from pofx.queries.scoring.stream import BlockSize, blocks
from toy import ToyLM

TEXTS = ["a", "abc", "", "cab", "bbbb", "acb", "c", "ba"]
A_BLOCK = 3  # so blocks end after 3, 6 and 8 texts


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pofx.queries.scoring.stream.TEXTS", A_BLOCK)
    Path("in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS))


def job(out: str = "out.csv", lm: ToyLM | None = None, rows: ScoreRows = ScoreRows(), **others: Any) -> Job:
    return Job(lm or ToyLM(), "toy", Documents(("in.jsonl",)), rows, out, **others)


def whole(**others: Any) -> bytes:
    *_, ended = run(job("whole.csv", **others))
    assert isinstance(ended, JobEnd)
    return Path("whole.csv").read_bytes()


class Fails(ToyLM):
    """The toy, whose pass over the block number `at` raises."""

    def __init__(self, at: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = at, error

    def forward(self, paths: Sequence[Any], want: Want = Want(), skips: Sequence[int] | None = None) -> Trace:
        if not self.left:
            raise self.error
        self.left -= 1
        return super().forward(paths, want, skips)


def stopped_inside(at: int, error: BaseException, expected: type[BaseException]) -> None:
    with pytest.raises(expected):
        list(run(job(lm=Fails(at, error))))


def stopped_between(at: int, stop: Callable[[Any], None]) -> None:
    events = run(job())
    while at:
        at -= isinstance(next(events), BlockEnd)
    stop(events)


def raised_by_the_caller(events: Any) -> None:
    with pytest.raises(RuntimeError):
        events.throw(RuntimeError("the caller's"))


def interrupted_by_the_caller(events: Any) -> None:
    with pytest.raises(JobStopped) as e:
        events.throw(KeyboardInterrupt())
    assert e.value.resumable


STOPS: dict[str, Callable[[int], None]] = {
    "error": lambda at: stopped_inside(at, RuntimeError("the model's"), RuntimeError),
    "memory": lambda at: stopped_inside(at, MemoryError(), MemoryError),
    "Ctrl-C": lambda at: stopped_inside(at, KeyboardInterrupt(), JobStopped),
    "closed": lambda at: stopped_between(at, lambda events: events.close()),
    "caller's error": lambda at: stopped_between(at, raised_by_the_caller),
    "caller's Ctrl-C": lambda at: stopped_between(at, interrupted_by_the_caller),
}


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("how", STOPS)
def test_a_stopped_job_goes_on_with_the_same_bytes(
    how: str, at: int, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = whole()
    STOPS[how](at)
    assert not Path("out.csv").exists()
    begun, *told = run(job())
    assert isinstance(begun, JobStart)
    assert begun.rows == at * A_BLOCK
    assert [e.rows for e in told if isinstance(e, BlockEnd)] == [3, 3, 2][at:]
    assert Path("out.csv").read_bytes() == expected
    assert sorted(p.name for p in Path().iterdir()) == ["in.jsonl", "out.csv", "whole.csv"]
    assert capfd.readouterr() == ("", "")


def test_a_job_stopped_before_its_first_block_leaves_nothing() -> None:
    for how in ("error", "Ctrl-C"):
        STOPS[how](0)
        assert [p.name for p in Path().iterdir()] == ["in.jsonl"]


def test_what_was_kept_is_in_the_error() -> None:
    with pytest.raises(JobStopped) as e:
        list(run(job(lm=Fails(2, KeyboardInterrupt()))))
    assert (e.value.rows, e.value.stretches, e.value.rows_file) == (6, 0, Path("out.csv.part"))
    assert str(e.value) == "interrupted; 6 rows are kept in out.csv.part; the same command goes on from there"


def test_blocks_may_be_answered_elsewhere_in_any_order() -> None:
    """A block and its answers go through pickle, as they do on the way to a worker and back."""
    rows = ScoreRows(per="token", top=2)
    expected = whole(rows=rows)
    query = rows.bind(ToyLM())
    with JobRun(job(rows=rows)) as at_work:
        sent = [pickle.dumps(block) for block in at_work.blocks()]
        answers = {k: pickle.loads(sent[k]).answers(query) for k in (2, 0, 1)}  # noqa: S301  (ours)
        for k, data in enumerate(sent):
            at_work.keep(pickle.loads(data), answers[k])  # noqa: S301  (ours)
        ended = at_work.finish()
    assert (ended.rows, ended.scored) == (8, 8)
    assert Path("out.csv").read_bytes() == expected


def test_blocks_out_of_order_are_refused() -> None:
    rows = ScoreRows()
    with JobRun(job()) as at_work:
        first, second, _ = at_work.blocks()
        with pytest.raises(BadValue, match="row 0, got a block that begins at row 3"):
            at_work.keep(second, second.answers(rows.bind(ToyLM())))
        with pytest.raises(BadValue, match="3 answers, got 2"):
            at_work.keep(first, first.answers(rows.bind(ToyLM()))[:2])


def test_events_are_values() -> None:
    lines = ['{"text": "a", "id": "x"}', "", '{"text": "b", "id": "y"}', '{"text": 7, "id": "z"}']
    lines += ['{"text": "c", "id": "x"}', '{"text": "ab", "id": "w"}']
    Path("in.jsonl").write_text("\n".join(lines) + "\n")
    documents = Documents(("in.jsonl",), ReadOptions(id="id"))
    told = list(run(Job(ToyLM(), "toy", documents, ScoreRows(), "out.jsonl")))
    kinds = [JobStart, BlockStart, BlockEnd, BlankLines, RepeatedId, BlockStart, BlockEnd, JobEnd]
    assert [type(e) for e in told] == kinds
    assert told[3] == BlankLines(1)
    assert told[4] == RepeatedId("x", "in.jsonl:1", "in.jsonl:5", 0)
    assert [(e.tokens, e.rows) for e in told if isinstance(e, BlockEnd)] == [(4, 3), (5, 2)]
    ended = told[-1]
    assert isinstance(ended, JobEnd)
    # The number 7 is no text.
    assert (ended.rows, ended.scored, ended.bytes, ended.already) == (5, 4, 5, False)
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert ended.nats == pytest.approx(sum(r["total_nats"] for r in rows if r["error"] is None))


def test_a_pipe_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("in.jsonl").open() as f:
        monkeypatch.setattr(sys, "stdin", f)
        documents = Documents(("-",), ReadOptions(format="jsonl"))
        first, *_, ended = run(Job(ToyLM(), "toy", documents, ScoreRows(), "out.jsonl"))
    assert first == UnresumableInput()
    assert isinstance(ended, JobEnd)
    assert ended.scored == 8


def test_a_second_job_of_one_file_is_refused() -> None:
    with JobRun(job()), pytest.raises(BadSource, match="another run is writing"):
        list(run(job()))


def test_no_click_is_needed() -> None:
    code = (
        "import sys; sys.modules['click'] = sys.modules['rich'] = None\n"
        "import pofx\n"
        "from pofx.jobs.documents import Documents\n"
        "from pofx.jobs.job import Job\n"
        "from pofx.jobs.run import run\n"
        "from pofx.jobs.score_rows import ScoreRows\n"
        "lm = pofx.fit(['abc', 'cab'], pofx.NgramSpec(2))\n"
        "*_, ended = run(Job(lm, 'abc', Documents(('in.jsonl',)), ScoreRows(), 'out.jsonl'))\n"
        "sys.exit(0 if ended.scored == 8 else 3)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


@given(st.lists(st.text("ab", max_size=6), max_size=12), st.integers(1, 4), st.integers(1, 8))
def test_blocks_are_whole_bounded_and_the_same_from_any_block_on(texts: list[str], n: int, size: int) -> None:
    def cut(items: list[str], first: int) -> list[Any]:
        return list(blocks(items, lambda t: (t, ""), BlockSize(n, size), first))

    found = cut(texts, 0)
    assert [t for b in found for t in b.items] == texts
    for b in found:
        assert 0 < len(b.items) <= n
        assert len(b.items) == 1 or sum(map(len, b.items)) <= size
        assert b.first == sum(len(c.items) for c in found if c.first < b.first)
        assert cut(texts[b.first :], b.first) == [c for c in found if c.first >= b.first]


def test_a_job_over_a_url_is_taken_up_only_where_the_store_has_the_same_content() -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/in.jsonl", Path("in.jsonl").read_bytes())

    def over(out: str, lm: ToyLM | None = None) -> Job:
        return Job(lm or ToyLM(), "toy", Documents(("memory://in.jsonl",)), ScoreRows(), out)

    list(run(over("whole.csv")))
    with pytest.raises(JobStopped):
        list(run(over("out.csv", Fails(2, KeyboardInterrupt()))))
    text = store.cat("/in.jsonl")
    store.pipe("/in.jsonl", text.replace(b"cab", b"bac"))
    with pytest.raises(BadValue, match="input memory://in.jsonl"):
        list(run(over("out.csv")))
    store.pipe("/in.jsonl", text)
    begun, *_ = run(over("out.csv"))
    assert isinstance(begun, JobStart)
    assert begun.rows == 6
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes()
    with pytest.raises(BadValue, match="expected a path on this machine, got the URL 'memory://out.csv'"):
        list(run(over("memory://out.csv")))
    store.rm("/in.jsonl")
