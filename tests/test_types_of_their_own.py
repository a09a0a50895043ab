"""Types with other configs within, or a name that the library's table lacks: a float64 forward, or one true line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from pofx.lm.trace import Want
from pofx.models.pretrained.checkpoint.config_check import library_class
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.library.body import quiet
from refusals import refusal
from tiny_architectures import write
from tiny_checkpoints import BOS, ROWS, edited, stored

PATHS = [[BOS, *np.random.default_rng(1).integers(4, ROWS, n).tolist()] for n in (1, 9, 40)]
# By the library's class of that name, since its table of types does not know all of these.
CLASSES = {"emu3": "Emu3ForCausalLM", "mllama": "MllamaForCausalLM", "xmod": "XmodForCausalLM"}
MORE = {
    "blt": "BltForCausalLM",
    "dbrx": "DbrxForCausalLM",
    "falcon_h1": "FalconH1ForCausalLM",
    "kimi_linear": "KimiLinearForCausalLM",
    "longcat_flash": "LongcatFlashForCausalLM",
    "phi4_multimodal": "Phi4MultimodalForCausalLM",
    "whisper": "WhisperForCausalLM",
    "zamba": "ZambaForCausalLM",
    "zamba2": "Zamba2ForCausalLM",
    "zaya": "ZayaForCausalLM",
}


def read(home: Path) -> Any:
    return read_pretrained(check_checkpoint(home), None, "float32", None)


def laws(home: Path, name: str, path: list[int]) -> np.ndarray:
    """log p(· | path[:i]), i ≥ 1, by a class of transformers alone, in float64."""
    with quiet():
        model = getattr(transformers, name).from_pretrained(
            home, dtype=torch.float64, experts_implementation="eager"
        )
    with torch.inference_mode():
        logits = model(torch.tensor([path[:-1]]), use_cache=False).logits[0].double()
    return torch.log_softmax(logits, -1).numpy()


@pytest.mark.parametrize(
    "kind", [*CLASSES, *(pytest.param(kind, marks=pytest.mark.thorough) for kind in MORE)]
)
def test_a_plain_forward_in_float64(tmp_path: Path, kind: str) -> None:
    home = write(tmp_path, kind)
    found = read(home).forward(PATHS, skip=1).logp
    for path, mine in zip(PATHS, found):
        right = laws(home, (CLASSES | MORE)[kind], path)[range(len(path) - 1), path[1:]]
        assert np.abs(mine - right).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("emu3_text_model", "Emu3ForCausalLM"),
        ("mllama_text_model", "MllamaForCausalLM"),
        ("musicgen_decoder", "MusicgenForCausalLM"),
        ("llama", "LlamaForCausalLM"),
        ("gpt-sw3", "GPT2LMHeadModel"),
        ("mllama_vision_model", None),  # of the same module, and nothing of texts
        ("emu3_vqgan", None),
        ("t5", None),
        ("no such type", None),
    ],
)
def test_the_class_for_a_type(kind: str, name: str | None) -> None:
    assert library_class(kind) == name


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("musicgen", "'musicgen_decoder', a decoder of sounds, which writes several streams"),
        ("musicgen_melody", "'musicgen_melody_decoder', a decoder of sounds"),
        ("gemma4_assistant", "'gemma4_assistant', an assistant that drafts for another model"),
        ("gemma4_unified_assistant", "'gemma4_unified_assistant', an assistant"),
    ],
)
def test_what_has_no_law_of_a_text_is_named(tmp_path: Path, kind: str, found: str) -> None:
    assert f"expected a causal language model, got {found}" in refusal(write(tmp_path, kind), read)


def test_patches_that_depend_on_what_follows(tmp_path: Path) -> None:
    """With a longest patch, the library moves the bounds of patches that were read before."""
    home = write(tmp_path, "blt", max_patch_length=3)
    path = PATHS[-1][:25]
    short, long = laws(home, "BltForCausalLM", path[:13]), laws(home, "BltForCausalLM", path)
    assert np.abs(short - long[:12]).max() > 0.1  # so it is the library's model that looks ahead
    assert "with later tokens" in refusal(home, read)


def test_a_language_that_nobody_chose(tmp_path: Path) -> None:
    home = edited(write(tmp_path, "xmod"), default_language=None)
    said = refusal(home, read)
    assert "for default_language, got None; write one of these languages: ['en_XX', 'de_DE']" in said
    assert "got 'fr_XX'" in refusal(edited(home, default_language="fr_XX"), read)
    one, other = (
        read(edited(home, default_language=name)).forward(PATHS, skip=1).logp[-1]
        for name in ("en_XX", "de_DE")
    )
    assert np.abs(one - other).max() > 1e-3  # the advice decides the law


def test_speeds_of_rotation_that_the_library_does_not_read(tmp_path: Path) -> None:
    """DBRX is published with rope_theta in attn_config alone, where the library's forward does not look for it."""
    home = write(tmp_path, "dbrx")
    config = json.loads((home / "config.json").read_text())
    inner = {**config["attn_config"], "rope_theta": 500.0}
    del config["rope_parameters"]
    (home / "config.json").write_text(json.dumps({**config, "attn_config": inner}))
    assert 'got 500.0; write "rope_theta": 500.0 beside "model_type"' in refusal(home, read)
    edited(home, rope_theta=500.0)
    right = laws(home, "DbrxForCausalLM", PATHS[-1])[range(40), PATHS[-1][1:]]
    assert np.abs(read(home).forward(PATHS, skip=1).logp[-1] - right).max() < 1e-5
    other = laws(edited(home, rope_theta=10000.0), "DbrxForCausalLM", PATHS[-1])[range(40), PATHS[-1][1:]]
    assert np.abs(other - right).max() > 1e-3


