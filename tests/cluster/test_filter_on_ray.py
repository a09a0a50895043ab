"""A filter on a cluster whose actors, nodes or driver die: both sides are those of one process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cluster_toys import StruckKeys
from shard_toys import files_of

import pofx
from pofx.cli.main import main
from pofx.jobs.filtered import on_ray, running

pytestmark = pytest.mark.cluster

DOCS = Path(__file__).parents[2] / "docs"
# A driver that dies when it has the candidates of all nodes, and is about to compare texts.
DRIVER = """
import os, signal
from pofx.cli.main import main
from pofx.jobs.filtered import on_ray, running

running.LEAST_ON_RAY = 0
on_ray.merge_pairs = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
main({arguments!r})
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filter, a corpus with copies, and the oracle: both sides by one process."""
    home = tmp_path_factory.mktemp("filter")
    english = list(pofx.documents(DOCS / "proverbs.txt"))
    pofx.save_filter(pofx.fit_filter(english, spec=pofx.NgramSpec(order=3)), home / "quality")
    texts = [*english[:60], *english[:20], *(f"{t}!" for t in english[:9]), "xx xx"]
    (home / "web.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    run(home, "whole", "--workers", "1")
    return home


def command(home: Path, name: str, *options: str) -> list[str]:
    sides = ["-o", f"{home / name}/", "--rest", f"{home / name}-rest/"]
    files = [str(home / "quality"), str(home / "web.jsonl")]
    return ["filter", "apply", *files, *sides, "--unit-size", "600", "--quiet", *options]


def run(home: Path, name: str, *options: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command(home, name, *options))
    assert ended.value.code == 0


def same(home: Path, name: str) -> None:
    for side in ("", "-rest"):
        assert files_of(home / f"{name}{side}") == files_of(home / f"whole{side}")
    assert len(files_of(home / "whole" / "parts")) > 3


def kill_an_actor(scores: Path, struck: list[int]) -> None:
    """Kill an actor of this machine once the first unit has its record."""
    until = time.monotonic() + 120
    while not list(scores.glob("commits/*")) and time.monotonic() < until:
        time.sleep(0.01)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.read_bytes().startswith(b"ray::UnitWorker") and not struck:
            struck.append(int(path.parent.name))
            os.kill(struck[0], signal.SIGKILL)


def test_an_actor_dies_while_units_are_judged(
    cluster: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LEAST_ON_RAY", 0)
    struck: list[int] = []
    killer = threading.Thread(target=kill_an_actor, args=(home / "actor" / running.SCORES, struck))
    killer.start()
    run(home, "actor", "--ray", cluster.address, "--workers", "2")
    killer.join()
    assert struck
    same(home, "actor")


def test_a_driver_that_dies_within_the_join(cluster: Any, home: Path) -> None:
    options = ("--ray", cluster.address, "--workers", "2")
    program = DRIVER.format(arguments=command(home, "driver", *options))
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (home / "driver" / running.SCORES / "totals.json").exists()
    assert not (home / "driver" / "parts").exists()
    run(home, "driver", "--workers", "1")
    same(home, "driver")


@pytest.mark.timeout(600)  # 104 s on two idle cores, 390 s on loaded ones
def test_a_node_is_lost_while_copies_are_shuffled(
    cluster: Any, striking: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node is lost while keys leave it."""
    monkeypatch.setattr(running, "LEAST_ON_RAY", 0)
    marker, keys = home / "keys", on_ray._Keys
    monkeypatch.setattr(on_ray, "_Keys", lambda *settings: StruckKeys(keys(*settings), marker))
    thread = striking(marker)
    run(home, "node", "--ray", cluster.address)
    thread.join(30)
    assert len(cluster.worker_nodes) == 2
    same(home, "node")
