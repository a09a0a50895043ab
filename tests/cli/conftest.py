"""The fixtures of the command line: a directory of its own for each test, small models and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import LINES, Ran

import pofx
from pofx.cli.main import main


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """`pofx …` in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return call


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models of every kind, by name, and the corpus they were fitted on."""
    home = tmp_path_factory.mktemp("models")
    (home / "corpus.txt").write_text("\n".join(LINES) + "\n")
    kinds: dict[str, dict[str, Any]] = {
        "whole": {},
        "no_begin": {"begin": False},
        "no_end": {"end": False},
        "stream": {"begin": False, "end": False},
        "mle": {"smoothing": "mle"},
        "chars": {"vocab": "chars"},
    }
    for name, options in kinds.items():
        pofx.save(pofx.fit(LINES, pofx.NgramSpec(order=3, **options)), home / name)
    return home


# ------------------------------------------------------------------------------------------------- a pretrained model


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the layout of Hugging Face: a tokenizer that adds nothing, and one that adds BOS."""
    pytest.importorskip("transformers")
    import tiny_checkpoints

    home = tmp_path_factory.mktemp("checkpoints")
    tiny_checkpoints.write(home / "plain")
    tiny_checkpoints.write(home / "opens", adds="bos")
    tiny_checkpoints.write(home / "library", family="gpt2")
    return home
