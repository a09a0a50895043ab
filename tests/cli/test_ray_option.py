"""`--ray`: what is refused before a model is loaded, whether Ray is installed or not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import pofx.ray_session as session
from pofx.cli.main import main
from pofx.errors import BadSource


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> object:
    (tmp_path / "corpus.txt").write_text("cat\n")

    def run(*options: str, out: str = "out/") -> str:
        with pytest.raises(SystemExit) as e:
            main(
                ["score", str(tmp_path / "corpus.txt"), "-o", str(tmp_path) + "/" + out, "--quiet", *options]
            )
        assert e.value.code == 2
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "address", ["corpus.txt", "ray://127.0.0.1:10001", "127.0.0.1", ":6379", "here:port", ""]
)
def test_what_is_no_address_is_refused(refused, address: str) -> None:
    assert f"--ray: expected HOST:PORT or auto, got {address!r}" in refused("--ray", address)


def test_a_single_file_is_refused(refused) -> None:
    assert "--ray: expected only with a directory" in refused("--ray", out="rows.jsonl")


def test_a_missing_ray_is_named_before_anything_is_written(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("ray"):
        pytest.skip("Ray is installed")
    assert "pip install 'pofx[ray]'" in refused("--ray")


def test_ray_is_not_imported_by_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda name: object())
    for address in ("local", "auto", "127.0.0.1:6379", "[::1]:6379", "head.example.org:6379"):
        session.check_ray(address)


def test_a_ray_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        """Ray as it behaves on a machine with too much other work."""

        @staticmethod
        def is_initialized() -> bool:
            return False

        @staticmethod
        def init(**options: object) -> None:
            raise Exception("The current node timed out during startup.")

        @staticmethod
        def shutdown() -> None:
            pass

    monkeypatch.setattr(session, "require", lambda *names: Slow)
    with (
        pytest.raises(
            BadSource, match="expected a Ray that starts on this machine, got: The current node timed"
        ),
        session.ray_session("local", 1),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ray",), "--ray: expected only with --family transformer, got --family ngram"),
        (
            ("--ray", "--family", "transformer"),
            "--ray: expected a Ray for a transformer with at least 2 workers, got 1 worker",
        ),
        (("--ray", "here", "--family", "transformer"), "--ray: expected HOST:PORT or auto, got 'here'"),
    ],
)
def test_a_fit_without_workers_on_ray_is_refused(
    options: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "find_spec", lambda name: object())
    (tmp_path / "corpus.txt").write_text("cat\n")
    with pytest.raises(SystemExit) as e:
        main(["fit", str(tmp_path / "corpus.txt"), "-o", str(tmp_path / "m"), "--quiet", *options])
    assert e.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
