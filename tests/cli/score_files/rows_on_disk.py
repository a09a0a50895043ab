"""Rows as they were written, and the texts that are scored: helpers of the tests of files of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LINES = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "a", "the cats sat"]


def records(path: str | Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> float:
        raise ValueError(name)

    text = Path(path).read_text(encoding="utf-8")
    return [json.loads(row, parse_constant=refuse) for row in text.splitlines()]


def left() -> list[str]:
    return sorted(p.name for p in Path().iterdir())
