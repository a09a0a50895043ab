"""A saved transformer: config.json and model.safetensors in the layout of Qwen3, which other tools read."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pofx.errors import BadSource, require
from pofx.files.atomic import write_atomically
from pofx.files.json_file import read_object

require("torch", "torch", "a transformer")

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pofx.models.transformer.attention import THETA, PackedLayout
from pofx.models.transformer.model import TransformerLM
from pofx.models.transformer.net import Net, Shape
from pofx.models.transformer.ops import EPS
from pofx.models.transformer.windows import Pieces
from pofx.vocab.vocabulary import Vocab

QUIET = -30.0  # the logit of x0, for tools whose softmax includes x0
QUIET_TOKENS = 4096
MOST_CONFIG = 1 << 20


def to_files(lm: TransformerLM, directory: Path) -> None:
    """Write config.json, generation_config.json and model.safetensors, each in one step.

    `transformers.AutoModelForCausalLM.from_pretrained(directory)` then has the same logits (1e-4). Where there is an x0, the
    softmax of `transformers` includes x0, whose logit is about −30; generation_config.json suppresses it in samples.
    """
    begin, end = lm.begin.id, lm.vocab.end
    s = lm.net.shape
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": s.rows,
        "hidden_size": s.width,
        "intermediate_size": s.hidden,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads,
        "num_key_value_heads": s.heads,
        "head_dim": s.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": s.context,
        "rms_norm_eps": EPS,
        "rope_theta": THETA,
        "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "tie_word_embeddings": s.tie,
        "bos_token_id": begin,
        "eos_token_id": end,
        "initializer_range": 0.02,
        "use_cache": True,
        "dtype": "float32",
    }
    generation: dict[str, Any] = {"bos_token_id": begin, "eos_token_id": end, "do_sample": True, "top_k": 0}
    if begin is not None:
        generation["suppress_tokens"] = [begin]
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / "config.json", (json.dumps(config, indent=2) + "\n").encode())
    write_atomically(directory / "generation_config.json", (json.dumps(generation, indent=2) + "\n").encode())
    write_atomically(directory / "model.safetensors", save(named_weights(lm.net), metadata={"format": "pt"}))


def from_files(directory: Path, vocab: Vocab, begin: bool, overlap: int) -> TransformerLM:
    """Read the model that `to_files` wrote to a directory.

    Args:
        directory: The directory.
        vocab: The vocabulary of the model.
        begin: Whether the model has an x0.
        overlap: How many tokens each window re-reads.

    Raises:
        BadSource: A file is missing, damaged, or disagrees with the others.
    """
    config_file, weights_file = directory / "config.json", directory / "model.safetensors"
    shape = _shape(config_file, vocab, begin)
    if not 0 < overlap < shape.context:
        raise BadSource(
            f"{config_file}: expected a window longer than the overlap {overlap}, got {shape.context}",
            "copy the model's directory again",
        )
    try:
        tensors = load(weights_file.read_bytes())
    except (SafetensorError, OSError, KeyError, ValueError) as e:
        why = " ".join(str(e).split())
        raise BadSource(
            f"{weights_file}: expected a whole safetensors file, got none ({why})", "save the model again"
        ) from None
    net = Net(shape)
    expected = named_weights(net)
    for name, want in expected.items():
        found = tensors.pop(name, None)
        if found is None:
            raise BadSource(
                f"{weights_file}: expected the tensor {name} of config.json, got none",
                "copy or fit the model again",
            )
        if found.shape != want.shape or not found.dtype.is_floating_point:
            raise BadSource(
                f"{weights_file}: expected {name} as floats {list(want.shape)}, as config.json has it, "
                f"got {str(found.dtype).removeprefix('torch.')} {list(found.shape)}",
                "copy the model's directory again",
            )
        if not bool(torch.isfinite(found).all()):
            raise BadSource(
                f"{weights_file}: expected finite numbers, got inf or nan in {name}", "fit the model again"
            )
        with torch.no_grad():
            want.copy_(found)
    tensors.pop("lm_head.weight" if shape.tie else "", None)
    if tensors:
        raise BadSource(
            f"{weights_file}: expected the tensors of config.json, got also {min(tensors)}",
            "copy the model's directory again",
        )
    return TransformerLM(net, vocab, begin=begin, overlap=overlap)


def named_weights(net: Net) -> dict[str, Tensor]:
    """Return the weights by their Hugging Face names, as views: writing to a view writes to the network."""
    out: dict[str, Tensor] = {"model.embed_tokens.weight": net.embed, "model.norm.weight": net.norm}
    if net.lm_head is not None:
        out["lm_head.weight"] = net.lm_head
    for i, block in enumerate(net.layers()):
        q, k, v = block.qkv.chunk(3)
        gate, up = block.gate_up.chunk(2)
        for name, t in (
            ("self_attn.q_proj", q),
            ("self_attn.k_proj", k),
            ("self_attn.v_proj", v),
            ("self_attn.o_proj", block.out),
            ("self_attn.q_norm", block.norm_q),
            ("self_attn.k_norm", block.norm_k),
            ("mlp.gate_proj", gate),
            ("mlp.up_proj", up),
            ("mlp.down_proj", block.down),
            ("input_layernorm", block.norm_in),
            ("post_attention_layernorm", block.norm_mid),
        ):
            out[f"model.layers.{i}.{name}.weight"] = t
    return {k: t.detach() for k, t in out.items()}


@torch.no_grad()
def silence_begin(net: Net, pieces: Pieces) -> None:
    """Set the row of x0 in the head so that its logit is about −30: argmin_w Σ_h (h·w + 30)² + λ|w|² over sample states h.

    The softmax of pofx never includes this row. It serves tools whose softmax includes all V + 1 rows.
    """
    assert net.lm_head is not None  # noqa: S101  (ours: a tied head has no row to spare)
    within = np.flatnonzero(np.cumsum(pieces.lengths) - pieces.lengths < QUIET_TOKENS)
    batch = pieces.pack(within)
    h = net(
        torch.from_numpy(batch.inputs),
        PackedLayout(batch.lengths, net.shape.head_dim),
        torch.from_numpy(batch.asked),
    ).double()
    ridge = 1e-3 * h.square().sum() / h.shape[1] * torch.eye(h.shape[1], dtype=torch.float64)
    net.lm_head[-1] = torch.linalg.solve(h.T @ h + ridge, h.sum(0) * QUIET)


def _shape(file: Path, vocab: Vocab, begin: bool) -> Shape:
    config = read_object(file, MOST_CONFIG, "the JSON object of a Qwen3 model", "copy or fit it again")
    if config.get("model_type") != "qwen3":
        raise BadSource(f"{file}: expected model_type 'qwen3', as pofx writes it, got another type", None)
    rope = config.get("rope_parameters")
    theta = rope.get("rope_theta") if isinstance(rope, dict) else config.get("rope_theta")

    def positive(name: str) -> int:
        value = config.get(name)
        if type(value) is not int or not 0 < value < 1 << 31:
            raise BadSource(
                f"{file}: expected a positive whole number for {name}, got {value!r}",
                "copy the model's directory again",
            )
        return value

    width, heads = positive("hidden_size"), positive("num_attention_heads")
    must: list[tuple[str, Any, Callable[[Any], bool]]] = [
        ("vocab_size", vocab.size + begin, lambda x: x == vocab.size + begin),
        ("num_key_value_heads", heads, lambda x: x == heads),
        ("head_dim", width / heads, lambda x: x == width / heads),
        ("rms_norm_eps", EPS, lambda x: x == EPS),
        ("hidden_act", "silu", lambda x: x == "silu"),
        ("bos_token_id", vocab.size if begin else None, lambda x: x == (vocab.size if begin else None)),
        ("eos_token_id", vocab.end, lambda x: x == vocab.end),
        ("tie_word_embeddings", "true or false", lambda x: isinstance(x, bool)),
    ]
    for name, expected, holds in must:
        if not holds(config.get(name)):
            raise BadSource(
                f"{file}: expected {name} {expected!r}, got {config.get(name)!r}",
                "copy the model's directory again",
            )
    if theta != THETA:
        raise BadSource(
            f"{file}: expected rope_theta {THETA!r}, got {theta!r}", "copy the model's directory again"
        )
    return Shape(
        vocab.size + begin,
        width,
        positive("num_hidden_layers"),
        heads,
        positive("intermediate_size"),
        positive("max_position_embeddings"),
        config["tie_word_embeddings"],
    )
