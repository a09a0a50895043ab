"""`pofx serve` passes `pofx check-server`."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import pytest

import pofx
from pofx.cli.main import main
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.check import CHECKS, check_server
from pofx.transforms.windowed import windowed
from pofx.vocab.vocabulary import ByteVocab
from small_models import ngram

uvicorn = pytest.importorskip("uvicorn")

# Nothing ends after 64 tokens; a model without a context reads prompts of all lengths.
ALLOWED = {"EOS is kept": "skip", "too long": "skip"}


@contextlib.contextmanager
def serve(models):
    """The address of a server of models, in a thread."""
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


def not_passed(url, name, lm):
    with ServerClient(url) as client:
        found = {f.check: f for f in check_server(client, name, lm).report().findings}
    assert list(found) == list(CHECKS)
    return {n: f for n, f in found.items() if f.verdict != "pass" and ALLOWED.get(n) != f.verdict}


def test_fitted_models_pass():
    models = {"bytes": ngram(), "no-x0": ngram(begin=False)}
    with serve(models) as url:
        for name, lm in models.items():
            assert not_passed(url, name, lm) == {}


@pytest.mark.thorough
def test_models_of_all_kinds_pass(tmp_path):
    # Here, since torch and transformers take seconds to import.
    import tiny_checkpoints
    import tiny_gguf
    from tiny_transformers import scrambled

    pofx.write_arpa(ngram(vocab="words"), tmp_path / "words.arpa")
    models = {
        "no-eos": ngram(end=False),
        "chars": ngram(vocab="chars"),
        "arpa": pofx.load(tmp_path / "words.arpa"),
        "windows": windowed(scrambled(vocab=ByteVocab())),
        "hf": pofx.load(tiny_checkpoints.write(tmp_path / "hf")),
        "hf-x0": pofx.load(tiny_checkpoints.write(tmp_path / "hf-x0", adds="bos", opening=True)),
        "gguf": pofx.load(tiny_gguf.write(tmp_path / "a.gguf")),
    }
    with serve(models) as url:
        for name, lm in models.items():
            others = not_passed(url, name, lm)
            if name == "hf-x0":
                assert others.pop("special tokens").verdict == "warn"  # BOS has id 0
            assert (name, others) == (name, {})


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
