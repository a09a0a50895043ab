"""pofx fit --workers on a transformer, in processes of their own: signals, deaths, ports and `torchrun`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from command_line import POFX, Ran

pytest.importorskip("torch")

TINY = ["--family", "transformer", "--layers", "1", "--width", "16", "--heads", "2", "--context", "16"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]


def fit(models: Path, name: str, *more: str) -> list[str]:
    return ["fit", str(models / "corpus.txt"), "-o", name, *TINY, *more]


def children(pid: int) -> list[int]:
    with suppress(FileNotFoundError):
        return [
            int(c)
            for tasks in Path(f"/proc/{pid}/task").glob("*/children")
            for c in tasks.read_text().split()
        ]
    return []


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def all_end(pids: list[int], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.1)
    return not any(map(alive, pids))


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of temporary files of the fit."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture
def fitting(models: Path, tmp_path: Path, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A fit of a minute by three workers, which has taken its first step; it has a group of its own, as in a shell."""
    process = subprocess.Popen(
        [*POFX, *fit(models, "m", "--seconds", "60", "--workers", "3")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stderr is not None
    assert b"%" in process.stderr.readline()
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def addresses(pids: list[int]) -> set[str]:
    """The addresses on which processes listen."""
    sockets = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                sockets.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:  # 0A: listening
                found.add(fields[1].split(":")[0])
    return found


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="no /proc")
def test_ctrl_c_ends_all_workers_which_listen_on_loopback(
    fitting: subprocess.Popen[bytes], run: Callable[..., Ran], models: Path, tmp_path: Path
) -> None:
    helpers = children(fitting.pid)
    assert len(helpers) == 2
    assert addresses([fitting.pid, *helpers]) == {"0100007F"}  # 127.0.0.1
    os.killpg(fitting.pid, signal.SIGINT)  # as a terminal does
    out, err = fitting.communicate(timeout=60)
    assert fitting.returncode == 130, err
    assert (out, b"Traceback" in err) == (b"", False)
    last = err.decode().splitlines()[-1]
    assert last.startswith("pofx: interrupted after step ")
    assert "--resume" in last
    assert all_end(helpers)
    assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]
    assert run(*fit(models, "m", "--seconds", "0.1", "--workers", "3", "--resume")).code == 0


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends(fitting: subprocess.Popen[bytes], number: signal.Signals, tmp_path: Path) -> None:
    helpers = children(fitting.pid)
    os.kill(helpers[0], number)
    _, err = fitting.communicate(timeout=60)
    last = err.decode().splitlines()[-1]
    if number == signal.SIGKILL:
        assert fitting.returncode == 2
        assert last.startswith(
            "pofx: error: --workers: expected processes that live until the fit ends, got worker "
        )
        assert "which SIGKILL ended" in last
    else:  # a batch system ends all processes of a job by SIGTERM
        assert fitting.returncode == 130
    assert "--resume" in last
    assert all_end(helpers)
    assert [p.name for p in tmp_path.iterdir()] == ["m.checkpoint"]


@pytest.mark.thorough
def test_workers_end_with_the_process_that_started_them_and_leave_nothing(
    fitting: subprocess.Popen[bytes], temporary: Path
) -> None:
    helpers = children(fitting.pid)
    fitting.kill()
    assert all_end(helpers)
    assert list(temporary.glob("pofx-fit-*")) == []


@pytest.mark.thorough
def test_torchrun_fits_the_same_bytes(run: Callable[..., Ran], models: Path, tmp_path: Path) -> None:
    assert run(*fit(models, "here", "--epochs", "3", "--workers", "2")).code == 0
    ran = subprocess.run(
        [*TORCHRUN, "-m", "pofx", *fit(models, "there", "--epochs", "3", "--workers", "2")],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(b"held out:") == 1
    assert Path("there/model.safetensors").read_bytes() == Path("here/model.safetensors").read_bytes()
    ran = subprocess.run(
        [*TORCHRUN, "-m", "pofx", *fit(models, "alone", "--epochs", "3")],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"--workers: expected 2, the number of processes that torchrun started, got None" in ran.stderr
    assert not Path("alone").exists()


@pytest.mark.thorough
def test_a_restart_of_torchrun_continues_the_fit(
    run: Callable[..., Ran], models: Path, tmp_path: Path
) -> None:
    assert run(*fit(models, "here", "--epochs", "30", "--workers", "2")).code == 0
    command = [*TORCHRUN, "--max-restarts", "1", "-m", "pofx"]
    process = subprocess.Popen(
        [*command, *fit(models, "there", "--epochs", "30", "--workers", "2")], stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    while b"tokens/s" not in process.stderr.readline():
        pass
    (second,) = [c for c in children(process.pid) if b"\0RANK=1\0" in Path(f"/proc/{c}/environ").read_bytes()]
    os.kill(second, signal.SIGKILL)
    _, err = process.communicate(timeout=150)
    assert process.returncode == 0, err
    assert b"pofx: this fit continues" in err
    assert Path("there/model.safetensors").read_bytes() == Path("here/model.safetensors").read_bytes()
