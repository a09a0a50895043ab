"""Checkpoints of any causal type of transformers, with random weights and sizes that a test can afford."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from pofx.models.pretrained.library.body import quiet
from tiny_checkpoints import BOS, EOS, ROWS, tokenizer

CONTEXT = 64
# What sizes are called, family by family. Only those that a config has are set.
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim_model", "embedding_size", "embedding_dim"), 32),
    **dict.fromkeys(("word_embed_proj_dim", "lru_width", "width"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "num_layers", "n_layers", "num_blocks"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("head_dim", "global_head_dim", "dim_head", "attention_head_dim"), 8),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "dim_ff", "d_ff"), 48),
    **dict.fromkeys(("decoder_layers", "encoder_layers"), 2),
    **dict.fromkeys(("decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("decoder_ffn_dim", "encoder_ffn_dim"), 48),
    **dict.fromkeys(
        ("moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size"), 16
    ),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k"), 2),
    **dict.fromkeys(("max_position_embeddings", "max_seq_len", "n_positions", "n_ctx"), CONTEXT),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank"), 16),
    **dict.fromkeys(("qk_nope_head_dim", "v_head_dim", "qk_rope_head_dim"), 8),
    **dict.fromkeys(("mamba_d_state", "state_size", "ssm_state_size", "mamba_d_head", "mamba_headdim"), 8),
    **dict.fromkeys(("n_group", "topk_group", "n_groups", "mamba_n_groups"), 1),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "linear_head_dim"), 8),
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    **dict.fromkeys(("chunk_size", "mamba_chunk_size", "block_size"), 8),
    "n_shared_experts": 1,
    "vocab_size": ROWS,
    "sliding_window": 16,
    "attention_window_size": 16,
    "qk_head_dim": 16,
    "vocab_size_per_layer_input": ROWS,
    "initializer_range": 0.2,
    "is_decoder": True,
}
_GEMMA_3N = {"num_kv_shared_layers": 0, "laurel_rank": 4, "hidden_size_per_layer_input": 8}
_ASSISTANT = {  # its layers read keys and values of another model's
    "hidden_size_per_layer_input": 0,
    "vocab_size_per_layer_input": 0,
    "num_hidden_layers": 2,
    "num_kv_shared_layers": 2,
    "layer_types": ["sliding_attention", "full_attention"],
    "enable_moe_block": False,
    "use_double_wide_mlp": False,
}
# A budget of 8 tokens, so that texts of 20 are read through the index.
_INDEXED = {
    "indexer_n_heads": 2,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 8,
    "indexer_budget": 8,
    "indexer_compress_ratio": 2,
}
# Where the sizes alone make no model.
OWN: dict[str, dict[str, Any]] = {
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2, "state_size": 8, "n_groups": 1, "chunk_size": 8},
    "xlstm": {"num_heads": 2, "num_blocks": 2, "chunk_size": 8, "mode": "inference"},
    "electra": {"embedding_size": 24},
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 24},
    "llama4_text": {
        "intermediate_size_mlp": 48,
        "num_hidden_layers": 2,
        "layer_types": ["chunked_attention", "full_attention"],
        "no_rope_layers": [1, 0],
    },
    "recurrent_gemma": {"num_hidden_layers": 3},
    "cpmant": {"prompt_types": 4, "prompt_length": 8, "segment_types": 4, "position_bias_num_buckets": 16},
    "smollm3": {"num_hidden_layers": 4},
    "gemma3n_text": _GEMMA_3N,
    "gemma3n": _GEMMA_3N,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "granitemoehybrid": {"mamba_n_heads": 8, "mamba_d_head": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "olmo_hybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "plbart": {"decoder_attention_heads": 4, "encoder_attention_heads": 4},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": 100.0}
            for kind in ("sliding_attention", "full_attention")
        },
    },
    "gemma4_assistant": _ASSISTANT,
    "gemma4_unified_assistant": _ASSISTANT,
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"hidden_size": 32, "ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "reformer": {
        "axial_pos_embds": False,
        "attention_head_size": 8,
        "feed_forward_size": 48,
        "num_buckets": 4,
    },
    "whisper": {
        "max_target_positions": CONTEXT,
        "max_source_positions": 8,
        "num_mel_bins": 8,
        "decoder_attention_heads": 4,
        "decoder_layers": 2,
        "decoder_ffn_dim": 48,
    },
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "attention_hidden_size": 64,
        "head_dim": 16,
        "attention_head_dim": 16,
        "num_key_value_heads": 4,
        "n_mamba_heads": 2,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
    },
    "zamba2": {
        "num_hidden_layers": 4,
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "num_key_value_heads": 4,
        "head_dim": 16,
        "attention_head_dim": 16,
        "n_mamba_heads": 4,
        "mamba_headdim": 16,
        "adapter_rank": 4,
        "chunk_size": 8,
        "use_mamba_kernels": False,
    },
    "qwen4_exp": _INDEXED,
    "qwen4_exp_text": _INDEXED,
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 16},
    "longcat_flash": {"head_dim": 8, "num_layers": 2, "expert_ffn_hidden_size": 16, "zero_expert_num": 2},
    "blt": {
        "patching_threshold": 5.2,
        "encoder_hash_byte_group_vocab": 50,
        "encoder_hash_byte_group_size": [3, 4],
        "cross_attn_k": 2,
    },
    "xmod": {"languages": ["en_XX", "de_DE"], "default_language": "de_DE"},
    "mllama": {"num_hidden_layers": 2, "cross_attention_layers": []},
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_chunk_size": 8},
    "kimi_linear": {
        "linear_head_dim": 8,
        "linear_num_heads": 4,
        "layer_types": ["linear_attention", "full_attention"],
        "mlp_layer_types": ["dense", "sparse"],
    },
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8},
    "codegen": {"rotary_dim": 8},
    "gptj": {"rotary_dim": 8},
}
# What the whole of a model in a model cannot do without, and its other parts.
WHOLE: dict[str, dict[str, Any]] = {
    "gemma4_assistant": {"text_config": {"model_type": "gemma4_text", **_ASSISTANT}},
}
PARTS: dict[str, dict[str, Any]] = {
    "blt": {
        "encoder_config": {"hidden_size_global": 32},
        "decoder_config": {"hidden_size_global": 32},
        "patcher_config": {"sliding_window": 16},
    },
    "phi4_multimodal": {
        "vision_config": {"image_size": 28, "crop_size": 28, "patch_size": 14},
        "audio_config": {
            "nemo_conv_channels": 8,
            "ext_pw_out_channel": 32,
            "depthwise_separable_out_channel": 32,
        },
    },
}
# Whose language model is written by itself, since the library makes the rest with a package of images.
ALONE = {"gemma3n": "gemma3n_text"}
# Whose class the library cannot make of any config that its own check of configs lets through.
UNMADE = ("gemma4_assistant", "gemma4_unified_assistant")


def config(kind: str, **changes: Any) -> Any:
    """The config of a type, small: what the library's causal class for the type is made with."""
    with quiet():
        default = transformers.CONFIG_MAPPING[kind](**WHOLE.get(kind, {}))
        text = default.get_text_config(decoder=True)
        told = parts(text, kind) | small(text, {**OWN.get(kind, {}), **changes})
        if type(text) is type(default) or takes(kind) is type(text) or kind in ALONE:
            return type(text)(**told)
        others = {n: told if part is text else small(part) for n, part in _parts(default)}
        ids = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": 2}
        return type(default)(**small(default) | others | ids)


