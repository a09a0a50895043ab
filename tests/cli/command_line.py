"""`pofx …` in this process and in one of its own, and what came of it: helpers of the tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POFX = (sys.executable, "-c", "from pofx.cli.main import main; main()")
LINES = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "a", "the cats sat"] * 4


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines of stdout, by a parser that knows no NaN and no Infinity."""
        return [json.loads(line, parse_constant=_refuse) for line in self.out.splitlines()]

    @property
    def refusal(self) -> str:
        """The one line on stderr of what was refused."""
        assert self.code == 2, self
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("pofx: error: "), self.err
        assert "Traceback" not in self.err
        return self.err


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def process(*arguments: str | bytes, cwd: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`pofx …` in a process of its own."""
    extra = options.pop("env", {})
    return subprocess.run(
        [*POFX, *arguments],
        cwd=cwd,
        capture_output=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "80", **extra},
        **options,
    )
