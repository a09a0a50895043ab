"""`--ray` without an address: the command line, who may connect, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shard_toys import files_of

pytestmark = pytest.mark.cluster

# What listens while a session is open, as a line of addresses; then a client without the token.
LISTENING = """
import os, subprocess, sys
from pathlib import Path
from pofx.ray_session import ray_session

def descendants(pid):
    own = [int(c) for t in Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]
    return own + [d for c in own for d in descendants(c)]

def listening():
    inodes = set()
    for pid in [os.getpid(), *descendants(os.getpid())]:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and cells[9] in inodes:
                yield cells[1].split(":")[0]

with ray_session("local", 1) as ray:
    print(*listening())
    address = ray.get_runtime_context().gcs_address
    token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
    print(oct(token.stat().st_mode & 0o777), oct(token.parent.stat().st_mode & 0o777), len(token.read_text()))
    without = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    code = f"import ray; ray.init({address!r}, log_to_driver=False); print('connected')"
    got = subprocess.run([sys.executable, "-c", code], env=without, capture_output=True, text=True, timeout=60)
    print(got.returncode, "connected" in got.stdout, "token" in got.stderr.lower())
    got = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, timeout=60)
    print(got.returncode, "connected" in got.stdout)
print("RAY_AUTH_MODE" in os.environ)
# Ray keeps the token of the first session.
with ray_session("local", 1) as ray:
    print(ray.cluster_resources()["CPU"])
"""
# 127.0.0.1 in /proc/net/tcp, and the same address in /proc/net/tcp6.
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}


def test_a_ray_of_this_machine_listens_on_loopback_and_asks_for_a_token() -> None:
    got = subprocess.run([sys.executable, "-c", LISTENING], capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stderr
    listening, modes, without, with_token, left, again = got.stdout.splitlines()
    assert len(listening.split()) >= 3
    assert set(listening.split()) <= LOOPBACK
    assert modes == "0o600 0o700 64"
    assert without == "1 False True"
    assert with_token == "0 True"
    assert left == "False"
    assert again == "1.0"


def pofx(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pofx", *arguments]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("".join(f"line {k} of the corpus\n" for k in range(200)))
    return path


def test_the_command_makes_the_bytes_of_one_process(corpus: Path, tmp_path: Path, model: Path) -> None:
    said = ["score", str(corpus), "-m", str(model), "--max-error-rate", "1", "--unit-size", "1000"]
    for out, how in (("one", ["--workers", "1"]), ("ray", ["--ray", "--workers", "2"])):
        got = subprocess.run(
            pofx(*said, "-o", f"{tmp_path / out}/", *how, "--quiet"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert got.returncode == 0, got.stderr
    assert got.stderr == ""
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "one")


@pytest.mark.parametrize("verb", ["words", "classify"])
def test_words_and_classes_have_the_bytes_of_one_process(
    corpus: Path, tmp_path: Path, model: Path, verb: str
) -> None:
    said = ["words", str(corpus), "-m", str(model)]
    if verb == "classify":
        (tmp_path / "b.txt").write_text("red and blue\n" * 30)
        classes = (f"a={corpus}", f"b={tmp_path / 'b.txt'}")
        subprocess.run(pofx("classify", "train", *classes, "-o", str(tmp_path / "c")), check=True)
        said = ["classify", "predict", str(tmp_path / "c"), str(corpus)]
    for out, how in (("one", ["--workers", "1"]), ("ray", ["--ray", "--workers", "2"])):
        options = [
            "-o",
            f"{tmp_path / out}/",
            "--unit-size",
            "1000",
            "--max-error-rate",
            "1",
            *how,
            "--quiet",
        ]
        got = subprocess.run(pofx(*said, *options), capture_output=True, text=True, check=False)
        assert got.returncode == 0, got.stderr
        assert got.stdout == ""
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "one")
    assert len(files_of(tmp_path / "one")) > 8


def test_a_run_that_ends_in_the_middle_of_a_unit_prints_nothing_of_ray(tmp_path: Path, model: Path) -> None:
    corpus = tmp_path / "bad.jsonl"
    good = "".join(json.dumps({"text": f"line {k} of the corpus"}) + "\n" for k in range(40_000))
    corpus.write_text("no JSON\n" * 1200 + good)
    said = ["score", str(corpus), "-m", str(model), "-o", f"{tmp_path / 'out'}/", "--unit-size", "500000"]
    got = subprocess.run(
        pofx(*said, "--ray", "--workers", "2", "--quiet"), capture_output=True, text=True, check=False
    )
    assert got.returncode == 2, got.stderr
    assert "expected at most 0.10% of the rows without a score" in got.stderr
    assert got.stdout == ""


def test_ctrl_c_ends_the_run_and_says_so(corpus: Path, tmp_path: Path) -> None:
    said = pofx(
        "score", str(corpus), "-o", f"{tmp_path / 'out'}/", "--unit-size", "100", "--ray", "--workers", "1"
    )
    running = subprocess.Popen(said, stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 90
    while not list((tmp_path / "out").glob("commits/*")) and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "pofx: interrupted; the units that are done are kept" in told


def test_no_cluster_is_refused_in_one_line(corpus: Path, tmp_path: Path) -> None:
    said = pofx("score", str(corpus), "-o", f"{tmp_path / 'out'}/", "--ray", "127.0.0.1:1", "--quiet")
    got = subprocess.run(said, capture_output=True, text=True, check=False, timeout=120)
    assert got.returncode == 2
    assert "expected a Ray cluster that this machine is a node of" in got.stderr.splitlines()[-1]


def test_a_filter_makes_the_bytes_of_one_process(tmp_path: Path) -> None:
    texts = [f"line {k} of the corpus is {'good' * (k % 3)}" for k in range(60)] * 2
    (tmp_path / "web.txt").write_text("".join(f"{t}\n" for t in texts))
    web, quality = str(tmp_path / "web.txt"), str(tmp_path / "quality")
    said = ["filter", "apply", quality, web, "--unit-size", "1000", "--quiet"]
    for command in (
        ["filter", "fit", web, "-o", quality],
        [*said, "-o", f"{tmp_path / 'one'}/", "--rest", f"{tmp_path / 'one-rest'}/", "--workers", "1"],
        [
            *said,
            "-o",
            f"{tmp_path / 'ray'}/",
            "--rest",
            f"{tmp_path / 'ray-rest'}/",
            "--ray",
            "--workers",
            "2",
        ],
    ):
        got = subprocess.run(pofx(*command), capture_output=True, text=True, check=False)
        assert got.returncode == 0, got.stderr
    for side in ("", "-rest"):
        assert files_of(tmp_path / f"ray{side}") == files_of(tmp_path / f"one{side}")
    assert len(files_of(tmp_path / "one-rest/commits")) > 3
