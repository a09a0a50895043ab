"""The process that `run_isolated` starts: it reads one request, works within limits, and writes one answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pofx.errors import PofxError
from pofx.files.out_of_memory import is_out_of_memory

MOST_ANSWER = 1 << 22  # characters
Task = Callable[[Mapping[str, Any]], Callable[[], Any]]


def serve(tasks: Mapping[str, Task]) -> None:
    """Read one request from standard input, run the task that the command line names, and print one answer.

    A task loads its libraries, and returns a function that does the work. The limits hold for this function alone.
    """
    request = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    answer: dict[str, Any] = {"error": "no answer", "kind": "failed"}
    try:
        work = tasks[sys.argv[1]](request)
        _limit(request["seconds"], request["memory"])
        answer = {"answer": work()}
    except (
        BaseException
    ) as e:  # a panic of tokenizers is no Exception, and only the answer can report the panic
        answer = {"error": " ".join(f"{type(e).__name__}: {e}".split())[:300], "kind": "raised"}
        if is_out_of_memory(e):
            answer = {"error": f"more than {request['memory'] / 1e9:.1f} GB of memory", "kind": "failed"}
        elif isinstance(e, PofxError):
            answer = {"refused": e.subject, "advice": [asdict(a) for a in e.advice]}
        elif isinstance(e, OSError):
            answer = {"error": e.strerror or str(e), "errno": e.errno, "path": e.filename and str(e.filename)}
    sys.stdout.write(json.dumps(answer)[:MOST_ANSWER])
    sys.stdout.flush()
    os._exit(0)  # threads of a library that panicked might never end


def _limit(seconds: float, memory: int) -> None:
    """Limit processor time and memory, beyond the time and memory that the imports took."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    time = int(used.ru_utime + used.ru_stime + seconds) + 1
    _lower(resource.RLIMIT_CPU, time, 1)
    _lower(resource.RLIMIT_CORE, 0)
    try:
        with open("/proc/self/statm") as f:
            now = int(f.read().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, now + memory)
    except (OSError, ValueError):
        return


def _lower(which: int, most: int, grace: int = 0) -> None:
    """Lower a limit of this process; a lower limit that the user's shell has set stays, since it cannot be raised."""
    import resource

    kept = resource.getrlimit(which)
    soft, hard = (
        new if old == resource.RLIM_INFINITY else min(new, old)
        for new, old in zip((most, most + grace), kept, strict=True)
    )
    resource.setrlimit(which, (soft, hard))
