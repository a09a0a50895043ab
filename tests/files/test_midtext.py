"""A run that is killed in the middle of a long text: what its model had read is not read again, and no byte differs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pofx.cli.main import main
from pofx.files import reading_tape_file as tape_file
from pofx.files.journal import open_journal
from pofx.files.journal_files import files_beside, passes_of, progress_of
from pofx.files.reading_tape import recording
from pofx.files.reading_tape_file import TapeFile
from pofx.lm.model import LM
from pofx.lm.trace import Path as Ids
from pofx.lm.trace import Trace, Want
from pofx.transforms import windowed as rule
from pofx.transforms.deterministic import deterministic
from pofx.transforms.window_cuts import cuts, stretches
from pofx.transforms.windowed import windowed
from toy import ToyLM, ToyVocab

STRETCH = 32  # tokens
LONG = "abcacbbaabca" * 30
LINES = ["ab", LONG, "ba", LONG[5:120], "c"]


class Stopped(BaseException):
    """As a kill, for which nothing in pofx may have a handler."""


class Dying(ToyLM):
    """A toy of 16 tokens that writes down each of its calls, and dies in the middle of one."""

    def __init__(self, calls: Path, dies_at: int, die: Callable[[], None]) -> None:
        super().__init__(ToyVocab())
        self.context, self.work, self.fingerprint = 16, rule.PRODUCTS // STRETCH, "toy"
        self.calls, self.dies_at, self.die, self.done = calls, dies_at, die, 0

    def forward(self, paths: Sequence[Ids], want: Want = Want(), skip: int | Sequence[int] = 0) -> Trace:
        self.done += 1
        with self.calls.open("a") as f:
            f.write(json.dumps([[int(i) for i in p] for p in paths]) + "\n")
        if self.done == self.dies_at:
            self.die()
        return super().forward(paths, want, skip)

    def read(self) -> list[str]:
        return self.calls.read_text().splitlines()


@dataclass
class Runs:
    """`pofx VERB in.txt -o OUT` by a toy, in this process."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    calls: int = 0

    def __call__(self, *arguments: str, dies_at: int = 0, how: type[BaseException] = Stopped) -> Ran:
        def die() -> None:
            raise how

        self.calls += 1
        lm = Dying(Path(f"calls{self.calls}"), dies_at, die)
        self.patch.setattr("pofx.cli.options.model.ModelOptions.load", lambda self, **_: windowed(lm))
        self.capture.readouterr()
        with pytest.raises((SystemExit, Stopped)) as ended:
            main([*arguments])
        code = ended.value.code if isinstance(ended.value, SystemExit) else None
        return Ran(code, self.capture.readouterr().err, lm.read() if lm.calls.exists() else [])


@dataclass(frozen=True)
class Ran:
    code: object
    err: str
    calls: list[str]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runs:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tape_file, "SECONDS", 0.0)
    Path("in.txt").write_text("\n".join(LINES) + "\n")
    return Runs(monkeypatch, capsys)


FORMS = {
    "rows": ["score", "in.txt"],
    "tokens": ["score", "in.txt", "--per", "token", "-k", "2", "--entropy", "--rank"],
    "prefix": ["score", "in.txt", "--given", "ab", "--boundary", "token"],
    "deterministic": ["score", "in.txt", "--deterministic"],
}


@pytest.mark.parametrize("form", FORMS)
def test_stopped_anywhere_it_reads_no_stretch_twice(runs: Runs, form: str) -> None:
    """Stopped in its every third call, over and over: all calls together are those of an unbroken run, and the broken ones."""
    whole = runs(*FORMS[form], "-o", "whole.jsonl")
    assert whole.code == 0
    assert len(whole.calls) > 12
    calls, lost = [], 0
    for _ in range(99):
        ran = runs(*FORMS[form], "-o", "o.jsonl", dies_at=3)
        if ran.code == 0:
            break
        assert ran.code is None
        calls += ran.calls[:2]
        lost += 1
    assert ran.code == 0
    assert calls + ran.calls == whole.calls
    assert lost == (len(whole.calls) - 1) // 2
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    assert not [p for p in files_beside(Path("o.jsonl")) if p.exists()]


