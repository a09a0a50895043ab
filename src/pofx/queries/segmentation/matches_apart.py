"""The matches of `re` found by a process of its own, which can be stopped from any thread."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np

CHILD = Path(__file__).with_name("matches_child.py")
GRACE = 20.0  # seconds to start Python on a busy machine


def matches_apart(pattern: re.Pattern[str], text: str, seconds: float) -> list[tuple[int, int]] | None:
    """(start, end) of each match that is not empty; None where they are not found within so many seconds.

    Starting the process takes some 30 ms. Right: in a thread that is not the main one. Wrong: where signals come.
    """
    import subprocess  # hardly a pattern needs a process of its own

    asked = {"pattern": pattern.pattern, "flags": int(pattern.flags), "seconds": seconds}
    given = json.dumps(asked).encode("ascii") + b"\n" + text.encode("utf-8", "surrogatepass")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHILD)],
            input=given,
            capture_output=True,
            timeout=seconds + GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    found = np.frombuffer(done.stdout, dtype=np.int64).reshape(-1, 2)
    return [(lo, hi) for lo, hi in found.tolist()]
