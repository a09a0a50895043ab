"""Work on an untrusted file in a process of its own, limited in time and memory, with the output of libraries silenced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from pofx.errors import Advice, BadSource

GRACE = 20.0  # seconds beside those of the work: starting Python and importing a library on a busy machine


class Failed(Exception):
    """There is no answer. The message says in one line what the work raised, or how its process ended."""


class Raised(Failed):
    """The work raised an unforeseen exception: a mistake of ours, or of a library whose calls are not wrapped."""


def run_isolated(task: str, request: dict[str, Any], seconds: float, memory: int, child: str) -> Any:
    """Run a task in a process of its own, and return its answer.

    Args:
        task: The name of the task.
        request: The request, as plain JSON.
        seconds: The processor time that the work may take once its libraries are loaded. Where the system cannot limit
            the processor time, only the whole time is limited.
        memory: The bytes that the work may take once its libraries are loaded.
        child: The module that the process runs; it passes its tasks to `pofx.files.isolated.child.serve`.

    Returns:
        The answer, as plain JSON.

    Raises:
        Failed: There is no answer.
        BadSource: Our own code refused the input.
        OSError: The system refused the work a file, or room on a disk.

    Right: `run_isolated("render", {…}, seconds=5, memory=1 << 30, child="pofx.….child")`.
    Wrong: a large answer, which would travel as JSON.
    """
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", "RUST_BACKTRACE": "0"}
    # Without this, each core starts a thread, whose pool of memory counts against the limit.
    environment |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "MALLOC_ARENA_MAX": "2"}
    asked = json.dumps({**request, "seconds": seconds, "memory": memory})
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", child, task],
            input=asked.encode("utf-8", "surrogatepass"),
            capture_output=True,
            timeout=2 * seconds + GRACE,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"more than {seconds:g} s of work") from None
    except OSError as e:
        raise Failed(f"no new process: {e.strerror or e}") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise Failed(_ended(done.returncode, seconds)) from None
    if "errno" in answer:
        raise OSError(answer["errno"], answer["error"], answer["path"])
    if "refused" in answer:
        raise BadSource(answer["refused"], [Advice(**told) for told in answer["advice"]])
    if "error" in answer:
        raise (Raised if answer["kind"] == "raised" else Failed)(answer["error"])
    return answer["answer"]


def _ended(code: int, seconds: float) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"more than {seconds:g} s of work, or more memory than there is"
    if code < 0:
        return f"a library that ended its process ({signal.Signals(-code).name})"
    return f"a library that ended its process (exit code {code})"
