"""Small fitted models on disk, and changes to their files for the tests of saving and loading."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pofx
from pofx import BadSource
from pofx.lm.model import LM
from pofx.models import saving as store

CORPUS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "é"]
PROBES = ["the cat", "", "zebra", "é", "a dog sat"]
FILES = [
    "config.json",
    "fitted.safetensors",
    "model.safetensors",
    "pofx.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


def ngram(**options: Any) -> LM:
    return pofx.fit(CORPUS, pofx.NgramSpec(**{"order": 3, **options}))


def numbers(lm: LM, given: str = "") -> list[float]:
    if lm.begin.known == "none":
        given = "t"
    return [s.prefix_total if lm.vocab.end is None else s.total for s in pofx.score(lm, PROBES, given)]


def edit(home: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file, and make the card vouch for it: after the hashes there is a second line."""
    content = json.loads((home / name).read_text())
    change(content)
    (home / name).write_text(json.dumps(content))
    vouch(home)


def vouch(home: Path, **changes: Any) -> None:
    card = json.loads((home / "pofx.json").read_text())
    card.pop("seal", None)
    card |= changes
    card["sha256"] = {name: store.file_sha256(home / name) for name in card["sha256"]}
    (home / "pofx.json").write_text(json.dumps({**card, "seal": store.card_seal(card)}))


def refused(home: Path) -> str:
    with pytest.raises(BadSource) as caught:
        pofx.load(home)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert len(message) < 600
    return message
