"""Tiny GGUF files: random models of transformers written as llama.cpp's converter writes them, and raw ones by hand."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np

WIDTH, HEADS, KV_HEADS, HEAD_DIM, HIDDEN, LAYERS, CONTEXT = 64, 4, 2, 16, 96, 2, 128
CONTROL, NORMAL, UNKNOWN, USER_DEFINED, UNUSED, BYTE = 3, 1, 2, 4, 5, 6


# --- by hand: every field can be wrong -------------------------------------------------------------------------------


def text(s: str | bytes) -> bytes:
    raw = s.encode() if isinstance(s, str) else s
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str | bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def row(name: str | bytes, dims: tuple[int, ...], kind: int, offset: int, n: int | None = None) -> bytes:
    return (
        text(name)
        + struct.pack("<I", len(dims) if n is None else n)
        + struct.pack(f"<{len(dims)}Q", *dims)
        + struct.pack("<IQ", kind, offset)
    )


@dataclass
class Raw:
    """A GGUF file as bytes; the defaults make a good one: four pairs, two tensors."""

    magic: bytes = b"GGUF"
    version: int = 3
    n_tensors: int | None = None
    n_pairs: int | None = None
    pairs: list[bytes] = field(
        default_factory=lambda: [
            pair("general.architecture", 8, text("llama")),
            pair("llama.block_count", 4, struct.pack("<I", 1)),
            pair("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("é")),
            pair("some.scores", 9, struct.pack("<IQ2f", 6, 2, 0.5, -1.0)),
        ]
    )
    rows: list[bytes] = field(
        default_factory=lambda: [row("token_embd.weight", (4, 2), 0, 0), row("blk.0.x", (32,), 8, 32)]
    )
    alignment: int = 32
    data: bytes = bytes(range(66))

    def head(self) -> bytes:
        n_tensors = len(self.rows) if self.n_tensors is None else self.n_tensors
        n_pairs = len(self.pairs) if self.n_pairs is None else self.n_pairs
        return (
            self.magic
            + struct.pack("<IQQ", self.version, n_tensors, n_pairs)
            + b"".join(self.pairs)
            + b"".join(self.rows)
        )

    def bytes(self) -> bytes:
        head = self.head()
        return head + bytes(-len(head) % self.alignment) + self.data


# --- models ----------------------------------------------------------------------------------------------------------


def byte_tokens() -> list[str]:
    """The 256 letters of byte-level vocabularies."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())


def byte_level(pre: str | None = "gpt-2") -> dict[str, Any]:
    """A vocabulary as of GPT-2: bytes, three merges, two control tokens."""
    merged = ["Ġt", "he", "Ġthe", "ĊĊ", "ab"]
    return {
        "model": "gpt2",
        "tokens": [*byte_tokens(), *merged, "<|endoftext|>", "<|im_start|>"],
        "types": [NORMAL] * (256 + len(merged)) + [CONTROL] * 2,
        "merges": ["Ġ t", "h e", "Ġt he", "Ċ Ċ", "a b"],
        "eos": 256 + len(merged),
        "bos": 257 + len(merged),
        "pad": 256 + len(merged),
        **({} if pre is None else {"pre": pre}),
    }


def sentence_pieces() -> dict[str, Any]:
    """A vocabulary as of Llama 2 and Gemma: three controls, bytes, scored pieces."""
    pieces = [*"▁abcdehst", "▁a", "ab", "▁t", "he", "▁the"]
    return {
        "model": "llama",
        "tokens": ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces],
        "types": [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(pieces),
        "scores": [0.0] * 259 + [-float(i) for i in range(len(pieces))],
        "bos": 1,
        "eos": 2,
        "unk": 0,
    }


