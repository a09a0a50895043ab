"""Checkpoint directories with random weights, as transformers writes them: every family small enough for a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from safetensors.torch import load_file, save_file

from pofx.models.pretrained.library.body import quiet
from pofx.vocab.subwords import BYTE_CHARACTERS, BYTE_LEVEL, bpe_model

SPECIALS = ("<bos>", "<eos>", "<unk>", "<|endoftext|>")
BOS, EOS = 0, 1  # id 0 is a valid id
MERGES = (("t", "h"), ("th", "e"), ("Ġ", "the"), ("a", "t"), ("Ġ", "a"))
ROWS = 272  # 4 specials, 256 bytes, 5 merged tokens, and rows that no token has
Adds = Literal["nothing", "bos", "both"]

_COMMON: dict[str, Any] = {
    "vocab_size": ROWS,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "pad_token_id": None,
    "initializer_range": 0.4,
}
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
# By name: the config's class, and what it is made with beside `_COMMON`.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {"tie_word_embeddings": True}),
    "llama, untied, long rope": ("LlamaConfig", {"tie_word_embeddings": False, "rope_parameters": _LLAMA3}),
    "mistral, sliding": ("MistralConfig", {"sliding_window": 5}),
    "qwen2": ("Qwen2Config", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", {"head_dim": 8}),
    "gemma": ("GemmaConfig", {"head_dim": 8}),
    "gemma2": (
        "Gemma2Config",
        {"head_dim": 8, "sliding_window": 5, "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0},
    ),
    "gemma3": ("Gemma3TextConfig", {"head_dim": 8, "sliding_window": 5, "query_pre_attn_scalar": 16}),
    "gpt2": ("GPT2Config", {"n_positions": 64}),
    "gpt_neox": ("GPTNeoXConfig", {"hidden_size": 32}),
    "cohere": ("CohereConfig", {"logit_scale": 0.3}),
    "granite": ("GraniteConfig", {"logits_scaling": 3.0, "embedding_multiplier": 2.0}),
    # Not ours: by the library's forward.
    "biogpt": ("BioGptConfig", {}),
}
OURS = [name for name in FAMILIES if name != "biogpt"]


def tokenizer(adds: Adds = "nothing", opening: bool = False) -> dict[str, Any]:
    """A tokenizer.json: bytes, a few merges, control tokens, and what it puts around a text by itself."""
    tokens = [*SPECIALS, *BYTE_CHARACTERS, *(a + b for a, b in MERGES)]
    out: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": i,
                "content": t,
                "special": True,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for i, t in enumerate(SPECIALS)
        ],
        "pre_tokenizer": {**BYTE_LEVEL, "use_regex": True, "add_prefix_space": opening},
        "decoder": BYTE_LEVEL,
        "model": bpe_model({t: i for i, t in enumerate(tokens)}, MERGES),
    }
    if adds != "nothing":
        around = [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
        if adds == "both":
            around.append({"SpecialToken": {"id": "<eos>", "type_id": 0}})
        out["post_processor"] = {
            "type": "TemplateProcessing",
            "single": around,
            "pair": [*around, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for i, t in enumerate(SPECIALS[:2])},
        }
    return out


def write(
    home: Path,
    family: str = "llama",
    adds: Adds = "nothing",
    seed: int = 0,
    opening: bool = False,
    **changes: Any,
) -> Path:
    """The directory of a random model of a family."""
    name, own = FAMILIES[family]
    made = getattr(transformers, name)
    known = {**made().to_dict(), **made.attribute_map}
    common = {n: value for n, value in _COMMON.items() if n in known}
    config = made(**{**common, **own, **changes})
    torch.manual_seed(seed)
    with quiet():
        model = transformers.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():  # gains and biases too, which start as ones and zeros
            for p in model.parameters():
                if p.ndim == 1:
                    p.add_(0.3 * torch.randn(p.shape))
        model.save_pretrained(home)
    (home / "tokenizer.json").write_text(json.dumps(tokenizer(adds, opening)))
    config = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    (home / "tokenizer_config.json").write_text(json.dumps(config))
    return home


def edited(home: Path, **changes: Any) -> Path:
    """Other fields in config.json. A change to None takes a key out of config.json."""
    config = json.loads((home / "config.json").read_text()) | changes
    (home / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return home


def stored(home: Path, how: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """Other tensors in model.safetensors."""
    found = load_file(home / "model.safetensors")
    how(found)
    save_file(found, home / "model.safetensors", {"format": "pt"})
    return home