# Heads that are read apart, and heads that are read as whole logits.
@pytest.mark.parametrize(
    ("kind", "name", "bias"),
    [
        ("bert", "BertLMHeadModel", "cls.predictions.bias"),
        ("roberta", "RobertaForCausalLM", "lm_head.bias"),
        ("phi", "PhiForCausalLM", "lm_head.bias"),
    ],
)
def test_rows_that_are_shut_out(tmp_path: Path, kind: str, name: str, bias: str) -> None:
    """A bias of -inf in any head: the model says that it is not positive, and all else is that of the other rows."""
    home = write(tmp_path, kind)
    assert read(home).positive

    def shut(weights: dict[str, torch.Tensor]) -> None:
        weights[bias][ROWS - 9 :] = -torch.inf

    stored(home, shut)
    path, sets = [*PATHS[1][:-1], ROWS - 3], np.zeros((2, ROWS), dtype=np.bool_)
    sets[0, 4:70], sets[1, ROWS - 9 :] = True, True
    law = laws(home, name, path)
    p = np.exp(law)
    for _ in range(2):  # the second time by what the cache remembers
        lm = read(home)
        assert not lm.positive
        with np.errstate(all="raise"):
            found = lm.forward([path], Want(entropy=True, rank=True, top=3, end=True, masses=sets), skip=1)
        assert found.logp[0][-1] == -np.inf
        assert found.logp[0][:-1] == pytest.approx(law[range(len(law) - 1), path[1:-1]], abs=1e-5)
        assert found.entropy is not None
        right = -np.where(p > 0, p * np.where(p > 0, law, 0), 0).sum(1)
        assert found.entropy[0] == pytest.approx(right, abs=1e-5)
        assert found.masses is not None
        assert found.masses[0][:, 0] == pytest.approx(np.log(p[:, 4:70].sum(1)), abs=1e-5)
        assert (found.masses[0][:, 1] == -np.inf).all()
        assert found.rank is not None
        assert found.rank[0][-1] == 1 + (p[-1] > 0).sum()
        assert found.end is not None
        assert found.end[0] == pytest.approx(law[:, 1], abs=1e-5)
    assert (lm.extend(lm.start(1), [path[:3]]).logp[0][ROWS - 9 :] == -np.inf).all()
