"""A transformer fitted by actors of Ray: the bytes of processes without Ray, and what the death of an actor costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from cluster_toys import LateHelper  # noqa: E402

import pofx  # noqa: E402
from pofx.errors import BadValue  # noqa: E402
from pofx.models.transformer.fit_state import FitProgress  # noqa: E402
from pofx.models.transformer.workers import on_ray  # noqa: E402

pytestmark = pytest.mark.cluster

TEXTS = ["a" * k + "b" * (k % 3) for k in range(1, 6)] * 12
FIT = pofx.TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=4, seed=3)


def weights(lm: pofx.LM) -> dict[str, bytes]:
    return {name: p.detach().numpy().tobytes() for name, p in lm.net.named_parameters()}  # type: ignore[attr-defined]


def fit(workers: int, **options: Any) -> pofx.LM:
    return pofx.fit(TEXTS[5:], FIT, validation=TEXTS[:5], workers=workers, **options)


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """The oracle: the weights by three processes of this machine."""
    return weights(fit(3))


def processes(command: bytes) -> list[int]:
    """The processes whose command line has these bytes, which Ray sets to the method that an actor runs."""
    return [
        int(p.parent.name)
        for p in Path("/proc").glob("[0-9]*/cmdline")
        if command in _read(p) and _is_mine(p)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_mine(path: Path) -> bool:
    """Whether the process descends from this one."""
    pid = int(path.parent.name)
    while pid > 1:
        if pid == os.getpid():
            return True
        stat = _read(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
        pid = int(stat[1]) if stat else 0
    return False


def test_actors_of_a_cluster_end_in_the_bits_of_processes(cluster: Any, whole: dict[str, bytes]) -> None:
    assert weights(fit(3, ray=cluster.address)) == whole


def test_an_actor_that_dies_is_named_and_the_fit_goes_on_from_the_latest_step(
    cluster: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    def kill(p: FitProgress) -> None:
        if p.step == 9:
            os.kill(processes(b"ray::RayHelper")[0], signal.SIGKILL)

    file = tmp_path / "checkpoint"
    said = r"got worker \d of 3 \(node .*, process \d+\), which died, after step \d+; continue the fit"
    with pytest.raises(BadValue, match=said):
        fit(3, ray=cluster.address, checkpoint=file, progress=kill)
    seen: list[FitProgress] = []
    parts = fit(3, ray=cluster.address, checkpoint=file, resume=True, progress=seen.append)
    assert seen[0].step in (10, 11)
    assert weights(parts) == whole


def test_more_workers_than_the_cluster_has_cpus(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "_ROOM", 1.0)
    with pytest.raises(
        BadValue, match=r"^workers: expected 6 free CPUs of Ray .*, got 3 after 1 s; take fewer"
    ):
        fit(7, ray=cluster.address)
    assert int(cluster_cpus()) == 3


def cluster_cpus() -> float:
    import ray

    return float(ray.available_resources().get("CPU", 0))


# gloo itself would wait ten minutes for the dead actor.
@pytest.mark.timeout(200)
def test_an_actor_that_dies_before_all_have_met_is_named(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "RayHelper", LateHelper)
    said = r"^workers: expected 3 processes that meet, got worker 3 of 3 \(node .*, process \d+\), which died; run"
    with pytest.raises(BadValue, match=said):
        fit(3, ray=cluster.address)


def command(out: Path, *options: str) -> list[str]:
    said = ["fit", "corpus.txt", "-o", str(out), "--family", "transformer", "--layers", "1", "--width", "16"]
    return [
        sys.executable,
        "-m",
        "pofx",
        *said,
        "--heads",
        "2",
        "--context",
        "8",
        "--workers",
        "2",
        "--quiet",
        *options,
    ]


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a directory with a corpus."""
    (tmp_path / "corpus.txt").write_text("".join(f"{t} {k}\n" for k, t in enumerate(TEXTS)))

    def run(out: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(tmp_path / out, *options), cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


def test_the_command_makes_the_file_of_processes(
    ended: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    for out, options in (("here", ()), ("there", ("--ray",))):
        got = ended(out, "--epochs", "1", *options)
        assert got.returncode == 0, got.stderr
        assert got.stderr == ""
    here, there = (tmp_path / out / "model.safetensors" for out in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()


def test_ctrl_c_keeps_the_checkpoint(
    ended: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    said = [a for a in command(tmp_path / "m", "--seconds", "120", "--ray") if a != "--quiet"]
    running = subprocess.Popen(said, cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True)
    assert running.stderr is not None
    assert b"%" in running.stderr.readline()
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=120)
    assert running.returncode == 130, told
    assert b"Traceback" not in told
    assert (tmp_path / "m.checkpoint").is_file()
