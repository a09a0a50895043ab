"""The cache of converted models: whole, verified, bounded, cleared; and the verb that shows it."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pofx.cli.main import main
from pofx.errors import BadSource, BadValue
from pofx.files import cache
from pofx.files import finished_runs as finished


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, and a directory to stand in."""
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(cache.LIMIT_VARIABLE, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "cache"


def filled(size: int, text: str = "x") -> Callable[[Path], object]:
    return lambda part: (part / "data").write_text(text * size)


def models() -> list[str]:
    """The converted models of the cache, and the built-in ones; the hashes of files that were read are beside them."""
    return [e.name for e in cache.entries() if e.name not in cache.ROOMS]


def test_an_entry_appears_whole_and_is_verified(home: Path) -> None:
    seen: list[list[str]] = []

    def fill(part: Path) -> None:
        (part / "a").write_bytes(b"1234")
        seen.append([p.name for p in (home / "models").iterdir() if not p.name.startswith(".")])

    path = cache.keep_model("one", 4, fill)
    assert path == cache.model_path("one") == home / "models" / "one"
    assert seen == [[]], "nobody sees it before it is done"
    assert (path / "a").read_bytes() == b"1234"
    assert cache.is_intact(path)
    assert models() == ["one"]
    assert [p.name for p in (home / "models").iterdir()] == ["one"], "and nothing is left over"
    assert stat.S_IMODE((home / "models").stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda p: (p / "data").write_text("y" * 10),
    "longer": lambda p: (p / "data").write_text("x" * 11),
    "cut off": lambda p: (p / "data").write_text("x" * 9),
    "gone": lambda p: (p / "data").unlink(),
    "one more": lambda p: (p / "adapter_config.json").write_text("{}"),
    "a directory": lambda p: ((p / "data").unlink(), (p / "data").mkdir()),
    "no card": lambda p: (p / cache.CARD).unlink(),
    "card of another form": lambda p: (p / cache.CARD).write_text('{"files": [1]}'),
    "card deep": lambda p: (p / cache.CARD).write_text("[" * 100_000),
    "card no JSON": lambda p: (p / cache.CARD).write_bytes(b"\xff"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen_and_mended(damage: str) -> None:
    path = cache.keep_model("one", 10, filled(10))
    DAMAGES[damage](path)
    assert not cache.is_intact(path)
    assert cache.is_intact(cache.keep_model("one", 10, filled(10)))


def test_a_file_that_stays_the_same_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_RACY", -1.0)
    path = cache.keep_model("one", 10, filled(10))
    read, digest = [], cache._digest

    def counted(file: Path) -> str:
        read.append(file.name)
        return digest(file)

    monkeypatch.setattr(cache, "_digest", counted)
    assert cache.is_intact(path)
    assert cache.is_intact(path)
    assert read == ["data"]
    (path / "data").write_text("y" * 10)
    assert not cache.is_intact(path)
    assert read == ["data", "data"]


def test_a_failure_leaves_nothing(home: Path) -> None:
    def fail(part: Path) -> None:
        (part / "a").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.keep_model("one", 4, fail)
    assert list((home / "models").iterdir()) == []
    assert models() == []


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "5k")
    for i, name in enumerate("abc"):
        past = 1000.0 + i
        os.utime(cache.keep_model(name, 1500, filled(1000)) / cache.CARD, (past, past))
        os.utime(cache.model_path(name) / "data", (past, past))
        os.utime(cache.model_path(name), (past, past))
    assert cache.is_intact(cache.model_path("a"))  # which makes it the latest used
    assert models() == ["a", "c", "b"]
    cache.keep_model("d", 2500, filled(1000))
    assert set(models()) == {"d", "a", "c"}, "b was used longest ago"
    cache.keep_model("e", 5000, filled(1000))
    assert models() == ["e"], "and the one that is made stays"
    with pytest.raises(BadSource, match=r"POFX_CACHE_LIMIT=1G"):
        cache.keep_model("f", 5001, filled(1))
    assert models() == ["e"], "nothing makes room for what cannot stay"


def test_a_full_disk_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(BadSource, match="free"):
        cache.keep_model("one", 11, lambda part: pytest.fail("worked"))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 20 * 10**9),
        ("0", 0),
        ("123", 123),
        ("1.5G", 15 * 10**8),
        (" 2 mb", 2 * 10**6),
        ("3T", 3 * 10**12),
    ],
)
def test_the_limit(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, text)
    assert cache.limit() == size


@pytest.mark.parametrize("text", ["x", "-1", "1e9", "5 X", "9" * 99, "nan"])
def test_a_limit_that_is_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, text)
    with pytest.raises(BadValue, match="500M"):
        cache.limit()


def _made_by_a_process(name: str, barrier: Any) -> None:
    def fill(part: Path) -> None:
        barrier.wait(30)  # all are in the middle at once
        (part / "data").write_text("same" * 10_000)

    cache.keep_model(name, 10, fill)


