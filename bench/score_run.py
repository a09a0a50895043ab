"""Processes of bench/score.py: started one after the other, asked one at a time, in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True)
class Tool:
    """One contender of a task. batches: sizes to try with --tune, the best known one first; empty: it has none."""

    name: str
    worker: str
    peers: bool = False  # lives in the peers' Python
    batches: tuple[int, ...] = ()


@dataclass(frozen=True)
class Setting:
    """What all processes of a run share."""

    source: str
    checkpoint: Path
    begin: str
    data: Path
    threads: int
    peers_python: Path


@dataclass
class Row:
    """What one tool did in one task: an answer a repetition."""

    tool: Tool
    batch: int | None = None
    answers: list[dict] = field(default_factory=list)
    ready: dict = field(default_factory=dict)
    failed: str = ""

    @property
    def ok(self) -> bool:
        return not self.failed and bool(self.answers)

    @property
    def cpu(self) -> float:
        return sum(a["cpu"] for a in self.answers)

    @property
    def peak(self) -> int:
        return max(a["peak"] for a in self.answers)

    @property
    def over(self) -> int:
        """Peak beyond the process as it stood with its weights loaded."""
        return self.peak - self.ready["rss"]


class Failure(Exception):
    """A tool's process ended; the message is the end of what it wrote."""


def environment(threads: int) -> dict[str, str]:
    env = {**os.environ, **QUIET}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    return env


class Process:
    """A worker, loaded and waiting."""

    def __init__(self, tool: Tool, setting: Setting) -> None:
        python = str(setting.peers_python) if tool.peers else sys.executable
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
        command = [python, str(HERE / "score_worker.py"), "--tool", tool.worker]
        command += ["--checkpoint", str(setting.checkpoint), "--data", str(setting.data)]
        command += ["--begin", setting.begin, "--source", setting.source, "--threads", str(setting.threads)]
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment(setting.threads),
        )
        self.ready = self._answer()

    def ask(self, **request) -> dict:
        assert self.child.stdin is not None
        try:
            print(json.dumps(request), file=self.child.stdin, flush=True)
        except BrokenPipeError:
            raise Failure(self._last_words()) from None
        return self._answer()

    def close(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait(timeout=60)
        self.log.close()

    def _answer(self) -> dict:
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise Failure(self._last_words())
        return json.loads(line)

    def _last_words(self) -> str:
        self.child.wait(timeout=60)
        self.log.seek(0)
        lines = self.log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.child.returncode}"


def in_turns(
    task: str,
    tools: Sequence[Tool],
    setting: Setting,
    request: dict,
    reps: int,
    warm: dict,
    tune: dict | None,
) -> list[Row]:
    """Every repetition asks every tool once, another one first each time; none runs while another does.

    warm, tune: the part of the task to warm up on, and to choose batch sizes on, if they are to be chosen.
    """
    rows = [Row(tool, tool.batches[0] if tool.batches else None) for tool in tools]
    processes: dict[str, Process] = {}
    for row in rows:
        say(f"  {row.tool.name}: loading")
        with guarded(row):
            processes[row.tool.name] = p = Process(row.tool, setting)
            row.ready = p.ready
            p.ask(task=task, **request, **warm, **batch(row))
            if tune and len(row.tool.batches) > 1:
                row.batch = tuned(p, row, {"task": task, **request, **tune})
    for rep in range(reps):
        at = rep % len(rows)
        for row in rows[at:] + rows[:at]:
            if row.failed:
                continue
            with guarded(row):
                row.answers.append(
                    processes[row.tool.name].ask(task=task, slice=rep, seed=rep, **request, **batch(row))
                )
                say(f"  repetition {rep + 1}  {row.tool.name:28} {row.answers[-1]['cpu']:8.2f} CPU s")
    for p in processes.values():
        p.close()
    return rows


class guarded:  # noqa: N801  (reads as a statement)
    """A tool that dies is out of the race; the others go on."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, _trace) -> bool:
        if kind is Failure:
            self.row.failed = str(error)
            say(f"  {self.row.tool.name}: failed: {error}")
            return True
        return False


def batch(row: Row) -> dict:
    return {} if row.batch is None else {"batch": row.batch}


def tuned(process: Process, row: Row, request: dict) -> int:
    """The batch size of least CPU time on a part of the task."""
    found = {size: process.ask(**request, batch=size)["cpu"] for size in row.tool.batches}
    say(f"  {row.tool.name}: " + ", ".join(f"batch {b}: {s:.2f} s" for b, s in found.items()))
    return min(found, key=lambda size: found[size])


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
