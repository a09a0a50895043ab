"""How many threads a small network is worth."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from pofx.arithmetic import Engine, one_thread

# Below this width a step of 768 tokens gained 13 % from a second thread on an idle machine with two cores, and ran
# ten times slower on a busy one: threads that wait for each other after every small product wait for the scheduler.
WIDE = 256
# Nor are a few tokens: the first answer of a model took 3.3 s with one thread and 13.5 s with two, one core being busy.
FEW = 32


def threads_for(width: int, tokens: int = FEW) -> AbstractContextManager[None]:
    """One thread for a network narrower than `WIDE` or fewer tokens than `FEW`, else as many as torch was set to;
    restored afterwards."""
    return nullcontext() if width >= WIDE and tokens >= FEW else one_thread()


def engine_for(width: int, libraries: tuple[str, ...] = ("torch",)) -> Engine:
    """What a network of so many numbers a token computes with: several threads share its products if it is wide."""
    return Engine(libraries, threaded=width >= WIDE)
