"""Files that pofx keeps (fitted models, classifiers, verdicts), damaged: refused in one line, or not one number changes."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest import mock

import pofx
from pofx.errors import BadSource
from pofx.files.pins import Pin, find_pin, pin

CASES = 60
TEXTS = ["the cat sat", "a dog ran far", "the dog sat on the mat", "a cat ran away"]
FOUND = "0f" * 32
VERDICT = Pin(12, 34, "joint", "x0 was trained", "<s>", "2026-01-02", "0.1.0")
DIGITS = b"0123456789"


def _fitted(home: Path) -> object:
    return [s.total for s in pofx.score(pofx.load(home), TEXTS[:2])]


def _classes(home: Path) -> object:
    return pofx.GenerativeClassifier.load(home).predict_proba(TEXTS).tolist()


def _verdict(home: Path) -> object:
    with mock.patch.dict(os.environ, {"POFX_DATA": str(home)}):
        return find_pin(FOUND)


READERS: dict[str, Callable[[Path], object]] = {
    "n-gram": _fitted,
    "n-gram of subwords": _fitted,
    "transformer": _fitted,
    "classifier": _classes,
    "verdict": _verdict,
}


@cache
def made(kind: str) -> tuple[Path, dict[str, bytes], object]:
    """A directory, its files, and what is read from it."""
    home = Path(tempfile.mkdtemp(prefix="pofx-fuzz-")) / "m"
    if kind == "n-gram":
        pofx.save(pofx.fit(TEXTS, pofx.NgramSpec(order=3)), home)
    elif kind == "n-gram of subwords":
        pofx.save(pofx.fit(TEXTS, pofx.NgramSpec(order=2, vocab="bpe:262")), home)
    elif kind == "transformer":
        spec = pofx.TransformerSpec(layers=1, width=16, heads=2, epochs=1.0)
        pofx.save(pofx.fit(TEXTS, spec), home)
    elif kind == "classifier":
        pofx.GenerativeClassifier(pofx.NgramSpec(order=2)).fit(TEXTS, ["x", "y", "x", "y"]).save(home)
    else:
        with mock.patch.dict(os.environ, {"POFX_DATA": str(home)}):
            pin(FOUND, VERDICT)
    files = {str(p.relative_to(home)): p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}
    return home, files, READERS[kind](home)


def damaged(rng: random.Random, raw: bytes) -> bytes:
    """A bit flipped, a digit changed, an end cut off or added, or something else altogether."""
    how, at = rng.randrange(6), rng.randrange(len(raw))
    digits = [i for i, b in enumerate(raw[:100_000]) if b in DIGITS]
    if how == 0 and digits:
        at = rng.choice(digits)
        return raw[:at] + bytes([rng.choice(DIGITS)]) + raw[at + 1 :]
    if how == 1:
        return raw[:at]
    if how == 2:
        return raw + rng.choice((b"\n", b"x", bytes(8), raw))
    if how == 3:
        return rng.choice((b"", b"{}", b"null", b"[]", b"[" * 100_000, bytes(len(raw)), rng.randbytes(50)))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def once(rng: random.Random) -> None:
    """One file of one directory."""
    kind = rng.choice(sorted(READERS))
    home, files, expected = made(kind)
    name = rng.choice(sorted(files))
    raw = damaged(rng, files[name])
    (home / name).write_bytes(raw)
    refusal = ""
    try:
        found = READERS[kind](home)
    except BadSource as e:
        refusal = str(e)
    finally:
        shutil.rmtree(home)
        for other, whole in files.items():
            (home / other).parent.mkdir(parents=True, exist_ok=True)
            (home / other).write_bytes(whole)
    if refusal:
        assert refusal.isprintable() and "expected" in refusal and "got" in refusal, refusal
    else:
        assert found == expected, f"{kind}, {name}: {raw[:2000]!r}"