def test_words_are_taken_up_in_the_middle_of_a_text(runs: Runs) -> None:
    """A text is read once for each lot of sets of tokens: the same windows, of which other things are wanted."""
    runs.patch.setattr("pofx.queries.words.words.ENTRIES", 8)
    words = ["words", "in.txt"]
    whole = runs(*words, "-o", "whole.jsonl")
    assert whole.code == 0
    stopped = runs(*words, "-o", "o.jsonl", dies_at=len(whole.calls) - 1)
    assert stopped.code is None
    ran = runs(*words, "-o", "o.jsonl")
    assert stopped.calls[:-1] + ran.calls == whole.calls
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_ctrl_c_keeps_the_stretches_and_says_so(runs: Runs) -> None:
    whole = runs("score", "in.txt", "-o", "whole.jsonl")
    runs.patch.setattr(tape_file, "SECONDS", 1e9)  # what waits for the disk is kept, too
    stopped = runs("score", "in.txt", "-o", "o.jsonl", dies_at=5, how=KeyboardInterrupt)
    assert stopped.code == 130
    assert stopped.err == (
        "pofx: interrupted; 1 row is kept in o.jsonl.part, 3 stretches of the next text in o.jsonl.passes; "
        "the same command goes on from there\n"
    )
    ran = runs("score", "in.txt", "-o", "o.jsonl")
    assert "pofx: going on after 1 row and 3 stretches of the next text" in ran.err
    assert ran.calls == whole.calls[4:]
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_another_run_does_not_take_the_stretches(runs: Runs) -> None:
    runs("score", "in.txt", "-o", "o.jsonl", dies_at=5)
    left = Path("o.jsonl.passes").read_bytes()
    ran = runs("score", "in.txt", "-o", "o.jsonl", "--prefix")
    assert ran.code == 2
    assert "--prefix: false there, true here" in ran.err
    assert Path("o.jsonl.passes").read_bytes() == left
    assert runs("score", "in.txt", "-o", "o.jsonl", "--prefix", "--fresh").code == 0
    assert not [p for p in files_beside(Path("o.jsonl")) if p.exists()]


def test_a_run_that_kept_nothing_is_begun_again_and_says_so(runs: Runs) -> None:
    runs("score", "in.txt", "-o", "o.jsonl", dies_at=1)
    assert Path("o.jsonl.progress").exists()
    for arguments in ([], ["--prefix"]):  # nothing is lost if another run takes the name
        ran = runs("score", "in.txt", "-o", "o.jsonl", *arguments, dies_at=1)
        assert "pofx: o.jsonl.progress: a stopped run left no row; starting over\n" in ran.err
    assert runs("score", "in.txt", "-o", "o.jsonl").code == 0


def test_an_empty_record_beside_rows_is_damaged(runs: Runs) -> None:
    Path("o.jsonl.progress").write_text("{}")
    Path("o.jsonl.part").write_text("")
    ran = runs("score", "in.txt", "-o", "o.jsonl", dies_at=1)
    assert "a stopped run left no row; starting over" in ran.err
    Path("o.jsonl.progress").write_text("{}")
    Path("o.jsonl.part").write_text('{"id": "in.txt:1"}\n')
    ran = runs("score", "in.txt", "-o", "o.jsonl")
    assert (ran.code, ran.calls) == (2, [])
    assert "got a damaged file; start over (--fresh)" in ran.err
    assert Path("o.jsonl.part").read_text() == '{"id": "in.txt:1"}\n'


