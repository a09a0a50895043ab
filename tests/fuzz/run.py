"""Runs fuzzers: `make fuzz` for long, the tests for a few cases of each.

A fuzzer is a file of this folder with `once(rng)`, which makes one case of a `random.Random` and asserts what must hold,
and `CASES`, how many of them the tests run. A case is its number: the same seed and number make the same case.

    POFX_FUZZ_SECONDS=600 POFX_FUZZ_SEED=7 python tests/fuzz/run.py regular_expressions
    python tests/fuzz/run.py regular_expressions 1234     # one case again
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "run")


def case(name: str, seed: int, number: int) -> None:
    """One case of a fuzzer."""
    importlib.import_module(f"fuzz.{name}").once(random.Random(f"{seed} {number}"))


def cases(name: str) -> int:
    """How many of them the tests run."""
    return int(importlib.import_module(f"fuzz.{name}").CASES)


def run(name: str, seed: int, seconds: float, say: Callable[[str], None]) -> int:
    """Case after case for so long; how many failed. Each is told with the command that repeats it."""
    stop, number, failed = time.monotonic() + seconds, 0, 0
    while time.monotonic() < stop and failed < 10:
        try:
            case(name, seed, number)
        except Exception:
            failed += 1
            say(
                f"{traceback.format_exc()}again: POFX_FUZZ_SEED={seed} python tests/fuzz/run.py {name} {number}"
            )
        number += 1
    say(f"{name}: {number:,} cases from seed {seed}, {failed} failed")
    return failed


def main(arguments: list[str]) -> int:
    """The fuzzers that are named, or all of them; or one case of one."""
    sys.path.insert(0, str(HERE.parent))
    seed = int(os.environ.get("POFX_FUZZ_SEED", "0"))
    if len(arguments) == 2 and arguments[1].isdigit():
        case(arguments[0], seed, int(arguments[1]))
        return 0
    seconds = float(os.environ.get("POFX_FUZZ_SECONDS", "60"))
    failed = [run(name, seed, seconds, _say) for name in arguments or NAMES]
    return int(any(failed))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
