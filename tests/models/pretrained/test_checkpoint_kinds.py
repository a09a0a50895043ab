"""Kinds of checkpoint that are refused: each by its name, with the next step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import pofx
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from refusals import refusal
from tiny_checkpoints import edited, stored, write

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1234567\n"


# --- quantised -------------------------------------------------------------------------------------------------------


def packed(*ends: str, dtype: torch.dtype = torch.int32) -> Callable[[dict[str, torch.Tensor]], object]:
    """A layer's weight replaced by the tensors that a way to quantise stores."""

    def how(weights: dict[str, torch.Tensor]) -> None:
        at = "model.layers.0.mlp.up_proj."
        del weights[f"{at}weight"]
        for end in ends:
            small = torch.float16 if end in ("scales", "biases", "SCB") else dtype
            weights[at + end] = torch.ones(24, 2, dtype=small)

    return how


def noted(name: str, *ends: str) -> Callable[[Path], object]:
    def how(home: Path) -> None:
        stored(home, packed(*ends))
        (home / name).write_text('{"bits": 4}')

    return how


QUANTISED: dict[str, tuple[Callable[[Path], object], str]] = {
    "MLX": (lambda h: edited(h, quantization={"group_size": 64, "bits": 4}), "MLX (4 bits)"),
    "MLX, new": (lambda h: edited(h, quantization_config={"group_size": 64, "bits": 8}), "MLX (8 bits)"),
    "MLX by its tensors": (
        lambda h: stored(h, packed("weight", "scales", "biases", dtype=torch.uint32)),
        "MLX ('model.layers.0.mlp.up_proj.",
    ),
    "GPTQ": (lambda h: edited(h, quantization_config={"quant_method": "gptq", "bits": 4}), "by GPTQ,"),
    "old GPTQ": (noted("quantize_config.json", "qweight", "qzeros", "g_idx", "scales"), "by GPTQ,"),
    "GPTQ without a note": (lambda h: stored(h, packed("qweight", "g_idx", "scales")), "by GPTQ ("),
    "AWQ": (lambda h: edited(h, quantization_config={"quant_method": "awq"}), "by AWQ,"),
    "old AWQ": (noted("quant_config.json", "qweight", "qzeros", "scales"), "by AWQ,"),
    "bitsandbytes": (lambda h: edited(h, quantization_config={"load_in_4bit": True}), "by bitsandbytes,"),
    "bitsandbytes, 4 bits": (
        lambda h: stored(h, packed("weight", "weight.quant_state.bitsandbytes__nf4", dtype=torch.uint8)),
        "by bitsandbytes (",
    ),
    "bitsandbytes, 8 bits": (
        lambda h: stored(h, packed("weight", "SCB", dtype=torch.int8)),
        "by bitsandbytes (",
    ),
    "compressed-tensors": (
        lambda h: edited(h, quantization_config={"quant_method": "compressed-tensors", "format": "x"}),
        "by compressed-tensors,",
    ),
    "compressed-tensors by its tensors": (
        lambda h: stored(h, packed("weight_packed", "weight_scale")),
        "by compressed-tensors (",
    ),
    "FP8": (lambda h: stored(h, packed("weight", dtype=torch.float8_e4m3fn)), "by FP8 ("),
    "none that is known": (lambda h: stored(h, packed("weight", dtype=torch.int8)), "I8"),
    "a config of a number": (lambda h: edited(h, quantization_config=4), "by 4,"),
}


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_weights_are_refused_by_their_method(name: str, tmp_path: Path) -> None:
    how, why = QUANTISED[name]
    home = write(tmp_path / "m", "llama")
    how(home)
    said = refusal(home, check_checkpoint)
    assert why in said
    assert "name the original checkpoint, or a GGUF file of it" in said


# --- other kinds -----------------------------------------------------------------------------------------------------


def only(*names: str) -> Callable[[Path], object]:
    """Nothing in the directory but these files."""

    def how(home: Path) -> None:
        for p in home.iterdir():
            p.unlink()
        for name in names:
            (home / name).write_text("{}")

    return how


def pointer(name: str) -> Callable[[Path], object]:
    return lambda home: (home / name).write_text(POINTER)


OTHERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "weights a pointer": (pointer("model.safetensors"), "Git LFS", "git lfs pull"),
    "a tokenizer a pointer": (pointer("tokenizer.json"), "Git LFS", "git lfs pull"),
    "an index a pointer": (pointer("model.safetensors.index.json"), "Git LFS", "git lfs pull"),
    "a GGUF file a pointer": (
        lambda h: (only("x")(h), (h / "m.gguf").write_text(POINTER)),
        "Git LFS",
        "git lfs pull",
    ),
    "a GGUF file beside a config": (
        lambda h: ((h / "model.safetensors").unlink(), (h / "m.gguf").write_bytes(b"GGUF")),
        "a GGUF file",
        "name the GGUF file",
    ),
    "BERT": (
        lambda h: edited(h, model_type="bert", architectures=["BertForMaskedLM"]),
        "a masked language model ('bert')",
        "ForCausalLM",
    ),
    "ModernBERT": (
        lambda h: edited(h, model_type="modernbert", architectures=["ModernBertForMaskedLM"]),
        "a masked language model ('modernbert')",
        "ForCausalLM",
    ),
    "T5": (
        lambda h: edited(
            h, model_type="t5", architectures=["T5ForConditionalGeneration"], is_encoder_decoder=True
        ),
        "'t5', an encoder-decoder",
        "ForCausalLM",
    ),
    "BART": (
        lambda h: edited(
            h, model_type="bart", architectures=["BartForConditionalGeneration"], is_encoder_decoder=True
        ),
        "'bart', an encoder-decoder",
        "ForCausalLM",
    ),
    "a classifier": (
        lambda h: edited(h, architectures=["LlamaForSequenceClassification"]),
        "a classifier of texts",
        "choose a causal language model of the same family",
    ),
    "an embedding model": (
        lambda h: edited(h, architectures=["LlamaModel"]),
        "a body without a head",
        "choose a causal language model of the same family",
    ),
    "a wrapper that is not known": (
        lambda h: edited(h, model_type="paligemma", architectures=None, text_config={"model_type": "gemma"}),
        "'paligemma' with a text model of type 'gemma'",
        "save the language model by itself",
    ),
    "code of its own": (
        lambda h: edited(h, model_type="chatglm", auto_map={"AutoModelForCausalLM": "m.M"}),
        "'chatglm', whose own code (auto_map) pofx never runs",
        "a GGUF file of this model",
    ),
    "images": (only("model_index.json"), "makes images", "name the directory of a language model"),
    "a maker's own layout": (only("params.json", "consolidated.00.pth"), "params.json", "convert"),
    "weights alone": (only("model.safetensors"), "weights without config.json", "copy or download"),
    "a tokenizer alone": (only("tokenizer.json"), "a tokenizer without its model", "copy or download"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds_are_refused_by_name(name: str, tmp_path: Path) -> None:
    how, what, then = OTHERS[name]
    home = write(tmp_path / "m", "llama")
    how(home)
    said = refusal(home, pofx.load)
    assert what in said
    assert then in said