@pytest.mark.parametrize("what", ["cut", "flip", "head"])
def test_damaged_stretches_are_read_again(runs: Runs, what: str) -> None:
    whole = runs("score", "in.txt", "-o", "whole.jsonl")
    runs("score", "in.txt", "-o", "o.jsonl", dies_at=6)
    raw = bytearray(Path("o.jsonl.passes").read_bytes())
    if what == "cut":
        del raw[-9:]
    else:
        raw[{"flip": len(raw) - 9, "head": 30}[what]] ^= 1
    Path("o.jsonl.passes").write_bytes(raw)
    ran = runs("score", "in.txt", "-o", "o.jsonl")
    assert ran.calls == whole.calls[1 if what == "head" else 4 :]
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_a_full_disk_costs_only_what_could_not_be_kept(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    runs("score", "in.txt", "-o", "whole.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr("pofx.files.reading_tape_file.os", SimpleNamespace(fsync=full, fstat=os.fstat))
        assert runs("score", "in.txt", "-o", "o.jsonl").code == 0
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = TESTS
import pofx.files.reading_tape_file
pofx.files.reading_tape_file.SECONDS = 0.0
from test_midtext import Dying, main, windowed
import pofx.cli.options.model
lm = windowed(Dying(Path("calls"), int(sys.argv[1]), lambda: os.kill(os.getpid(), signal.SIGKILL)))
pofx.cli.options.model.ModelOptions.load = lambda self, **_: lm
main(["score", "in.txt", "-o", "o.jsonl", "--quiet"])
"""


@pytest.mark.thorough
def test_a_kill(runs: Runs) -> None:
    """SIGKILL, which writes no buffer out."""
    whole = runs("score", "in.txt", "-o", "whole.jsonl")
    folders = [str(Path(__file__).parents[n]) for n in (0, 1)]
    code = KILLED.replace("TESTS", repr(folders))
    codes = [subprocess.run([sys.executable, "-c", code, at], timeout=120).returncode for at in ("9", "0")]
    assert codes == [-signal.SIGKILL, 0]
    calls = Path("calls").read_text().splitlines()
    assert calls[:9] + calls[10:] == whole.calls
    assert calls[9] == calls[8]  # the call that was killed
    assert Path("o.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_a_network_of_ours_reads_no_batch_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import pofx
    from pofx.models.transformer import model as ours

    monkeypatch.setattr(tape_file, "SECONDS", 0.0)
    monkeypatch.setattr(ours, "TOKENS", 64)
    lm = pofx.fit(["abc"] * 9, pofx.TransformerSpec(width=16, layers=1, heads=1, context=16, seconds=0.1))
    real, calls = ours.TransformerLM.hidden, list[bytes]()

    def hidden(self: LM, batch: object) -> object:
        if len(calls) == dies_at:
            raise Stopped
        calls.append(batch.inputs.tobytes())  # type: ignore[attr-defined]
        return real(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(ours.TransformerLM, "hidden", hidden)
    want = Want(entropy=True, rank=True, top=2, end=True, masses=np.eye(lm.vocab.size, dtype=bool)[:3])
    paths = [lm.vocab.encode(t) for t in LINES]
    dies_at = -1
    whole, all_calls = lm.forward(paths, want), list(calls)
    assert len(all_calls) > 8
    calls.clear()
    dies_at = 5
    tape = TapeFile(tmp_path / "t", "seal")
    with recording(tape), pytest.raises(Stopped):
        lm.forward(paths, want)
    tape.close()
    dies_at = -1
    again = TapeFile(tmp_path / "t", "seal")
    assert again.left == 5
    with recording(again):
        found = lm.forward(paths, want)
    again.discard()
    assert calls == all_calls
    for name in ("logp", "entropy", "rank", "top_ids", "top_logp", "end", "masses"):
        for a, b in zip(getattr(whole, name), getattr(found, name)):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes(), name


def test_texts_behind_one_prefix_are_read_once_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import pofx
    from pofx.models.transformer import model as ours
    from pofx.models.transformer import shared_prefixes

    monkeypatch.setattr(tape_file, "SECONDS", 0.0)
    monkeypatch.setattr(ours, "TOKENS", 8)
    lm = pofx.fit(["abc"] * 9, pofx.TransformerSpec(width=16, layers=1, heads=1, context=64, seconds=0.1))
    prefix = lm.vocab.encode("abcacb" * 6)
    paths = [
        prefix + lm.vocab.encode(t) for t in ("ab", "ba", "cab", "abcab", "a", "bb", "cc", "accab", "caa")
    ]
    real, extended, calls, leads = (
        shared_prefixes._read,
        shared_prefixes.extend_cache,
        list[bytes](),
        list[int](),
    )

    def read(net: object, known: object, ids: np.ndarray) -> object:
        if len(calls) == dies_at:
            raise Stopped
        calls.append(ids.tobytes())
        return real(net, known, ids)  # type: ignore[arg-type]

    def lead(*a: object) -> object:
        leads.append(1)
        return extended(*a)  # type: ignore[arg-type]

    monkeypatch.setattr(shared_prefixes, "_read", read)
    monkeypatch.setattr(shared_prefixes, "extend_cache", lead)
    dies_at = -1
    whole, all_calls = lm.forward(paths, Want(entropy=True), len(prefix)), list(calls)
    assert len(all_calls) > 4
    calls.clear()
    dies_at = 3
    tape = TapeFile(tmp_path / "t", "seal")
    with recording(tape), pytest.raises(Stopped):
        lm.forward(paths, Want(entropy=True), len(prefix))
    tape.close()
    dies_at = -1
    for left, read_again in ((3, all_calls[3:]), (len(all_calls), [])):
        calls.clear()
        leads.clear()
        again = TapeFile(tmp_path / "t", "seal")
        assert again.left == left
        with recording(again):
            found = lm.forward(paths, Want(entropy=True), len(prefix))
        again.flush()
        again.close()
        assert calls == read_again
        assert len(leads) == bool(read_again)  # the prefix is read for those alone that are still to be read
        for name in ("logp", "entropy"):
            for a, b in zip(getattr(whole, name), getattr(found, name)):
                assert a.tobytes() == b.tobytes(), name


# Where stretches are cut -------------------------------------------------------------------------------------------


def test_stretches_hold_each_window_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        most = int(rng.integers(1, 40))
        n = [len(cuts(int(length), 0, 8, 4)) for length in rng.integers(0, 60, rng.integers(0, 9))]
        ends = np.cumsum(n).tolist() if n else []
        sizes = rng.integers(1, 9, sum(n)).tolist()
        found = stretches(sizes, ends, most)
        assert sorted(w for s in found for w in s) == list(range(sum(n)))
        singles = [e - 1 for e, k in zip(ends, n) if k == 1]
        long = found[1:] if singles else found
        assert not singles or found[0] == singles
        assert [w for s in long for w in s] == [w for w in range(sum(n)) if w not in singles]
        assert all(sum(sizes[w] for w in s) <= most or len(s) == 1 for s in long)
        for one, two in pairwise(long):  # as few as may be
            assert sum(sizes[w] for w in one) + sizes[two[0]] > most


def test_a_tape_of_another_place_does_not_count(tmp_path: Path) -> None:
    target = tmp_path / "o.jsonl"
    journal = open_journal(target, {"m": 1}, {}, {"items": 0}, fresh=False)
    journal.tape.record("00" * 16, {"a": np.arange(3)})
    journal.tape.flush()
    stale = passes_of(target).read_bytes()
    journal.append(b"1\n", {"items": 1})
    assert not passes_of(target).exists()
    assert (
        json.loads(progress_of(target).read_bytes())["offset"] == 2
    )  # what took time is on the disk at once
    journal.close()
    passes_of(target).write_bytes(stale)  # as if it had been killed before the tape was taken away
    again = open_journal(target, {"m": 1}, {}, {"items": 0}, fresh=False)
    assert (again.saved.state, again.tape.left) == ({"items": 1}, 0)
    assert again.tape.recall("00" * 16) is None
    again.discard()


def test_a_tape_that_goes_on_otherwise_is_cut_there(tmp_path: Path) -> None:
    keys = [bytes([k] * 16).hex() for k in range(4)]
    tape = TapeFile(tmp_path / "t", "s")
    for k in keys[:3]:
        tape.record(k, {"a": np.array([float(keys.index(k))])})
    tape.flush()
    tape.close()
    again = TapeFile(tmp_path / "t", "s")
    first = again.recall(keys[0])
    assert first is not None
    assert first["a"].tolist() == [0.0]
    assert again.recall(keys[3]) is None
    again.record(keys[3], {"a": np.array([3.0])})
    assert again.recall(keys[1]) is None
    again.flush()
    again.close()
    last = TapeFile(tmp_path / "t", "s")
    assert last.left == 2
    assert [last.recall(k) is not None for k in (keys[0], keys[3])] == [True, True]
    last.discard()
    assert not (tmp_path / "t").exists()


def test_a_single_pass_alone_or_windowed_is_the_same(runs: Runs) -> None:
    """Stretches are a matter of order: the numbers are those of each window read alone (the definition)."""
    lm = windowed(Dying(Path("calls"), 0, lambda: None))
    path = [*lm.vocab.encode(LONG), 3]
    found = lm.forward([path, path[:9]]).logp
    alone = deterministic(lm).forward([path, path[:9]]).logp
    toy, by_hand = ToyLM(ToyVocab()), list[float]()
    for lo, hi, fresh in cuts(len(path), 0, 16, 8):
        by_hand += toy.forward([path[lo:hi]], skip=fresh - lo).logp[0].tolist()
    assert found[0].tolist() == alone[0].tolist() == by_hand
