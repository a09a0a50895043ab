"""Unusual checkpoints that are read: a language model within another model, code beside it, sizes by other names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.library.body import quiet
from pofx.models.pretrained.library.model import read_model
from refusals import refusal
from tiny_checkpoints import edited, stored, tokenizer

IDS = [0, 9, 70, 33, 12, 200, 8, 40, 44, 41, 100, 101]


def read(home: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_pretrained(check_checkpoint(home), None, "float32", None)


def by(model: Any) -> np.ndarray[Any, Any]:
    """log p of IDS[1:] by a model of transformers."""
    with torch.inference_mode():
        z = torch.log_softmax(model.eval()(input_ids=torch.tensor([IDS])).logits[0].double(), -1)
    return z[torch.arange(len(IDS) - 1), torch.tensor(IDS[1:])].numpy()


def saved(model: Any, home: Path) -> Path:
    with quiet():
        model.save_pretrained(home)
    (home / "tokenizer.json").write_text(json.dumps(tokenizer()))
    return home


TEXT = {
    "vocab_size": 272,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 0,
    "initializer_range": 0.4,
}
SEES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
}
LINEAR = {
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "layer_types": ["linear_attention", "full_attention"],
    "head_dim": 8,
}
DEPTH = {
    "depth": 1,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_heads": 2,
    "patch_size": 4,
    "out_hidden_size": 16,
    "num_position_embeddings": 16,
}
# By class: its config's class, the text part, the rest; and whether our own decoder runs the language model within.
Case = tuple[str, dict[str, Any], dict[str, Any], bool]
WRAPPED: dict[str, Case] = {
    "Gemma3ForConditionalGeneration": (
        "Gemma3Config",
        {"model_type": "gemma3_text", "head_dim": 8, "sliding_window": 5, "query_pre_attn_scalar": 16},
        {"vision_config": {**SEES, "model_type": "siglip_vision_model"}, "mm_tokens_per_image": 4},
        True,
    ),
    "LlavaForConditionalGeneration": (
        "LlavaConfig",
        {"model_type": "llama"},
        {"vision_config": {**SEES, "model_type": "clip_vision_model", "projection_dim": 8}},
        True,
    ),
    "Mistral3ForConditionalGeneration": (
        "Mistral3Config",
        {"model_type": "mistral", "head_dim": 8},
        {"vision_config": {**SEES, "model_type": "pixtral"}},
        True,
    ),
    "Gemma4ForConditionalGeneration": (
        "Gemma4Config",
        {
            "model_type": "gemma4_text",
            "head_dim": 8,
            "global_head_dim": 8,
            "sliding_window": 5,
            "vocab_size_per_layer_input": 272,
            "hidden_size_per_layer_input": 4,
        },
        {"vision_config": None, "audio_config": None},
        False,
    ),
    "Qwen3_5ForConditionalGeneration": (
        "Qwen3_5Config",
        {"model_type": "qwen3_5_text", **LINEAR},
        {"vision_config": DEPTH},
        False,
    ),
}


def wrapped(name: str, home: Path, cases: dict[str, Case] = WRAPPED) -> Any:
    config, text, rest, _ = cases[name]
    torch.manual_seed(0)
    with quiet():
        made = getattr(transformers, config)(text_config={**TEXT, **text}, image_token_index=5, **rest)
        model = getattr(transformers, name)(made)
    saved(model, home)
    return model


@pytest.mark.parametrize("name", WRAPPED)
def test_the_language_model_within_a_wrapper(name: str, tmp_path: Path) -> None:
    """Its numbers are those of the whole for a text alone."""
    model = wrapped(name, tmp_path / "m")
    lm = read(tmp_path / "m")
    assert isinstance(lm.body, DecoderBody) == WRAPPED[name][3]
    assert np.abs(lm.forward([IDS], skip=1).logp[0] - by(model)).max() < 1e-5


OF_THE_LIBRARY: dict[str, Case] = {
    "Qwen3_5MoeForConditionalGeneration": (
        "Qwen3_5MoeConfig",
        {
            "model_type": "qwen3_5_moe_text",
            **LINEAR,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 8,
            "shared_expert_intermediate_size": 8,
        },
        {"vision_config": DEPTH},
        False,
    ),
    "Llama4ForConditionalGeneration": (
        "Llama4Config",
        {"model_type": "llama4_text", "head_dim": 8, "intermediate_size_mlp": 24, "num_local_experts": 2},
        {
            "vision_config": {
                **SEES,
                "model_type": "llama4_vision_model",
                "projector_input_dim": 16,
                "projector_output_dim": 16,
                "vision_output_dim": 16,
            }
        },
        False,
    ),
}


@pytest.mark.parametrize("name", OF_THE_LIBRARY)
def test_the_librarys_language_model_within_a_wrapper(name: str, tmp_path: Path) -> None:
    """The model that is read for it is the one within the whole."""
    model = wrapped(name, tmp_path / "m", OF_THE_LIBRARY)
    got = by(read_model(check_checkpoint(tmp_path / "m"), torch.float32))
    assert np.abs(got - by(model)).max() < 1e-5


def test_gemma_3n_within_its_wrapper(tmp_path: Path) -> None:
    """Its other parts need a package of images, so their tensors are put beside it by hand."""
    config, told = DECODERS["Gemma3nForCausalLM"]
    torch.manual_seed(0)
    with quiet():
        model = transformers.Gemma3nForCausalLM(getattr(transformers, config)(**told))
    home = saved(model, tmp_path / "m")

    def within(weights: dict[str, torch.Tensor]) -> None:
        for name in list(weights):
            weights[name.replace("model.", "model.language_model.", 1)] = weights.pop(name)
        weights["model.vision_tower.stem.weight"] = torch.ones(3)
        weights["model.audio_tower.conv.weight"] = torch.ones(3)
        weights["model.embed_vision.embedding.weight"] = torch.ones(3)

    stored(home, within)
    inner = json.loads((home / "config.json").read_text())
    whole = {
        "model_type": "gemma3n",
        "architectures": ["Gemma3nForConditionalGeneration"],
        "text_config": inner,
    }
    (home / "config.json").write_text(json.dumps(whole))
    got = by(read_model(check_checkpoint(home), torch.float32))
    assert np.abs(got - by(model)).max() < 1e-5


def test_the_new_names_of_a_wrapper_and_its_defaults(tmp_path: Path) -> None:
    """Published wrappers leave out what the library has as defaults, and have the language model at another place."""
    home = tmp_path / "m"
    model = wrapped("Gemma3ForConditionalGeneration", home)

    def renamed(weights: dict[str, torch.Tensor]) -> None:
        for name in list(weights):
            new = name.replace("language_model.model.", "model.language_model.")
            weights[new if new != name else f"model.{name}"] = weights.pop(name)

    stored(home, renamed)
    config = json.loads((home / "config.json").read_text())
    default = transformers.Gemma3TextConfig().to_dict()
    config["text_config"] = {
        k: v for k, v in config["text_config"].items() if k == "model_type" or v != default[k]
    }
    (home / "config.json").write_text(json.dumps(config | {"eos_token_id": [1, 2]}))
    assert np.abs(read(home).forward([IDS], skip=1).logp[0] - by(model)).max() < 1e-5
    assert check_checkpoint(home).config["eos_token_id"] == [1, 2], "the wrapper's word on texts"


def test_a_tensor_without_a_place_in_a_wrapper(tmp_path: Path) -> None:
    wrapped("LlavaForConditionalGeneration", tmp_path / "m")
    name = "language_model.model.layers.0.self_attn.q_proj.lora_A.weight"
    stored(tmp_path / "m", lambda w: w.update({name: torch.ones(2, 16)}))
    assert "lora_A" in refusal(tmp_path / "m", read)


def test_a_model_with_code_of_its_own_is_read_without_it(tmp_path: Path) -> None:
    """The library has the class, so the code is passed over; running it would leave a trace."""
    config = transformers.Phi3Config(**{**TEXT, "max_position_embeddings": 64})
    torch.manual_seed(0)
    model = transformers.Phi3ForCausalLM(config)
    home = saved(model, tmp_path / "m")
    trace = tmp_path / "trace"
    (home / "modeling_phi3.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass M: pass\n")
    (home / "configuration_phi3.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass C: pass\n")
    code = {"AutoConfig": "configuration_phi3.C", "AutoModelForCausalLM": "modeling_phi3.M"}
    edited(home, auto_map=code)
    assert np.abs(read(home).forward([IDS], skip=1).logp[0] - by(model)).max() < 1e-5
    assert not trace.exists()


SMALL = {k: v for k, v in TEXT.items() if k not in ("num_key_value_heads",)}
DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Glm4MoeLiteForCausalLM": (
        "Glm4MoeLiteConfig",
        {
            **TEXT,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "q_lora_rank": 8,
            "kv_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 4,
            "v_head_dim": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 8,
        },
    ),
    "NemotronHForCausalLM": (
        "NemotronHConfig",
        {
            **{k: v for k, v in TEXT.items() if k != "num_hidden_layers"},
            "head_dim": 4,
            "layers_block_type": ["mamba", "attention"],
            "mamba_num_heads": 4,
            "mamba_head_dim": 8,
            "ssm_state_size": 8,
            "n_groups": 1,
            "n_routed_experts": 4,
            "moe_intermediate_size": 8,
            "moe_shared_expert_intermediate_size": 8,
        },
    ),
    "Gemma3nForCausalLM": (
        "Gemma3nTextConfig",
        {
            **TEXT,
            "num_hidden_layers": 5,
            "head_dim": 8,
            "vocab_size_per_layer_input": 272,
            "hidden_size_per_layer_input": 4,
            "laurel_rank": 4,
            "num_kv_shared_layers": 2,
            "altup_num_inputs": 2,
            "sliding_window": 5,
            "activation_sparsity_pattern": [0.0] * 5,
            "intermediate_size": [24] * 5,
            "layer_types": [*("sliding_attention", "full_attention") * 2, "sliding_attention"],
        },
    ),
    "BartForCausalLM": (
        "BartConfig",
        {
            "vocab_size": 272,
            "d_model": 16,
            "decoder_layers": 2,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 24,
        }
        | {"max_position_embeddings": 64, "init_std": 0.4, "is_decoder": True, "is_encoder_decoder": False},
    ),
    "MarianForCausalLM": (
        "MarianConfig",
        {
            "vocab_size": 272,
            "d_model": 16,
            "decoder_layers": 2,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 24,
        }
        | {"max_position_embeddings": 64, "init_std": 0.4, "is_decoder": True, "is_encoder_decoder": False}
        | {"pad_token_id": 2, "decoder_start_token_id": 2},
    ),
    "TrOCRForCausalLM": (
        "TrOCRConfig",
        {
            "vocab_size": 272,
            "d_model": 16,
            "decoder_layers": 2,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 24,
        }
        | {"max_position_embeddings": 64, "init_std": 0.4, "is_decoder": True},
    ),
    "BertGenerationDecoder": (
        "BertGenerationConfig",
        {**SMALL, "is_decoder": True},
    ),
}


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_whose_configs_are_unusual(name: str, tmp_path: Path) -> None:
    """Sizes by other names, none, or one for each layer; heads that need not divide the width."""
    config, told = DECODERS[name]
    torch.manual_seed(0)
    with quiet():
        model = getattr(transformers, name)(getattr(transformers, config)(**told))
    home = saved(model, tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lm = read_pretrained(check_checkpoint(home), None, "float32", None)
    assert np.abs(lm.forward([IDS], skip=1).logp[0] - by(model)).max() < 1e-5
