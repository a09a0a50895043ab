"""The process that worker processes are forked from, which has imported what a worker of an n-gram needs."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import BaseContext

# A worker that starts from nothing takes 1.3 s of CPU time until its first unit, most of them for imports. A process with
# threads must not be forked, so pyarrow is not among these modules: its import starts a thread. N-grams need no torch.
_MODULES = (
    "pofx.jobs.score_rows",
    "pofx.jobs.word_rows",
    "pofx.jobs.sharded.workers",
    "pofx.models.loading",
    "pofx.models.ngram",
    "pofx.corpus.documents",
)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def worker_context(*modules: str) -> BaseContext:
    """Return how worker processes are started, and begin to import what they need; the call itself takes milliseconds.

    On Linux the first call starts a process from which workers are forked. A call before the model is loaded saves the time
    of the imports. That process has the environment at the first call, but one thread for the libraries of numpy.

    Args:
        *modules: Modules that workers import besides those of an n-gram; none of them starts a thread.

    Returns:
        The context for `ProcessPoolExecutor`; on other systems each worker starts from nothing.
    """
    # Libraries of macOS do not survive a fork, and Windows has none.
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_MODULES, *modules])
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return context
