"""`pofx serve` passes `pofx check-server`."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import pytest

import pofx
import tiny_checkpoints
from pofx.cli.main import main
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.check import CHECKS, check_server
from pofx.transforms.windowed import windowed
from pofx.vocab.vocabulary import ByteVocab
from small_models import ngram
from tiny_transformers import scrambled

uvicorn = pytest.importorskip("uvicorn")

# Nothing ends after 64 tokens; a model without a context reads prompts of all lengths.
ALLOWED = {"EOS is kept": "skip", "too long": "skip"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("models")
    return {
        "bytes": ngram(),
        "no-x0": ngram(begin=False),
        "no-eos": ngram(end=False),
        "chars": ngram(vocab="chars"),
        "windows": windowed(scrambled(vocab=ByteVocab())),
        "hf": pofx.load(tiny_checkpoints.write(home / "hf")),
        "hf-x0": pofx.load(tiny_checkpoints.write(home / "hf-x0", adds="bos", opening=True)),
    }


@pytest.fixture(scope="module")
def url(models):
    """The address of a server of all models, in a thread."""
    from pofx.server.app import make_app
    from pofx.server.settings import Settings

    with socket.create_server(("127.0.0.1", 0)) as at:
        server = uvicorn.Server(uvicorn.Config(make_app(list(models.items()), Settings()), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
        thread.start()
        until(lambda: server.started)
        yield f"http://127.0.0.1:{at.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def until(ready, seconds=60):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["bytes", "no-x0", "no-eos", "chars", "windows", "hf", "hf-x0"])
def test_models_of_all_kinds_pass(url, models, name):
    with ServerClient(url) as client:
        report = check_server(client, name, models[name]).report()
    found = {f.check: f for f in report.findings}
    assert list(found) == list(CHECKS)
    others = {n: f for n, f in found.items() if f.verdict != "pass" and ALLOWED.get(n) != f.verdict}
    if name == "hf-x0":
        assert others.pop("special tokens").verdict == "warn"  # BOS has id 0
    assert others == {}


def test_the_two_verbs_in_processes_of_their_own(tmp_path, capsys):
    pofx.save(ngram(), tmp_path / "model")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served = subprocess.Popen(
        [sys.executable, "-m", "pofx", "serve", "-m", str(tmp_path / "model"), "--port", str(port)],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: served.poll() is not None or answers(port))
        with pytest.raises(SystemExit) as ended:
            main(["check-server", f"http://127.0.0.1:{port}", "--reference", str(tmp_path / "model")])
    finally:
        served.terminate()
        served.wait(30)
    out = capsys.readouterr().out
    assert ended.value.code == 0, out
    assert ", 0 warn, 0 fail, " in out


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
