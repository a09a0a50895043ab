"""The number of threads for a network: one for a small one, all for a wide one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from pofx.arithmetic import Engine, one_thread

# Below this width a step of 768 tokens gained 13 % from a second thread on an idle machine with two cores, and ran
# ten times slower on a busy one: threads that wait for each other after every small product wait for the scheduler.
WIDE = 256
# A few tokens are not worth a second thread either: with one core busy, a first answer took 3.3 s on one thread, and
# 13.5 s on two.
FEW = 32


def threads_for(width: int, tokens: int = FEW) -> AbstractContextManager[None]:
    """Let torch use one thread inside this context for a network narrower than `WIDE`, or for less than `FEW` tokens.

    Args:
        width: The size of a hidden state.
        tokens: How many tokens are computed at once.
    """
    return nullcontext() if width >= WIDE and tokens >= FEW else one_thread()


def engine_for(width: int, libraries: tuple[str, ...] = ("torch",)) -> Engine:
    """Return the engine of a network of this width: several threads share the products of a wide network."""
    return Engine(libraries, threaded=width >= WIDE)
