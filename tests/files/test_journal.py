"""Runs that meet, runs that are killed after their last step, and what is damaged of what they left."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pofx.errors import BadSource, BadValue, PofxError
from pofx.files.journal import Journal, open_journal
from pofx.files.journal_files import part_of, progress_of
from refusals import decided

PARTS = {"model": "m", "inputs": ["a.txt"]}
HERE = {"device": "cpu", "instruction set": "AVX2 (numpy)", "numpy": "2.4.6"}
ROWS = [b'{"id": "a.txt:1", "nats": -3.5}\n', b'{"id": "a.txt:2", "nats": -14.25}\n']


def stopped(target: Path) -> None:
    """What a run leaves that was killed after two blocks."""
    journal = open_journal(target, PARTS, HERE, {"items": 0}, fresh=True)
    for k, rows in enumerate(ROWS):
        journal.append(rows, {"items": k + 1})
    journal.checkpoint()
    journal.close()


# Runs that meet -------------------------------------------------------------------------------------------------


def write_number(
    n: int, target: Path, overwrite: bool, at_once: threading.Barrier, won: list[int], told: list[str]
) -> None:
    """One run: it writes its number, or says why not."""
    at_once.wait()
    try:
        journal = open_journal(
            target, {**PARTS, "n": n}, HERE, {"items": 0}, fresh=False, overwrite=overwrite
        )
    except PofxError as e:
        told.append(str(e))
        return
    won.append(n)
    journal.append(b"%d\n" % n, {"items": 1})
    journal.finish(None)


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_runs_that_start_at_once_one_wins_and_the_others_say_so(tmp_path: Path, overwrite: bool) -> None:
    pytest.importorskip("fcntl")
    for k in range(30):
        target = tmp_path / f"{k}.jsonl"
        at_once, won, told = threading.Barrier(4), list[int](), list[str]()

        threads = [
            threading.Thread(target=write_number, args=(n, target, overwrite, at_once, won, told))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A run that comes when another has finished replaces that file, if it may; none writes into another's.
        assert len(won) >= 1 if overwrite else len(won) == 1
        assert int(target.read_bytes()) in won
        assert len(won) + len(told) == 4
        assert all("another run is writing" in t or "the path of a finished output" in t for t in told), told
        assert [p.name for p in tmp_path.iterdir() if p.name.lstrip(".").startswith(f"{k}.")] == [target.name]


def test_a_run_that_was_refused_leaves_what_the_other_wrote(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    target = tmp_path / "o.jsonl"
    first = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False)
    first.append(ROWS[0], {"items": 1})
    first.checkpoint()
    before = progress_of(target).read_bytes(), part_of(target).read_bytes()
    for fresh in (False, True):
        with pytest.raises(BadSource, match="another run is writing"):
            open_journal(target, PARTS, HERE, {"items": 0}, fresh=fresh)
    assert (progress_of(target).read_bytes(), part_of(target).read_bytes()) == before
    first.finish(None)
    assert target.read_bytes() == ROWS[0]


def test_a_run_that_finishes_before_the_lock_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening of the rows and the lock on them they may have become the target of another run."""
    fcntl = pytest.importorskip("fcntl")
    target = tmp_path / "o.jsonl"
    first = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False)
    first.append(ROWS[0], {"items": 1})
    real, waiting = fcntl.flock, [first]

    def flock(file: object, how: int) -> None:
        if waiting:
            waiting.pop().finish(None)
        real(file, how)

    monkeypatch.setattr("pofx.files.locks.fcntl.flock", flock)
    second = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False, overwrite=True)
    assert target.read_bytes() == ROWS[0]
    second.append(ROWS[1], {"items": 1})
    second.finish(None)
    assert target.read_bytes() == ROWS[1]


# What is finished -----------------------------------------------------------------------------------------------


def test_a_finished_file_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "o.jsonl"
    target.write_bytes(b"a week of work\n")
    for fresh in (False, True):
        with pytest.raises(BadValue, match="got the path of a finished output.*overwrite=True"):
            open_journal(target, PARTS, HERE, {"items": 0}, fresh=fresh, overwrite=False)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("o.jsonl", b"a week of work\n")]
    journal = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False, overwrite=True)
    journal.append(ROWS[0], {"items": 1})
    journal.checkpoint()
    journal.close()
    # The run that may replace the file was stopped: to go on takes no new leave.
    again = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False, overwrite=False)
    assert again.saved.state == {"items": 1}
    again.finish(None)
    assert target.read_bytes() == ROWS[0]


