"""A corpus with bad rows, and the job that scores it."""

from __future__ import annotations

from pathlib import Path

import pytest
from shard_toys import Recipe

from pofx.jobs.documents import Documents

TEXTS = ["the cat", "a cat", "the end", "cat", "tea", "teeth that eat", "a"] * 6


@pytest.fixture
def recipe(model: Path, tmp_path: Path) -> Recipe:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"{t}\n" for t in TEXTS))
    return Recipe(str(model), Documents((str(corpus),)))