def model(architecture: str, seed: int = 0, **changes: Any) -> Any:
    """A random model of transformers of an architecture by GGUF's name, its weights all different from zero."""
    import torch
    import transformers as t

    common: dict[str, Any] = {
        "vocab_size": 263,
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    made = {
        "llama": lambda: t.LlamaConfig(**common | {"tie_word_embeddings": True, "rope_theta": 5e4} | changes),
        "qwen2": lambda: t.Qwen2Config(**common | {"tie_word_embeddings": False} | changes),
        "qwen3": lambda: t.Qwen3Config(**common | {"head_dim": 128, "tie_word_embeddings": True} | changes),
        "gemma2": lambda: t.Gemma2Config(**common | {"head_dim": 32, "sliding_window": 16} | changes),
        "gemma3": lambda: t.Gemma3TextConfig(**common | {"head_dim": 32, "sliding_window": 16} | changes),
        "phi3": lambda: t.Phi3Config(**common | {"sliding_window": 16} | changes),
        "starcoder2": lambda: t.Starcoder2Config(**common | {"use_bias": True} | changes),
        "gpt2": lambda: t.GPT2Config(
            vocab_size=263,
            n_positions=CONTEXT,
            n_embd=WIDTH,
            n_layer=LAYERS,
            n_head=HEADS,
            bos_token_id=None,
            eos_token_id=None,
            **changes,
        ),
    }[architecture]()
    torch.manual_seed(seed)
    lm = t.AutoModelForCausalLM.from_config(made).eval()
    with torch.no_grad():
        for p in lm.parameters():
            p.copy_(torch.randn_like(p) * 0.1 + (1.0 if p.ndim == 1 else 0.0))
    return lm


def write(
    path: Path,
    architecture: str,
    lm: Any,
    vocabulary: dict[str, Any],
    quantise: gguf.GGMLQuantizationType | None = None,
    extra: dict[str, Any] | None = None,
    tensors: dict[str, np.ndarray[Any, Any]] | None = None,
) -> Path:
    """The model as llama.cpp's convert_hf_to_gguf.py would write it: names, permuted rows, norms plus one."""
    c = lm.config
    w = gguf.GGUFWriter(path, architecture)
    w.add_name("tiny")
    w.add_block_count(LAYERS)
    w.add_context_length(CONTEXT)
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(getattr(c, "intermediate_size", 4 * WIDTH))
    w.add_head_count(HEADS)
    if architecture == "gpt2":
        w.add_layer_norm_eps(c.layer_norm_epsilon)
    else:
        w.add_head_count_kv(KV_HEADS)
        w.add_rope_freq_base(_theta(c))
        if architecture == "starcoder2":
            w.add_layer_norm_eps(c.norm_epsilon)
        else:
            w.add_layer_norm_rms_eps(c.rms_norm_eps)
        if architecture in ("gemma2", "gemma3", "qwen3"):
            w.add_key_length(c.head_dim)
            w.add_value_length(c.head_dim)
        if architecture in ("gemma2", "gemma3", "phi3"):
            w.add_sliding_window(c.sliding_window)
        if architecture == "llama":
            w.add_rope_dimension_count(c.head_dim or HEAD_DIM)
    for key, value in (extra or {}).items():
        add = {bool: w.add_bool, int: w.add_uint32, float: w.add_float32, str: w.add_string}[type(value)]
        add(key, value)
    _vocabulary(w, vocabulary)
    for name, t in lm.state_dict().items():
        if name == "lm_head.weight" and c.tie_word_embeddings:
            continue
        data = _as_ggml(name, t.numpy(), architecture)
        plain = quantise is None or data.ndim == 1
        stored = np.ascontiguousarray(data, np.float32) if plain else gguf.quantize(data, quantise)
        w.add_tensor(_gguf_name(architecture, name), stored, raw_dtype=None if plain else quantise)
    for name, data in (tensors or {}).items():
        w.add_tensor(name, data)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path


def _theta(config: Any) -> float:
    ropes = config.rope_parameters
    return float(ropes["full_attention"]["rope_theta"] if "full_attention" in ropes else ropes["rope_theta"])


def _vocabulary(w: gguf.GGUFWriter, v: dict[str, Any]) -> None:
    w.add_tokenizer_model(v["model"])
    if "pre" in v:
        w.add_tokenizer_pre(v["pre"])
    w.add_token_list(v["tokens"])
    w.add_token_types(v["types"])
    if "scores" in v:
        w.add_token_scores(v["scores"])
    if "merges" in v:
        w.add_token_merges(v["merges"])
    w.add_bos_token_id(v["bos"])
    w.add_eos_token_id(v["eos"])
    if "unk" in v:
        w.add_unk_token_id(v["unk"])
    if "pad" in v:
        w.add_pad_token_id(v["pad"])
    if "add_bos" in v:
        w.add_add_bos_token(v["add_bos"])


def _gguf_name(architecture: str, name: str) -> str:
    arch = next(k for k, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture)
    found = gguf.get_tensor_name_map(arch, LAYERS).get_name(name, try_suffixes=(".weight", ".bias"))
    assert found is not None, name
    return found


def _as_ggml(name: str, data: np.ndarray[Any, Any], architecture: str) -> np.ndarray[Any, Any]:
    if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
        n = HEADS if name.endswith("q_proj.weight") else KV_HEADS
        halves = data.reshape(n, 2, data.shape[0] // n // 2, *data.shape[1:])
        return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(data.shape))
    if architecture in ("gemma2", "gemma3") and name.endswith("norm.weight"):
        return data + 1
    if architecture == "gpt2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        return np.ascontiguousarray(data.T)
    return data
