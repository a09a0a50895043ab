"""Weights of a stranger (safetensors, and shards with an index), damaged: refused by one line, or every number is finite."""

from __future__ import annotations

import json
import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.torch import load_file, save_file

import tiny_checkpoints
from fuzz.kept_files import damaged
from hostile_configs import law
from refusals import decided

CASES = 4
INDEX = "model.safetensors.index.json"
# Tensors of a file begin after its header, whose length the first bytes say.
_LENGTH = 8


def _shards(home: Path) -> None:
    """Part the one file of a checkpoint in two, by an index."""
    tensors = load_file(home / "model.safetensors")
    (home / "model.safetensors").unlink()
    places = {}
    for n in range(2):
        name = f"model-{n + 1:05}-of-00002.safetensors"
        part = {k: tensors[k] for k in sorted(tensors)[n::2]}
        save_file(part, home / name, {"format": "pt"})
        places.update(dict.fromkeys(part, name))
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (home / INDEX).write_text(json.dumps(index, indent=1))


@cache
def made(family: str, sharded: bool) -> tuple[Path, dict[str, bytes]]:
    """A checkpoint, and its files of weights."""
    home = tiny_checkpoints.write(Path(tempfile.mkdtemp(prefix="pofx-fuzz-")) / "m", family)
    if sharded:
        _shards(home)
    assert np.isfinite(law(home)).all()
    return home, {path.name: path.read_bytes() for path in sorted(home.glob("model*"))}


def once(rng: random.Random) -> None:
    """One file of one checkpoint: its header three times in four."""
    home, files = made(rng.choice(("llama", "gpt2")), rng.random() < 0.5)
    name = rng.choice(sorted(files))
    raw = files[name]
    head = len(raw) if name == INDEX else _LENGTH + int.from_bytes(raw[:_LENGTH], "little")
    at = head if rng.randrange(4) else len(raw)
    raw = damaged(rng, raw[:at]) + raw[at:]
    (home / name).write_bytes(raw)
    try:
        got = decided(lambda: law(home))
        assert got is None or np.isfinite(got).all(), f"{name}: {raw[:3000]!r}"
    finally:
        (home / name).write_bytes(files[name])
