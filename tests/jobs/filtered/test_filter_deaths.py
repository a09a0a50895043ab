"""The death of a filter's driver at any moment: the same command ends the run, with the bytes of a run that never died."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main

DOCS = Path(__file__).parents[3] / "docs"
# `pofx …` that kills itself when it is about to call a function of a module for the n-th time.
KILLED = """
import os, signal, sys
import {module} as module
from pofx.cli.main import main

calls, real = 0, module.{name}

def deadly(*args, **options):
    global calls
    calls += 1
    if calls == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **options)

module.{name} = deadly
main({arguments!r})
"""
MOMENTS = [
    pytest.param("pofx.jobs.sharded.part", "write_commit", 3, marks=pytest.mark.thorough),
    pytest.param("pofx.jobs.filtered.running", "join_copies", 1, marks=pytest.mark.thorough),
    pytest.param("pofx.jobs.filtered.running", "write_plan", 2, marks=pytest.mark.thorough),
    ("pofx.jobs.filtered.sides", "write_commit", 8),  # in the second side, whose first part has its name
    pytest.param("pofx.jobs.filtered.running", "write_totals", 1, marks=pytest.mark.thorough),
    pytest.param("pofx.jobs.filtered.running", "write_totals", 2, marks=pytest.mark.thorough),
    pytest.param("pofx.jobs.filtered.running", "_end_of", 1, marks=pytest.mark.thorough),
]


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filter, a corpus, and both sides of a run that never died."""
    home = tmp_path_factory.mktemp("filter")
    english = list(pofx.documents(DOCS / "proverbs.txt"))
    pofx.save_filter(pofx.fit_filter(english, spec=pofx.NgramSpec(order=3)), home / "quality")
    texts = [*english[:60], *english[:20], *(f"{t}!" for t in english[:9]), "xx xx"]
    (home / "web.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    run(home, "whole")
    return home


def command(home: Path, name: str) -> list[str]:
    out = [
        "-o",
        f"{home / name}/",
        "--rest",
        f"{home / name}-rest/",
        "--unit-size",
        "600",
        "--workers",
        "1",
        "--quiet",
    ]
    return ["filter", "apply", str(home / "quality"), str(home / "web.jsonl"), *out]


def run(home: Path, name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command(home, name))
    assert ended.value.code == 0


@pytest.mark.parametrize(("module", "name", "n"), MOMENTS)
def test_a_driver_that_is_killed_is_a_non_event(home: Path, module: str, name: str, n: int) -> None:
    out = f"{name}{n}{module[-3:]}"
    program = KILLED.format(module=module, name=name, n=n, arguments=command(home, out))
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    run(home, out)
    for side in ("", "-rest"):
        assert files_of(home / f"{out}{side}") == files_of(home / f"whole{side}")
    assert len(files_of(home / "whole/parts")) > 3
