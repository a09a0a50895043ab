"""The same command after its end: known to be done where nothing changed, else refused with both ways on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main
from pofx.files import finished_runs as finished

Run = Callable[..., tuple[object, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    pofx.save(pofx.fit(["the cat", "a cat"], pofx.NgramSpec(order=2)), tmp_path / "m")
    Path("in.txt").write_text("the cat\na cat\n")

    def call(*more: str, out: str = "out.jsonl", verb: str = "score") -> tuple[object, str]:
        with pytest.raises(SystemExit) as e:
            main([verb, "in.txt", "-m", "m", "-o", out, *more])
        return e.value.code, capsys.readouterr().err

    return call


def refused(code: object, err: str) -> bool:
    return (
        code == 2
        and err.count("\n") == 1
        and "out.jsonl: expected a free path, got the path of a finished output" in err
        and "name another path, or replace the output (--overwrite)" in err
    )


@pytest.mark.parametrize("out", ["out.jsonl", "out.csv.gz", "out.parquet"])
@pytest.mark.parametrize("verb", ["score", "words"])
def test_the_same_run_is_known_to_be_done(run: Run, out: str, verb: str) -> None:
    code, first = run(out=out, verb=verb)
    assert code == 0
    made, time = Path(out).read_bytes(), Path(out).stat().st_mtime_ns
    code, again = run(out=out, verb=verb)
    assert code == 0
    assert f"pofx: nothing to do (--overwrite makes it again): this very run wrote {out}" in again
    assert [line for line in first.splitlines() if "documents" in line] == [
        line for line in again.splitlines() if "documents" in line
    ]  # the sum is told again
    assert (Path(out).read_bytes(), Path(out).stat().st_mtime_ns) == (made, time)
    assert not list(Path().glob("*.part")) + list(Path().glob("*.progress"))


def test_a_row_without_a_score_makes_the_code_1_again(run: Run) -> None:
    Path("in.txt").write_bytes(b"the cat\n\xff\n")
    assert run()[0] == 1
    code, err = run()
    assert code == 1
    assert "nothing to do" in err
    assert "1 of 2 rows without a score" in err


@pytest.mark.parametrize(
    "change", ["input", "option", "model", "file", "touched", "replaced", "no cache", "record"]
)
def test_whatever_changed_is_refused(run: Run, change: str, tmp_path: Path) -> None:
    assert run()[0] == 0
    more: list[str] = []
    out = Path("out.jsonl")
    records = list((tmp_path / "cache" / finished.FINISHED).iterdir())
    assert len(records) == 1
    if change == "input":
        Path("in.txt").write_text("the cat\na dog\n")
    elif change == "option":
        more = ["--prefix"]
    elif change == "model":
        pofx.save(pofx.fit(["the dog"], pofx.NgramSpec(order=2)), tmp_path / "m")
    elif change == "file":
        out.write_bytes(out.read_bytes().replace(b"a cat", b"a rat"))
    elif change == "touched":
        os.utime(out, ns=(0, 0))
    elif change == "replaced":
        Path("other").write_bytes(out.read_bytes())
        os.utime("other", ns=(out.stat().st_atime_ns, out.stat().st_mtime_ns))
        os.replace("other", out)
    elif change == "no cache":
        records[0].unlink()
    else:
        record = json.loads(records[0].read_text())
        records[0].write_text(json.dumps({**record, "state": {**record["state"], "scored": 1}}))
    before = out.read_bytes()
    assert refused(*run(*more))
    assert out.read_bytes() == before
    assert run(*more, "--overwrite")[0] == 0


def test_broken_records_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "t"
    target.write_text("x")
    finished.remember(target, {"a": 1}, {"items": 2})
    assert finished.final_state(target, {"a": 1}) == {"items": 2}
    assert finished.final_state(target, {"a": 2}) is None
    (place,) = (tmp_path / "cache" / finished.FINISHED).iterdir()
    whole = place.read_bytes()
    for broken in (
        b"",
        b"[]",
        b"{}",
        b"null",
        b'"x"',
        whole[:-1],
        b"[" * 100_000,
        whole.replace(b"2", b"3", 1),
    ):
        place.write_bytes(broken)
        assert not finished.is_known(target)


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(finished, "MOST", 3)
    for k in range(10):
        (tmp_path / f"t{k}").write_text("x")
        finished.remember(tmp_path / f"t{k}", {}, {})
        assert len(list((tmp_path / "cache" / finished.FINISHED).iterdir())) <= 3
        assert finished.is_known(tmp_path / f"t{k}")
