"""A filter whose sides are in an object store: the bytes of two directories of this machine, whenever the run dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from store_toys import Door  # isort: skip  (finds the modules below)
from shard_toys import files_of

import pofx
from loopback import Received

pytestmark = pytest.mark.stores
DOCS = Path(__file__).parents[2] / "docs"
KEPT, REST = "s3://bucket/kept/", "s3://bucket/rest/"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filter, a corpus with copies and a row without a text, and both sides on this machine."""
    home = tmp_path_factory.mktemp("filter")
    english = list(pofx.documents(DOCS / "proverbs.txt"))
    pofx.save_filter(pofx.fit_filter(english, spec=pofx.NgramSpec(order=3)), home / "quality")
    texts = [*english[:60], *english[:20], *(f"{t}!" for t in english[:9]), "xx xx"]
    lines = [json.dumps({"text": t}) for t in texts]
    (home / "web.jsonl").write_text("\n".join([*lines, '{"n": 1}', ""]))
    ended = command(home, f"{home / 'kept'}/", f"{home / 'rest'}/")
    _, said = ended.communicate(timeout=200)
    assert (ended.returncode, said[:31]) == (1, "pofx: warning: 1 row without a d"[:31]), said
    return home


def command(home: Path, kept: str, rest: str, workers: str = "1") -> subprocess.Popen[str]:
    sides = [
        "-o",
        kept,
        "--rest",
        rest,
        "--unit-size",
        "600",
        "--workers",
        workers,
        "--max-error-rate",
        "0.5",
    ]
    words = ["filter", "apply", str(home / "quality"), str(home / "web.jsonl"), *sides, "--quiet"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "pofx", *words], env=dict(os.environ), **pipes)


def run(home: Path, workers: str = "1") -> None:
    ended = command(home, KEPT, REST, workers)
    _, said = ended.communicate(timeout=200)
    assert (ended.returncode, said[:31]) == (1, "pofx: warning: 1 row without a d"[:31]), said


def objects() -> dict[str, bytes]:
    system: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    return {p.removeprefix("bucket/"): system.cat_file(p) for p in system.find("bucket")}


def whole(home: Path) -> dict[str, bytes]:
    return {
        f"{side}/{name}": data for side in ("kept", "rest") for name, data in files_of(home / side).items()
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_store_holds_the_bytes_of_two_directories(door: Door, home: Path, workers: str) -> None:
    run(home, workers)
    assert objects() == whole(home)
    assert len(whole(home)) > 20
    puts = [r for r in door.seen if r.method == "PUT" and "/.probe-" not in r.path]
    assert {r.path.split("/")[-1] for r in puts if "If-None-Match" not in r.headers} == {"totals.json"}
    door.seen.clear()
    run(home)  # a run that has ended is told again
    assert not [r for r in door.seen if r.method == "PUT" and "/.probe-" not in r.path]
    assert objects() == whole(home)


@pytest.mark.parametrize(
    "moment",
    [
        "/kept/.scores/commits/commit-0000002",
        "/kept/.scores/totals",
        "/kept/plan",
        "/kept/parts/part-0000001",
        "/rest/commits/commit-0000001",
        "/kept/totals",
        "/rest/totals",
    ],
)
def test_a_driver_that_is_killed_is_a_non_event(door: Door, home: Path, moment: str) -> None:
    victim = command(home, KEPT, REST)
    struck = False

    def strike(request: Received) -> None:
        nonlocal struck
        if request.method == "PUT" and moment in request.path and not struck:
            struck = True
            victim.kill()

    door.rule = strike
    victim.communicate(timeout=200)
    assert victim.returncode == -9
    door.rule = lambda request: None
    assert objects() != whole(home)
    run(home)
    assert objects() == whole(home)


class Lost(Exception):
    """The connection breaks."""


@pytest.mark.filterwarnings("ignore")
def test_lost_connections_change_no_byte(door: Door, home: Path) -> None:
    count = 0

    def lose(request: Received) -> None:
        nonlocal count
        count += 1
        if count % 3 == 0:
            door.passed_on(request)
            raise Lost

    door.rule = lose
    run(home)
    door.rule = lambda request: None
    assert count > 20
    assert objects() == whole(home)


def test_two_runs_at_once(door: Door, home: Path) -> None:
    both = [command(home, KEPT, REST) for _ in range(2)]
    codes = [(one.communicate(timeout=200)[1], one.returncode)[::-1] for one in both]
    # A run whose first pass the other run has removed says so, and is run again.
    assert all(code == 1 or (code == 2 and "run the command again" in said) for code, said in codes), codes
    assert 1 in [code for code, _ in codes]
    run(home)
    assert objects() == whole(home)


def test_sides_that_lie_in_each_other_are_refused(door: Door, home: Path) -> None:
    ended = command(home, KEPT, f"{KEPT}rest/")
    _, said = ended.communicate(timeout=100)
    assert ended.returncode == 2
    assert "expected a prefix beside that of -o" in said
    assert objects() == {}