@pytest.mark.parametrize("made", [False, True])
def test_a_run_that_was_killed_behind_its_last_step_is_known_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    target = tmp_path / "o.csv"
    stopped(target)
    journal = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "discard", Journal.close)
        journal.finish((lambda rows, new: new.write_bytes(b"1\n")) if made else None)  # type: ignore[arg-type]
    if made:
        part_of(target).unlink()
    done = target.read_bytes()
    again = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False, overwrite=False)
    assert (again.saved.finished, again.saved.state) == (True, {"items": 2})
    again.discard()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("o.csv", done)]


# What is damaged ------------------------------------------------------------------------------------------------


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_damage_gives_other_rows(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever happens to the two files: refused in a line, or exactly what was saved."""
    target = tmp_path / "o.jsonl"
    stopped(target)
    for path in data.draw(st.sampled_from([[progress_of], [part_of], [progress_of, part_of]])):
        raw = bytearray(path(target).read_bytes())
        how = data.draw(st.sampled_from(["flip", "cut", "insert", "other"]))
        at = data.draw(st.integers(0, len(raw) - 1))
        if how == "flip":
            raw[at] ^= data.draw(st.integers(1, 255))
        elif how == "cut":
            del raw[at : at + data.draw(st.integers(1, len(raw)))]
        elif how == "insert":
            raw[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        else:
            raw = bytearray(
                data.draw(st.sampled_from([b"", b"{}", b"null", b"[" * 9999, b"\xff", b'{"format":2}']))
            )
        path(target).write_bytes(raw)
    journal = decided(lambda: open_journal(target, PARTS, HERE, {"items": 0}, fresh=False))
    if journal is not None:
        begun, left = journal.saved, part_of(target).read_bytes()
        journal.close()
        assert (begun.state, left) in (({"items": 2}, b"".join(ROWS)), ({"items": 0}, b""))
    open_journal(target, PARTS, HERE, {"items": 0}, fresh=True).discard()


def test_a_state_with_another_number_is_damaged(tmp_path: Path) -> None:
    target = tmp_path / "o.jsonl"
    stopped(target)
    record = json.loads(progress_of(target).read_bytes())
    record["state"]["items"] = 1  # a row would come twice
    progress_of(target).write_text(json.dumps(record))
    with pytest.raises(BadSource, match="got a damaged file"):
        open_journal(target, PARTS, HERE, {"items": 0}, fresh=False)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no directory in which nobody may write")
def test_a_directory_in_which_nobody_may_write() -> None:
    with pytest.raises(BadSource, match="expected a place to write"):
        open_journal(Path("/proc/o.jsonl"), PARTS, HERE, {}, fresh=False)


def test_a_run_that_ends_holds_its_target_until_its_files_are_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the renaming of the rows and the end of .progress another run must not take that for its own."""
    pytest.importorskip("fcntl")
    target = tmp_path / "o.jsonl"
    first = open_journal(target, PARTS, HERE, {"items": 0}, fresh=False)
    first.append(ROWS[0], {"items": 1})
    said: list[str] = []

    def discard(journal: Journal) -> None:
        for fresh in (False, True):
            with pytest.raises(BadSource, match="another run is writing") as caught:
                open_journal(target, PARTS, HERE, {"items": 0}, fresh=fresh)
            said.append(str(caught.value))
        real(journal)

    real = Journal.discard
    monkeypatch.setattr(Journal, "discard", discard)
    first.finish(None)
    assert len(said) == 2
    assert target.read_bytes() == ROWS[0]
    assert [p.name for p in tmp_path.iterdir()] == ["o.jsonl"]
    monkeypatch.undo()
    open_journal(target, PARTS, HERE, {"items": 0}, fresh=False).discard()


def test_files_that_vanish_are_those_of_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "o.csv"

    def vanished(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(target))

    monkeypatch.setattr("pofx.files.journal._taken_up", vanished)
    with pytest.raises(BadSource, match="another run is writing"):
        open_journal(target, PARTS, HERE, {"items": 0}, fresh=False)
