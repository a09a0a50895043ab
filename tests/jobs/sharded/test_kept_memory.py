"""Freed memory stays with a worker: a second pass over the same sizes meets no new page."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Arrays as large as those of a block, which a pass makes and frees; the page faults of a later pass.
PROGRAM = """
import resource
import numpy as np
from pofx.jobs.sharded.kept_memory import keep_freed_memory
if {kept}:
    keep_freed_memory()
def go():
    some = [np.ones(size) for size in (131_072, 262_144, 524_288, 262_144)]
    del some
    return np.ones(131_072).sum()
go(); go()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
go()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(kept: bool) -> int:
    program = [sys.executable, "-c", PROGRAM.format(kept=kept)]
    return int(subprocess.run(program, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc has other rules")
def test_a_pass_meets_the_memory_that_an_earlier_one_freed() -> None:
    assert faults(True) < 200 < 1000 < faults(False)  # the arrays have some 2,300 pages of 4 KiB
