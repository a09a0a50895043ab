"""What the tests of conditions have in common."""

from __future__ import annotations

import pytest


@pytest.fixture
def never_enumerated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.queries.conditioning.conditioned.ENUMERATED", 0)
