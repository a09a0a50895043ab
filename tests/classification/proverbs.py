"""Proverbs in two languages, and what the tests of the classifier have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import pofx
from toy import ToyVocab, texts

GenerativeClassifier = pofx.GenerativeClassifier
DOCS = Path(__file__).parents[2] / "docs"
ENGLISH = (DOCS / "proverbs.txt").read_text(encoding="utf-8").splitlines()
FRENCH = (DOCS / "proverbes.txt").read_text(encoding="utf-8").splitlines()
X = ENGLISH[:100] + FRENCH[:60]
Y = ["en"] * 100 + ["fr"] * 60
NEW, NEW_Y = ENGLISH[100:] + FRENCH[60:], ["en"] * len(ENGLISH[100:]) + ["fr"] * len(FRENCH[60:])
NAIVE = pofx.NgramSpec(order=1, smoothing="additive", alpha=0.5)


def letters(vocab: ToyVocab, longest: int) -> list[bytes]:
    return [vocab.decode(p) for p in texts(vocab, longest)]


def byte_counts(documents: list[Any]) -> np.ndarray:
    data = [d if isinstance(d, bytes) else d.encode() for d in documents]
    return np.array([np.bincount(np.frombuffer(d, dtype=np.uint8), minlength=256) for d in data])
