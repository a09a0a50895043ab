"""A transformer as files: other tools read the same distribution, and malformed files are named."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pofx.errors import BadSource  # noqa: E402
from pofx.models.transformer.files import from_files, silence_begin, to_files  # noqa: E402
from pofx.models.transformer.windows import Pieces  # noqa: E402
from tiny_transformers import CHARS, TINY, apart, ragged, scrambled  # noqa: E402


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("begin", [False, True])
def test_hugging_face_reads_the_same_law(tmp_path: Path, tie: bool, begin: bool) -> None:
    transformers = pytest.importorskip("transformers")
    spec = replace(TINY, tie=tie, begin=begin, context=32)
    lm = scrambled(spec)
    to_files(lm, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of third parties
        for attention in ("eager", "sdpa"):
            other = transformers.AutoModelForCausalLM.from_pretrained(
                tmp_path, dtype=torch.float32, attn_implementation=attention
            )
            path = np.random.default_rng(5).integers(0, CHARS.size, size=31)
            ids = np.append(CHARS.size, path) if begin else path
            with torch.no_grad():
                theirs = other(torch.from_numpy(ids)[None]).logits[0, :, : CHARS.size].log_softmax(-1).numpy()
            state, at = lm.start(1), 0
            if begin:
                np.testing.assert_allclose(state.logp[0], theirs[0], atol=1e-4)
                at = 1
            for i, t in enumerate(path):
                state = lm.extend(state, [[int(t)]])
                np.testing.assert_allclose(state.logp[0], theirs[at + i], atol=1e-4)
    assert other.config.eos_token_id == CHARS.end
    assert other.config.bos_token_id == (CHARS.size if begin else None)


def test_files_come_back(tmp_path: Path) -> None:
    lm = scrambled()
    silence_begin(lm.net, Pieces([np.append(CHARS.size, p) for p in ragged()], 8, 2))
    to_files(lm, tmp_path)
    again = from_files(tmp_path, CHARS, begin=True, overlap=lm.overlap)
    assert apart(lm.forward(ragged()), again.forward(ragged())) == 0
    assert again.window == lm.window


def test_malformed_files_are_named(tmp_path: Path) -> None:
    to_files(scrambled(), tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    good_config, good_weights = config.read_text(), weights.read_bytes()

    def refused(match: str) -> None:
        with pytest.raises(BadSource, match=match) as e:
            from_files(tmp_path, CHARS, begin=True, overlap=2)
        assert "\n" not in str(e.value)
        config.write_text(good_config)
        weights.write_bytes(good_weights)

    for cut in (0, 5, 200, len(good_weights) - 4):
        weights.write_bytes(good_weights[:cut])
        refused("model.safetensors")
    for bit in (0, 70, 1000):
        flipped = bytearray(good_weights)
        flipped[bit] ^= 0x40
        weights.write_bytes(bytes(flipped))
        refused("model.safetensors")
    config.write_text(good_config[:50])
    refused("config.json")
    for name, value in (("hidden_size", 32), ("num_hidden_layers", 3), ("intermediate_size", 8)):
        config.write_text(json.dumps(json.loads(good_config) | {name: value}))
        refused("config.json|model.safetensors")
    for name in ("vocab_size", "bos_token_id", "eos_token_id", "rms_norm_eps", "num_attention_heads"):
        config.write_text(json.dumps(json.loads(good_config) | {name: 99}))
        refused(f"config.json.*{name}|config.json")
    broken = scrambled()
    broken.net.norm[0] = torch.nan
    to_files(broken, tmp_path)
    refused("finite")
    weights.unlink()
    with pytest.raises(BadSource, match="model.safetensors"):
        from_files(tmp_path, CHARS, begin=True, overlap=2)
