"""Small fitted models on disk, which the tests of saving and loading share."""

from __future__ import annotations

from pathlib import Path

import pytest

import pofx


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model over few characters, so that its files are a few KB."""
    pofx.save(pofx.fit(["ab", "ba", "abba"], pofx.NgramSpec(order=2, vocab="chars")), tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=16, epochs=1, vocab="chars")
    home = tmp_path_factory.mktemp("transformer") / "model"
    pofx.save(pofx.fit(["ab", "ba", "abba"] * 4, spec), home)
    return home
