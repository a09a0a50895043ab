"""Jobs whose output and input are in an object store: the bytes of a directory of this machine, whatever happens."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

from store_toys import FOLDERS, Door  # isort: skip  (finds the modules below)
from shard_toys import Recipe, files_of, run

from loopback import Received, Reply
from pofx.errors import BadSource
from pofx.jobs.documents import Documents
from pofx.jobs.sharded.running import ShardsStart, UnitDone
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.verify import forget_faulty, verify

pytestmark = pytest.mark.stores
OUT = "s3://bucket/out"


def objects(prefix: str = "bucket/out") -> dict[str, bytes]:
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    return {p.removeprefix(f"{prefix}/"): system.cat_file(p) for p in system.find(prefix)}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_holds_the_bytes_of_a_directory(
    door: Door, recipe: Recipe, whole: dict[str, bytes], workers: int
) -> None:
    events, ended = run(recipe, OUT, workers=workers)
    assert events[0].alone
    assert ended.failed == ()
    assert objects() == whole
    assert verify(OUT) == []
    assert status(OUT).totals == ended.totals


def test_no_file_of_a_unit_is_written_without_the_condition(door: Door, recipe: Recipe) -> None:
    run(recipe, OUT)
    puts = [r for r in door.seen if r.method == "PUT" and "/.probe-" not in r.path]
    assert len(puts) > 10
    assert {r.path.split("/")[-1] for r in puts if "If-None-Match" not in r.headers} == {"totals.json"}


def test_input_in_a_store(door: Door, recipe: Recipe, tmp_path: Path) -> None:
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    text = Path(recipe.documents.files[0]).read_bytes()
    for name in ("a.txt", "b.txt"):
        system.pipe_file(f"bucket/in/{name}", text)
    urls = tuple(f"s3://bucket/in/{n}.txt" for n in "ab")
    there = replace(recipe, documents=Documents(urls))
    run(there, tmp_path / "here")
    run(there, OUT)
    assert objects() == files_of(tmp_path / "here")
    system.pipe_file("bucket/in/b.txt", text.replace(b"tea", b"eat"))
    with pytest.raises(BadSource, match=r"in/b.txt: expected the file as it was .* edited since"):
        run(there, OUT)


def test_a_run_that_was_stopped_goes_on(door: Door, recipe: Recipe, whole: dict[str, bytes]) -> None:
    run(recipe, OUT)
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    for name in [n for n in whole if n.startswith("commits/")][1::2]:
        system.rm_file(f"bucket/out/{name}")
    system.rm_file("bucket/out/totals.json")
    events, _ = run(recipe, OUT)
    assert sum(isinstance(e, UnitDone) for e in events) == events[0].units - events[0].done == 2
    assert objects() == whole


DRIVER = """
import sys
sys.path[:0] = {folders}
from pofx.jobs.documents import Documents
from shard_toys import Recipe, run
print("ready", flush=True)
sys.stdin.readline()
run(Recipe({model!r}, Documents(({corpus!r},))), {out!r}, n_bytes=int(sys.argv[1]))
"""


def driver(recipe: Recipe, n_bytes: int) -> subprocess.Popen[str]:
    program = DRIVER.format(folders=FOLDERS, model=recipe.model, corpus=recipe.documents.files[0], out=OUT)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    out: Any = subprocess.Popen([sys.executable, "-c", program, str(n_bytes)], **pipes)
    assert out.stdout.readline() == "ready\n"
    return out  # type: ignore[no-any-return]


@pytest.mark.parametrize("sizes", [(60, 60), (60, 90)])
def test_two_drivers_at_once(door: Door, recipe: Recipe, tmp_path: Path, sizes: tuple[int, int]) -> None:
    wholes = []
    for size in set(sizes):
        run(recipe, tmp_path / str(size), n_bytes=size)
        wholes.append(files_of(tmp_path / str(size)))
    both = [driver(recipe, size) for size in sizes]
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in both:
        _, said = one.communicate(timeout=100)
        assert one.returncode == 0, said
    # The first plan counts, whoever wrote it.
    assert objects() in wholes
    assert verify(OUT) == []


def test_a_driver_that_is_killed_is_a_non_event(door: Door, recipe: Recipe, whole: dict[str, bytes]) -> None:
    killed: list[Any] = [driver(recipe, 60)]

    def strike(request: Received) -> None:
        if request.method == "PUT" and "/commits/commit-0000002" in request.path and killed:
            killed.pop().kill()

    door.rule = strike
    victim = killed[0]
    victim.stdin.write("go\n")
    victim.stdin.flush()
    victim.communicate(timeout=100)
    assert victim.returncode == -9
    assert status(OUT).totals.units == 3  # the store has taken the request of the dead
    run(recipe, OUT)
    assert objects() == whole


class Lost(Exception):
    """The connection breaks."""


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_a_lost_connection_is_tried_again_by_the_library(
    door: Door, recipe: Recipe, whole: dict[str, bytes], answered: bool
) -> None:
    """Every third request is lost: on its way, or once the store has done what it says."""
    count = 0

    def lose(request: Received) -> None:
        nonlocal count
        count += 1
        if count % 3 == 0:
            if answered:
                door.passed_on(request)
            raise Lost

    door.rule = lose
    _, ended = run(recipe, OUT)
    door.rule = lambda request: None
    assert count > 20
    assert ended.failed == ()
    assert objects() == whole


def denied(request: Received) -> Reply:
    body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    return Reply(403, body if request.method != "HEAD" else b"", {})


def test_what_a_store_refuses_is_one_line(
    door: Door, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        BadSource,
        match=r"s3://no-bucket/out: expected a store that can be written, got: .*; check the bucket",
    ):
        run(recipe, "s3://no-bucket/out")
    door.rule = denied
    with pytest.raises(BadSource, match=r"expected a store that can be written, got: Permission denied"):
        run(recipe, OUT)
    for verb in (verify, status):
        with pytest.raises(
            BadSource, match=r"plan.parquet: expected the plan of a job, got: Permission denied"
        ):
            verb(OUT)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(BadSource, match=r"expected a store that can be written, got"):
        run(recipe, OUT)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(BadSource, match=r"expected a store that can be written, got: .*credentials"):
        run(recipe, OUT)


def unconditional(request: Received) -> Received:
    return replace(request, headers={k: v for k, v in request.headers.items() if k != "If-None-Match"})


def unknown(request: Received) -> Reply | None:
    body = (
        b"<?xml version='1.0'?><Error><Code>NotImplemented</Code><Message>Not implemented</Message></Error>"
    )
    return Reply(501, body, {}) if "If-None-Match" in request.headers else None


@pytest.mark.parametrize("rule", [unconditional, unknown])
def test_a_store_without_the_condition_is_told_of(
    door: Door, recipe: Recipe, whole: dict[str, bytes], rule: Any
) -> None:
    door.rule = rule
    events, ended = run(recipe, OUT, n_bytes=60)
    assert isinstance(events[0], ShardsStart)
    assert not events[0].alone
    assert ended.failed == ()
    assert objects() == whole


def test_a_fault_is_named_and_mended(door: Door, recipe: Recipe, whole: dict[str, bytes]) -> None:
    run(recipe, OUT)
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe_file("bucket/out/parts/part-0000002.parquet", b"no part")
    system.rm_file("bucket/out/parts/part-0000004.parquet")
    system.pipe_file("bucket/out/parts/mine.txt", b"mine")
    found = verify(OUT)
    assert [(f.fault, f.path) for f in found] == [
        ("damaged", f"{OUT}/parts/part-0000002.parquet"),
        ("missing", f"{OUT}/parts/part-0000004.parquet"),
        ("foreign", f"{OUT}/parts/mine.txt"),
    ]
    assert forget_faulty(OUT, found) == 2
    system.rm_file("bucket/out/parts/mine.txt")
    run(recipe, OUT)
    assert objects() == whole


def test_no_part_with_other_bytes_is_replaced(door: Door, recipe: Recipe) -> None:
    run(recipe, OUT)
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe_file("bucket/out/parts/part-0000002.parquet", b"no part")
    system.rm_file("bucket/out/commits/commit-0000002.json")
    _, ended = run(recipe, OUT)
    (failed,) = ended.failed
    assert "part-0000002.parquet: expected a free name or the same bytes, got other bytes" in failed.error
    assert objects()["parts/part-0000002.parquet"] == b"no part"


def test_fresh_starts_over_and_touches_no_strange_file(
    door: Door, recipe: Recipe, whole: dict[str, bytes]
) -> None:
    run(recipe, OUT, n_bytes=30)
    run(recipe, OUT, n_bytes=60, fresh=True)
    assert objects() == whole
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe_file("bucket/out/mine.txt", b"mine")
    with pytest.raises(BadSource, match="nothing but the files of a job, got one with 'mine.txt' in it"):
        run(recipe, OUT, fresh=True)
    for name in ("plan.parquet", "mine.txt", "totals.json"):
        system.rm_file(f"bucket/out/{name}")
    with pytest.raises(BadSource, match="expected a new or empty directory, got one with 'commits' in it"):
        run(recipe, OUT)


def test_the_commands(door: Door, recipe: Recipe, tmp_path: Path) -> None:
    def said(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pofx", *words], capture_output=True, text=True, check=False
        )

    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    system.pipe_file("bucket/in/a.txt", Path(recipe.documents.files[0]).read_bytes())
    score = ["score", "s3://bucket/in/*.txt", "-m", recipe.model, "--unit-size", "100", "--quiet"]
    for out in (f"{OUT}/", f"{tmp_path / 'here'}/"):
        got = said(*score, "-o", out, "--workers", "2")
        assert got.returncode == 0, got.stderr
    assert objects() == files_of(tmp_path / "here")
    assert said("verify", f"{OUT}/").stdout == "every unit is there, once, as its record says\n"
    assert "done, 100.0% of the bytes" in said("jobs", OUT).stdout
    got = said(*score, "-o", "s3://no-bucket/out/")
    assert got.returncode == 2
    assert len(got.stderr.splitlines()) == 1
    assert "s3://no-bucket/out: expected a store that can be written" in got.stderr
    got = said("verify", "s3://bucket/none")
    assert (got.returncode, "expected the directory of a job" in got.stderr) == (2, True)
