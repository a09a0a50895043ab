"""config.json with several fields of wrong types or values: the model is read, or refused by one line."""

from __future__ import annotations

import json
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hostile_configs import MORE, VALUES, law
from refusals import decided
from tiny_checkpoints import FAMILIES, write

CASES = 8


@cache
def _home(family: str) -> tuple[Path, str]:
    home = write(Path(tempfile.mkdtemp(prefix="pofx-fuzz-")) / "m", family)
    return home, (home / "config.json").read_text()


def once(rng: random.Random) -> None:
    """One model, one to three fields."""
    home, told = _home(rng.choice(sorted(FAMILIES)))
    config: dict[str, Any] = json.loads(told)
    for _ in range(rng.randint(1, 3)):
        config[rng.choice(sorted({*config, *MORE}))] = rng.choice(VALUES)
    (home / "config.json").write_text(json.dumps(config))
    got = decided(lambda: law(home))
    assert got is None or np.isfinite(got).all(), config
