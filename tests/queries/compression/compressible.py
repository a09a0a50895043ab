"""Models of every kind, and bytes of every kind to compress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pofx
from pofx.lm.model import LM
from pofx.transforms.with_begin import with_begin

PROVERBS = (Path(__file__).parents[3] / "docs" / "proverbs.txt").read_text(encoding="utf-8")
LINES = PROVERBS.splitlines()
BITS_A_TOKEN, BITS = 0.03, 64


def fitted(**spec: object) -> LM:
    return pofx.fit(LINES, pofx.NgramSpec(**{"order": 4, **spec}))  # type: ignore[arg-type]


def transformer() -> LM:
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=24, vocab="bytes", epochs=1)
    return pofx.fit(LINES[:40], spec)


MODELS: dict[str, Callable[[], LM]] = {
    "bytes": fitted,
    "unigram": lambda: fitted(order=1),
    "additive": lambda: fitted(smoothing="additive"),
    "chars": lambda: fitted(vocab="chars"),
    "subwords": lambda: fitted(vocab="bpe:300"),
    "without EOS": lambda: fitted(end=False),
    "maximum likelihood": lambda: fitted(smoothing="mle"),
    "given": lambda: pofx.given(fitted(), "A stitch "),
    "warp": lambda: pofx.warp(fitted(), temperature=0.8),
    "top-k": lambda: pofx.warp(fitted(), top_k=3),
    "mixture": lambda: pofx.mixture([fitted(), fitted(order=2)], [0.5, 0.5]),
    "bytewise": lambda: pofx.bytewise(fitted(vocab="bpe:300", order=2), beam=2),
    "windowed": lambda: pofx.windowed(fitted(), 8),
    "begun": lambda: with_begin(fitted(begin=False), "\n"),
    "transformer": transformer,
}
ANY = [
    b"",
    b"A stitch in time saves nine.",
    "</s><s><|endoftext|> Zürich 😀\r\n\x00".encode(),
    b"\xff\xfe\xc3 truncated \xe2\x82",
    bytes(range(256)),
]
