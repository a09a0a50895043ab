"""The number of threads of a network: one thread for a narrow network, all threads for a wide network."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from pofx.arithmetic import Engine, one_thread

# Below this width a step of 768 tokens gained 13 % from a second thread on an idle machine with two cores. On a busy machine
# the step ran ten times slower, since threads that wait for each other after every small product wait for the scheduler.
WIDE = 256
# For a few tokens one thread is faster, too: with one core busy, a first answer took 3.3 s on one thread, and 13.5 s on
# two threads.
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
