"""Tiny transformers whose every weight matters, and texts of many lengths for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pofx.lm.trace import Trace  # noqa: E402
from pofx.models.specs import TransformerSpec  # noqa: E402
from pofx.models.transformer.model import TransformerLM, build  # noqa: E402
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab  # noqa: E402

CHARS = CharVocab("abcd")
BYTES = ByteVocab()
LENGTHS = (0, 1, 3, 6, 7, 8, 9, 14, 15, 16, 40, 5)
TINY = TransformerSpec(layers=2, width=16, heads=2, context=8)
SMALL = replace(TINY, layers=1, context=4)


def scrambled(spec: TransformerSpec = TINY, vocab: Vocab = CHARS, seed: int = 0) -> TransformerLM:
    """A model whose every parameter matters."""
    net = build(spec, vocab)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=draw) * (0.4 if p.ndim > 1 else 0.2) + float(p.ndim == 1))
    return TransformerLM(net, vocab, begin=spec.begin)


def ragged(vocab: Vocab = CHARS, lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, vocab.size, size=k) for k in lengths]


def apart(a: Trace, b: Trace) -> float:
    return max(float(np.abs(x - y).max(initial=0)) for x, y in zip(a.logp, b.logp))