def parts(default: Any, kind: str) -> dict[str, Any]:
    """The configs within a config, small."""
    own = PARTS.get(kind, {})
    return {n: small(part, own.get(n, {})) for n, part in _parts(default)}


def _parts(default: Any) -> list[tuple[str, Any]]:
    there = ((n, getattr(default, n, None)) for n in default.sub_configs)
    return [(n, part) for n, part in there if part is not None]


def takes(kind: str) -> Any:
    """The class of config that the library's causal class for a type is made with."""
    made = getattr(transformers, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind])
    return made.config_class


def small(default: Any, own: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The sizes of a config, made small, and what the type needs of its own."""
    there = default.to_dict()
    named = {**default.attribute_map, **there}
    told = {name: value for name, value in SIZES.items() if name in named}
    if "kv_lora_rank" in told:  # latent attention: the head's size is that of the part that turns
        told.pop("head_dim", None)
        told["num_key_value_heads"] = told["num_attention_heads"]
    told |= own
    if isinstance(there.get("layer_types"), list) and "layer_types" not in told:
        kinds = list(dict.fromkeys(there["layer_types"]))  # one layer of each kind
        least = own.get("num_hidden_layers", 2)
        told["layer_types"] = kinds + kinds[:1] * (least - len(kinds))
        told["num_hidden_layers"] = len(told["layer_types"])
    told |= {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": told.get("pad_token_id")}
    if there.get("pad_token_id") is not None and "pad_token_id" not in own:
        told["pad_token_id"] = 2
    return told


def write(home: Path, kind: str, seed: int = 0, **changes: Any) -> Path:
    """The directory of a random model of a type."""
    made = config(kind, **changes)
    name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[ALONE.get(kind, kind)]
    if kind in UNMADE:
        made.architectures = [name]
        made.save_pretrained(home)
        save_file({"lm_head.weight": torch.zeros(ROWS, 32)}, home / "model.safetensors")
    else:
        torch.manual_seed(seed)
        with quiet():
            model = getattr(transformers, name)._from_config(made)
            with torch.no_grad():
                for of, p in [*model.named_parameters(), *model.named_buffers()]:
                    if (p.ndim == 1 and isinstance(p, torch.nn.Parameter)) or of.endswith("_bias"):
                        p.add_(0.1 * torch.randn(p.shape))
            model.save_pretrained(home)
    (home / "tokenizer.json").write_text(json.dumps(tokenizer("bos")))
    declared = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    (home / "tokenizer_config.json").write_text(json.dumps(declared))
    return home
