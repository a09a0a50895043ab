"""The builtin model: the call that fits it returns what every later call returns."""

from __future__ import annotations

from pathlib import Path

import pytest

import pofx


def test_the_first_call_returns_the_model_of_later_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pofx.corpus.builtin.builtin_documents", lambda: ["the cat", "a cat"])
    monkeypatch.setenv("POFX_CACHE", str(tmp_path))
    first, later = pofx.load("builtin"), pofx.load("builtin")
    assert first.fingerprint == later.fingerprint != ""
    assert pofx.score(first, ["cat"])[0].total == pofx.score(later, ["cat"])[0].total
