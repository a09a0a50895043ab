"""Texts about as long as the context: which tokens are read to predict each, against the library's own forward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pofx
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.library.model import read_model
from tiny_checkpoints import BOS, EOS, ROWS, write

CONTEXT = 8


def exact(model: Any, path: list[int], context: int, stride: int) -> list[float]:
    """log p of every token after x0, by one float64 forward of the library for each.

    A token is read after everything if x0 and all before it fit the context, else after the first window with it.
    """
    out = []
    for i, token in enumerate(path):
        k = 0
        while 1 + i - k * stride > context:
            k += 1
        with torch.inference_mode():
            logits = model(torch.tensor([[BOS, *path[k * stride : i]]])).logits[0, -1]
        out.append(float(torch.log_softmax(logits, -1)[token]))
    return out


@pytest.mark.parametrize("family", ["gpt2", "gemma3"])
def test_every_length_about_the_context(tmp_path: Path, family: str) -> None:
    directory = write(tmp_path, family, "bos", max_position_embeddings=CONTEXT)
    lm = pofx.load(directory)
    rng = np.random.default_rng(0)
    paths = [[*rng.integers(4, ROWS, n).tolist(), EOS] for n in range(2 * CONTEXT + 2)]
    fast, slow = lm.forward(paths), forward_by_extension(lm, paths, Want(), 0)
    model = read_model(check_checkpoint(directory), torch.float64)
    for path, a, b in zip(paths, fast.logp, slow.logp):
        whole = exact(model, path, CONTEXT, CONTEXT // 2)
        assert np.abs(a - whole).max() < 2e-5, len(path)
        assert np.abs(b - whole).max() < 2e-5, len(path)
        assert lm.seen(len(path)).max() <= CONTEXT


def test_a_text_that_just_fits_is_read_whole(tmp_path: Path) -> None:
    directory = write(tmp_path, "gpt2", "bos", max_position_embeddings=32)
    lm = pofx.load(directory)
    path = [*np.random.default_rng(1).integers(4, ROWS, 31).tolist(), EOS]
    with torch.inference_mode():
        model = read_model(check_checkpoint(directory), torch.float64)
        logits = model(torch.tensor([[BOS, *path[:-1]]])).logits[0]
    law = torch.log_softmax(logits, -1)
    whole = law[torch.arange(32), torch.tensor(path)].numpy()
    assert np.abs(lm.forward([path]).logp[0] - whole).max() < 2e-5
    assert lm.seen(32).tolist() == list(range(1, 33))


def by_windows(n: int, context: int, overlap: int) -> list[int]:
    """What a window rule of full windows, each with the last `overlap` tokens of the one before, gives each target."""
    start, out = 0, []
    for i in range(n):
        if i + 1 - start > context:
            start += context - overlap
        out.append(i + 1 - start)
    return out


def test_our_own_transformer_uses_its_whole_window() -> None:
    lm = pofx.fit(["ab" * 30], pofx.TransformerSpec(width=16, layers=1, heads=2, context=8, epochs=1))
    for n in range(20):
        assert lm.seen(n).tolist() == by_windows(n, 8, 1)