def test_processes_that_make_the_same_at_once(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_made_by_a_process, args=("one", barrier)) for _ in range(4)]
    for p in processes:
        p.start()
    for p in processes:
        p.join(60)
    assert [p.exitcode for p in processes] == [0] * 4
    assert cache.is_intact(cache.model_path("one"))
    assert [p.name for p in (home / "models").iterdir()] == ["one"]


def test_what_another_made_meanwhile_is_left_to_its_readers() -> None:
    there: list[int] = []

    def fill(part: Path) -> None:
        other = cache.keep_model("one", 1, filled(3))
        there.append((other / "data").stat().st_ino)
        filled(3)(part)

    assert (cache.keep_model("one", 1, fill) / "data").stat().st_ino == there[0]


def test_what_killed_processes_left_is_removed(home: Path) -> None:
    cache.keep_model("one", 1, filled(1))
    for name in (".two.abc.part", ".three.abc.old"):
        (home / "models" / name).mkdir()
        (home / "models" / name / "data").write_text("x")
        os.utime(home / "models" / name, (0, 0))
    (home / "models" / ".young.abc.part").mkdir()
    cache.keep_model("four", 1, filled(1))
    assert {p.name for p in (home / "models").iterdir()} == {"one", "four", ".young.abc.part"}


def test_clearing_removes_what_pofx_made_and_no_more(home: Path) -> None:
    cache.keep_model("one", 1, filled(1))
    cache.keep_model("two", 1, filled(1))
    (home / "builtin-1.json").write_text("[]")
    (home / "thesis.txt").write_text("years of work")
    (home / "models" / "stranger").mkdir()
    assert {e.name for e in cache.entries()} == {"one", "two", "builtin-1.json"}
    for name in ("three", "../thesis.txt", "thesis.txt", "stranger", "", "."):
        with pytest.raises(BadValue, match="pofx cache"):
            cache.clear(name)
    assert [e.name for e in cache.clear("one")] == ["one"]
    assert {e.name for e in cache.clear()} == {"two", "builtin-1.json"}
    assert cache.entries() == []
    assert (home / "thesis.txt").read_text() == "years of work"
    assert (home / "models" / "stranger").is_dir()


@pytest.mark.parametrize("one", [True, False])
def test_records_of_finished_runs_and_others_are_listed_and_removed(home: Path, one: bool) -> None:
    home.mkdir(exist_ok=True)
    target = home / "rows.jsonl"
    target.write_text("{}")
    finished.remember(target, {"a": 1}, {"items": 1})
    (home / "probes").mkdir()
    (home / "probes" / "x.json").write_text("[]")
    assert {e.name for e in cache.entries()} == {"finished", "probes"}
    assert all(e.size > 0 for e in cache.entries())
    gone = cache.clear("finished" if one else None)
    assert {e.name for e in gone} == ({"finished"} if one else {"finished", "probes"})
    assert {e.name for e in cache.entries()} == ({"probes"} if one else set())
    assert not finished.is_known(target)
    assert target.read_text() == "{}", "the rows themselves are nobody's but the user's"


def test_a_cache_of_another_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.keep_model("one", 1, filled(1))
    (home / "models").chmod(0o777)
    cache.keep_model("two", 1, filled(1))
    assert stat.S_IMODE((home / "models").stat().st_mode) == 0o700
    monkeypatch.setattr(cache.os, "geteuid", lambda: (home / "models").stat().st_uid + 1)
    with pytest.raises(BadSource, match="another user"):
        cache.keep_model("three", 1, filled(1))


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("POFX_CACHE", str(tmp_path))
    assert cache.cache_dir() == tmp_path
    monkeypatch.setenv("POFX_CACHE", "")
    assert "pofx" in str(cache.cache_dir())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as e:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(e.value.code or 0), out, err


def test_pofx_cache(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, out, err = run(capsys, "cache")
    assert (code, out) == (0, "")
    assert str(home) in err
    cache.keep_model("one", 1, filled(1_500_000))
    cache.keep_model("[red]two", 1, filled(1))
    code, out, err = run(capsys, "cache")
    assert code == 0
    assert "1.5 MB" in out
    assert "[red]two" in out
    assert "20.0 GB" in err
    records = [json.loads(line) for line in run(capsys, "cache", "--json")[1].splitlines()]
    assert {r["name"]: r["path"] for r in records} == {
        n: str(home / "models" / n) for n in ("one", "[red]two")
    }
    assert records[0].keys() == {"name", "bytes", "last_used", "path"}
    code, out, _ = run(capsys, "cache", "clear", "one")
    assert (code, out) == (0, "removed one (1.5 MB)\n")
    code, out, err = run(capsys, "cache", "clear", "one")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert [json.loads(line)["name"] for line in run(capsys, "cache", "clear", "--json")[1].splitlines()] == [
        "[red]two"
    ]
    assert run(capsys, "cache", "clear") == (0, "nothing to remove\n", "")
    assert run(capsys, "cache", "nonsense")[0] == 2
