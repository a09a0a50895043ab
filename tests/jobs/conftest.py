"""A small model on disk, which the tests of jobs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pofx
from pofx.cli.main import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("model") / "m"
    pofx.save(pofx.fit(["the cat", "a cat", "the end"], pofx.NgramSpec(order=2)), home)
    return home


@pytest.fixture
def code() -> Callable[[list[str]], object]:
    """The exit code of a command line."""

    def run(arguments: list[str]) -> object:
        with pytest.raises(SystemExit) as e:
            main(arguments)
        return e.value.code

    return run
