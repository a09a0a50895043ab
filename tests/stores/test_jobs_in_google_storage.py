"""Jobs whose output and input are at `gs://`: the bytes of a directory of this machine."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import fsspec
import pytest

from store_toys import Door  # isort: skip  (finds the modules below)
from shard_toys import Recipe, files_of, run

from loopback import Received, Reply, answering
from pofx.errors import BadSource
from pofx.jobs.documents import Documents
from pofx.jobs.sharded.cutting import cut
from pofx.jobs.sharded.status import status
from pofx.jobs.sharded.verify import forget_faulty, verify

pytestmark = pytest.mark.stores
OUT = "gs://bucket/out"


class Conditions:
    """The rule of a door that keeps `ifGenerationMatch=0`, which the stand-in ignores: a name is taken once."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._lock = threading.Lock()  # of two requests for one name, one comes first

    def __call__(self, request: Received) -> Reply | None:
        if put_name(request) is None or "ifGenerationMatch=0" not in request.path:
            return None
        with self._lock:
            at = f"/storage/v1/b/bucket/o/{quote(put_name(request) or '', safe='')}"
            if self._door.passed_on(Received("GET", at, {}, b"")).status == 200:
                return Reply(412, b'{"error": {"code": 412, "message": "conditionNotMet"}}')
            return self._door.passed_on(request)


def put_name(request: Received) -> str | None:
    """The name of the object that a request writes; None for another request."""
    url = urlsplit(request.path)
    if request.method != "POST" or not url.path.startswith("/upload/"):
        return None
    found = re.search(rb'"name": *"([^"]*)"', request.body)
    return found[1].decode() if found else parse_qs(url.query)["name"][0]


@pytest.fixture(scope="module")
def google() -> Iterator[str]:
    """The address of a stand-in for Google Cloud Storage."""
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    while server._api._httpd is None:
        time.sleep(0.01)
    yield f"127.0.0.1:{server._api._httpd.server_port}"
    server.stop()


@pytest.fixture
def door(google: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The stand-in through a door, with one empty bucket."""
    monkeypatch.setenv(
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false"
    )  # asks Google itself for the kind of a bucket
    door = Door(google)
    with answering(door.answer) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        system = fsspec.filesystem("gs", skip_instance_cache=True)
        type(system).clear_instance_cache()
        door.passed_on(
            Received(
                "POST", "/storage/v1/b?project=p", {"Content-Type": "application/json"}, b'{"name": "bucket"}'
            )
        )
        there = system.find("bucket")
        if there:
            system.rm(there)
        door.rule = Conditions(door)
        door.seen.clear()
        yield door
        type(system).clear_instance_cache()


def objects() -> dict[str, bytes]:
    system: Any = fsspec.filesystem("gs", skip_instance_cache=True)
    return {p.removeprefix("bucket/out/"): system.cat_file(p) for p in system.find("bucket/out")}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_store_holds_the_bytes_of_a_directory(
    door: Door, recipe: Recipe, whole: dict[str, bytes], workers: int
) -> None:
    events, ended = run(recipe, OUT, workers=workers)
    assert events[0].alone
    assert ended.failed == ()
    assert objects() == whole
    assert verify(OUT) == []
    assert status(OUT).totals == ended.totals
    puts = [(put_name(r) or "", r.path) for r in door.seen if put_name(r)]
    free = {name for name, path in puts if "ifGenerationMatch=0" not in path}
    assert len(puts) > len(whole)
    assert free == {"out/totals.json"}


def test_a_store_without_the_condition_is_told_of(
    door: Door, recipe: Recipe, whole: dict[str, bytes]
) -> None:
    door.rule = lambda request: None
    events, ended = run(recipe, OUT)
    assert not events[0].alone
    assert ended.failed == ()
    assert objects() == whole


def test_input_in_the_store(door: Door, recipe: Recipe, tmp_path: Path) -> None:
    system: Any = fsspec.filesystem("gs", skip_instance_cache=True)
    text = Path(recipe.documents.files[0]).read_bytes()
    for name in ("a.txt", "b.txt"):
        system.pipe_file(f"bucket/in/{name}", text)
    urls = tuple(f"gs://bucket/in/{n}.txt" for n in "ab")
    here, there = (list(cut(Documents((f,)), 60)) for f in (recipe.documents.files[0], urls[0]))
    assert [(u.stretch, u.bytes) for u in there] == [(u.stretch, u.bytes) for u in here]
    there_too = replace(recipe, documents=Documents(urls))
    run(there_too, tmp_path / "here")
    run(there_too, OUT)
    assert objects() == files_of(tmp_path / "here")
    system.pipe_file("bucket/in/b.txt", text.replace(b"tea", b"eat"))
    with pytest.raises(BadSource, match=r"in/b.txt: expected the file as it was .* edited since"):
        run(there_too, OUT)


class Lost(Exception):
    """The connection breaks."""


@pytest.mark.filterwarnings("ignore")
def test_a_lost_answer_is_asked_for_again(door: Door, recipe: Recipe, whole: dict[str, bytes]) -> None:
    """Every fifth request is lost once the store has done what it says: a repeated put meets its own first one."""
    keeps, count = door.rule, 0

    def lose(request: Received) -> Reply | Received | None:
        nonlocal count
        count += 1
        answer = keeps(request)
        if count % 5 == 0:
            if answer is None:
                door.passed_on(request)
            raise Lost
        return answer

    door.rule = lose
    _, ended = run(recipe, OUT)
    door.rule = keeps
    assert count > 20
    assert ended.failed == ()
    assert objects() == whole


def test_a_fault_is_named_and_mended(door: Door, recipe: Recipe, whole: dict[str, bytes]) -> None:
    run(recipe, OUT)
    system: Any = fsspec.filesystem("gs", skip_instance_cache=True)
    system.pipe_file("bucket/out/parts/part-0000002.parquet", b"no part")
    found = verify(OUT)
    assert [(f.fault, f.path) for f in found] == [("damaged", f"{OUT}/parts/part-0000002.parquet")]
    assert forget_faulty(OUT, found) == 1
    run(recipe, OUT)
    assert objects() == whole


def test_a_refusal_is_one_line(door: Door, recipe: Recipe) -> None:
    said = b'{"error": {"code": 403, "message": "The account may not write."}}'
    door.rule = lambda request: Reply(403, said)
    with pytest.raises(BadSource) as refused:
        run(recipe, OUT)
    assert "expected a store that can be written, got: Forbidden" in str(refused.value)
    assert "\n" not in str(refused.value)
