"""Checkpoints of any causal type of transformers, with random weights and sizes that a test can afford."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers

from pofx.models.pretrained.library import quiet
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
    "n_shared_experts": 1,
    "vocab_size": ROWS,
    "sliding_window": 16,
    "attention_window_size": 16,
    "qk_head_dim": 16,
    "vocab_size_per_layer_input": ROWS,
    "initializer_range": 0.2,
    "is_decoder": True,
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
    "gemma3n_text": {"num_kv_shared_layers": 0, "laurel_rank": 4, "hidden_size_per_layer_input": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "granitemoehybrid": {"mamba_n_heads": 8, "mamba_d_head": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "olmo_hybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "plbart": {"decoder_attention_heads": 4, "encoder_attention_heads": 4},
    "cohere_compass_text": {"layer_types": ["sliding_attention", "full_attention"]},
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8},
    "codegen": {"rotary_dim": 8},
    "gptj": {"rotary_dim": 8},
}


def config(kind: str, **changes: Any) -> Any:
    """The config of a type, small."""
    with quiet():
        default = transformers.CONFIG_MAPPING[kind]()
        nested = default.get_text_config(decoder=True)
        there = nested.to_dict()
        named = {**nested.attribute_map, **there}
        told = {name: value for name, value in SIZES.items() if name in named}
        if "kv_lora_rank" in told:  # latent attention: the head's size is that of the part that turns
            told.pop("head_dim", None)
            told["num_key_value_heads"] = told["num_attention_heads"]
        told |= {**OWN.get(kind, {}), **changes}
        if isinstance(there.get("layer_types"), list) and "layer_types" not in told:
            told["layer_types"] = there["layer_types"][: told.get("num_hidden_layers", 2)]
        told |= {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": told.get("pad_token_id")}
        if there.get("pad_token_id") is not None and "pad_token_id" not in changes:
            told["pad_token_id"] = 2
        return type(nested)(**told)


def write(home: Path, kind: str, seed: int = 0, **changes: Any) -> Path:
    """The directory of a random model of a type."""
    made = config(kind, **changes)
    torch.manual_seed(seed)
    with quiet():
        model = transformers.AutoModelForCausalLM.from_config(made)
        with torch.no_grad():
            for p in model.parameters():
                if p.ndim == 1:
                    p.add_(0.1 * torch.randn(p.shape))
        model.save_pretrained(home)
    (home / "tokenizer.json").write_text(json.dumps(tokenizer("bos")))
    declared = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    (home / "tokenizer_config.json").write_text(json.dumps(declared))
    return home
