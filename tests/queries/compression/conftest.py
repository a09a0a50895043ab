"""The models to compress by, each made once a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from compressible import MODELS

from pofx.lm.model import LM


@pytest.fixture(scope="module")
def model() -> Callable[[str], LM]:
    made: dict[str, LM] = {}

    def get(name: str) -> LM:
        if name not in made:
            made[name] = MODELS[name]()
        return made[name]

    return get
