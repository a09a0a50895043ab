"""`pofx score` in this process, in a directory of its own, by one of a few small models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Ran
from rows_on_disk import LINES

import pofx
from pofx.cli.main import main


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("models")
    for name, options in {
        "whole": {},
        "other": {"smoothing": "additive"},
        "no_begin": {"begin": False},
        "no_end": {"end": False},
        "mle": {"smoothing": "mle"},
        "chars": {"vocab": "chars"},
    }.items():
        pofx.save(pofx.fit(LINES * 4, pofx.NgramSpec(order=3, **options)), home / name)
    return home


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """`pofx score …` in this process, in a directory of its own, by the model "whole"."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POFX_MODEL", str(models / "whole"))

    def call(*arguments: str, overwrite: bool = True) -> Ran:
        capsys.readouterr()
        again = ["--overwrite"] if overwrite and "-o" in arguments else []
        with pytest.raises(SystemExit) as ended:
            main(["score", *arguments, *again])
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return call
