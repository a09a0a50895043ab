"""Every family of the own decoder: the library's forward in float64, in any batch, order and budget, and its defaults."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import pofx
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.pretrained import files, probe
from pofx.models.pretrained.checkpoint.families.fields import INERT
from pofx.models.pretrained.checkpoint.families.table import FAMILIES, architecture
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.library.body import quiet
from pofx.models.pretrained.model import PretrainedLM
from tiny_architectures import CONTEXT, write
from tiny_checkpoints import BOS, ROWS, stored

YARN = {
    "rope_type": "yarn",
    "rope_theta": 100.0,
    "factor": 4.0,
    "beta_fast": 2.0,
    "beta_slow": 0.5,
    "original_max_position_embeddings": 16,
}
# By name: the type, and what its config has beside small sizes.
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 100.0,
    "short_factor": [1.0, 1.1, 1.3],
    "long_factor": [1.0, 1.1, 1.3],
    "original_max_position_embeddings": 16,
    "partial_rotary_factor": 0.75,
}
FOUR = [1.0, 1.1, 1.3, 2.0]
WHOLE_HEADS = {
    "partial_rotary_factor": 1.0,
    "attention_factor": 1.2,
    "short_factor": FOUR,
    "long_factor": FOUR,
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("gpt2", {}),
    "gpt2, scores of a layer's own": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    "gpt2, untied, no factor": ("gpt2", {"tie_word_embeddings": False, "scale_attn_weights": False}),
    "gpt_neo": ("gpt_neo", {"window_size": 5}),
    "gpt_neox": ("gpt_neox", {}),
    "gpt_neox, one after the other": ("gpt_neox", {"use_parallel_residual": False, "attention_bias": False}),
    "opt": ("opt", {}),
    "opt 350m": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 24}),
    "opt, plain norms": ("opt", {"layer_norm_elementwise_affine": False, "enable_bias": False}),
    "bloom": ("bloom", {}),
    "bloom, 6 heads": ("bloom", {"n_head": 6, "hidden_size": 48}),
    "mpt": ("mpt", {"attn_config": {"clip_qkv": 0.5}}),
    "gptj": ("gptj", {"rotary_dim": 4}),
    "falcon": ("falcon", {}),
    "falcon, grouped": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2, "bias": True}),
    "falcon, one norm": (
        "falcon",
        {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
    ),
    "falcon, one after the other": (
        "falcon",
        {"multi_query": False, "num_kv_heads": 4, "parallel_attn": False},
    ),
    "falcon, alibi": ("falcon", {"alibi": True, "hidden_size": 48, "num_attention_heads": 12, "bias": True}),
    "falcon, alibi, one after the other": (
        "falcon",
        {"alibi": True, "multi_query": False, "num_kv_heads": 4, "parallel_attn": False},
    ),
    "phi": ("phi", {}),
    "phi, normed heads": ("phi", {"qk_layernorm": True}),
    "stablelm": ("stablelm", {"use_qkv_bias": True}),
    "stablelm, parallel": ("stablelm", {"use_parallel_residual": True}),
    "cohere": ("cohere", {"use_qk_norm": True, "logit_scale": 0.3}),
    "cohere2": ("cohere2", {"sliding_window": 5, "logit_scale": 0.3}),
    "phi3": ("phi3", {"sliding_window": 5}),
    "phi3, long factors": ("phi3", {"rope_parameters": LONGROPE, "original_max_position_embeddings": 16}),
    "llama, long factors": ("llama", {"rope_parameters": {**LONGROPE, **WHOLE_HEADS}}),
    "starcoder2": ("starcoder2", {"sliding_window": 5}),
    "olmo": ("olmo", {"clip_qkv": 0.5}),
    "olmo2": ("olmo2", {}),
    "olmo3": ("olmo3", {"sliding_window": 5}),
    "granite": (
        "granite",
        {
            "attention_multiplier": 0.2,
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.4,
            "logits_scaling": 2.0,
        },
    ),
    "glm": ("glm", {}),
    "glm4": ("glm4", {"attention_bias": True}),
    "nemotron": ("nemotron", {"mlp_bias": True, "initializer_range": 0.1}),
    "exaone4": ("exaone4", {"sliding_window": 5}),
    "helium": ("helium", {}),
    "arcee": ("arcee", {"initializer_range": 0.1}),
    "seed_oss": ("seed_oss", {}),
    "ministral": ("ministral", {"sliding_window": 5}),
    "ernie4_5": ("ernie4_5", {"use_bias": True}),
    "mixtral": ("mixtral", {}),
    "mixtral, one": ("mixtral", {"num_experts_per_tok": 1, "sliding_window": 5}),
    "qwen2_moe": ("qwen2_moe", {"norm_topk_prob": True}),
    "qwen2_moe, some dense": ("qwen2_moe", {"mlp_only_layers": [0]}),
    "qwen3_moe": ("qwen3_moe", {"decoder_sparse_step": 2}),
    "olmoe": ("olmoe", {}),
    "granitemoe": ("granitemoe", {"attention_multiplier": 0.2, "logits_scaling": 2.0}),
    "deepseek_v2": (
        "deepseek_v2",
        {
            "first_k_dense_replace": 1,
            "num_experts_per_tok": 2,
            "routed_scaling_factor": 1.5,
            "v_head_dim": 12,
        },
    ),
    "deepseek_v2, groups": (
        "deepseek_v2",
        {
            "topk_method": "group_limited_greedy",
            "n_group": 4,
            "topk_group": 2,
            "num_experts": 8,
            "num_experts_per_tok": 3,
            "q_lora_rank": None,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_parameters": {**YARN, "mscale": 0.7, "mscale_all_dim": 0.9},
        },
    ),
    "deepseek_v3": (
        "deepseek_v3",
        {
            "first_k_dense_replace": 1,
            "n_group": 4,
            "topk_group": 2,
            "num_local_experts": 8,
            "num_experts_per_tok": 3,
            "n_shared_experts": 2,
            "attention_bias": True,
            "rms_norm_eps": 0.01,
        },
    ),
    "deepseek_v3, halves": (
        "deepseek_v3",
        {"first_k_dense_replace": 0, "rope_interleave": False, "norm_topk_prob": False, "q_lora_rank": None},
    ),
    "llama4": ("llama4_text", {"attention_chunk_size": 8, "floor_scale": 4, "attn_scale": 0.5}),
    "llama4, some dense": (
        "llama4_text",
        {
            "attention_chunk_size": 7,
            "moe_layers": [1],
            "use_qk_norm": False,
            "attn_temperature_tuning": False,
        },
    ),
    "gpt_oss": ("gpt_oss", {"sliding_window": 5, "swiglu_limit": 0.5}),
    "gpt_oss, short yarn": ("gpt_oss", {"sliding_window": 5, "rope_parameters": {**YARN, "truncate": False}}),
    "llama, yarn": ("llama", {"rope_parameters": YARN}),
    "llama, biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
}


def read(directory: Path, budget: int | None = None, dtype: str = "float32") -> PretrainedLM:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a fall-back would be loud
        return read_pretrained(check_checkpoint(directory), None, dtype, budget)


def exact(directory: Path, paths: list[list[int]]) -> list[np.ndarray]:
    """log p(path[i] | path[:i]), i ≥ 1, by the library's forward of each path alone in float64."""
    with quiet():
        model = transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float64, experts_implementation="eager"
        )
    out = []
    for p in paths:
        with torch.inference_mode():
            logits = model(torch.tensor([p[:-1]]), use_cache=False).logits[0].double()
        out.append(torch.log_softmax(logits, -1)[torch.arange(len(p) - 1), torch.tensor(p[1:])].numpy())
    return out


def some_paths(seed: int = 0) -> list[list[int]]:
    """Texts of several lengths, some behind one context, one as long as the context."""
    rng = np.random.default_rng(seed)
    shared = [BOS, *rng.integers(4, ROWS, 35).tolist()]
    alone = [[BOS, *rng.integers(4, ROWS, n).tolist()] for n in (1, 2, 9, 20, CONTEXT)]
    return alone + [[*shared, *rng.integers(4, ROWS, n).tolist()] for n in (1, 3, 3, 12)]


def off(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_of_the_library(tmp_path: Path, name: str) -> None:
    kind, changes = CASES[name]
    directory = write(tmp_path, kind, **changes)
    lm = read(directory)
    assert isinstance(lm.body, DecoderBody)
    paths = some_paths()
    together = lm.forward(paths, skip=1).logp
    assert off(together, exact(directory, paths)) < 1e-5
    order = np.random.default_rng(1).permutation(len(paths))
    shuffled = lm.forward([paths[i] for i in order], skip=1).logp
    assert off(shuffled, [together[i] for i in order]) < 1e-5
    assert off([lm.forward([p], skip=1).logp[0] for p in paths], together) < 1e-5
    small = PretrainedLM(lm.body, lm.head, lm.vocab, lm.context, "float32", 40)
    assert off(small.forward(paths, skip=1).logp, together) < 1e-5
    short = [p[:11] for p in paths]
    assert off(forward_by_extension(lm, short, Want(), 1).logp, lm.forward(short, skip=1).logp) < 1e-5
    state = lm.extend(lm.start(1), [paths[-1][:30]])
    ragged = lm.extend(lm.start(1), [paths[0][:2]]).cat(state)
    laws = lm.extend(ragged, np.array([[5, 6], [5, 6]])).logp
    longer = [[*paths[0][:2], 5, 6, 7], [*paths[-1][:30], 5, 6, 7]]
    assert off([law[7:8] for law in laws], [x[-1:] for x in exact(directory, longer)]) < 1e-5
    branches = lm.branches(state)
    grown = [k for some, _ in branches.grow(np.array([-1, -1]), np.array([5, 6])) for k in some.tolist()]
    rows = np.concatenate([law for _, law in branches.grow(np.array(grown), np.array([7, 8]))])
    for row, path in zip(rows, ([5, 7], [6, 8]), strict=True):
        assert np.abs(row - lm.extend(state, [path]).logp[0]).max() < 1e-5


def left_out(directory: Path, *names: str) -> None:
    config = json.loads((directory / "config.json").read_text())
    kept = {name: value for name, value in config.items() if name not in names}
    (directory / "config.json").write_text(json.dumps(kept))


# Sizes that a config leaves out where they are the defaults of its family.
SIZES: dict[str, dict[str, Any]] = {
    "mistral": {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 4},
    "gemma": {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 256},
    "qwen3": {"num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 128},
    "glm": {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 128},
    "glm4": {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 128},
    "seed_oss": {"num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 128, "hidden_size": 36},
    "ernie4_5": {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 128},
    "qwen3_moe": {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8},
}


@pytest.mark.parametrize("kind", SIZES)
def test_sizes_that_are_left_out_are_those_of_the_family(tmp_path: Path, kind: str) -> None:
    directory = write(tmp_path, kind, **SIZES[kind])
    default = transformers.CONFIG_MAPPING[kind]()
    names = [n for n in ("head_dim", "num_key_value_heads") if getattr(default, n, None) == SIZES[kind][n]]
    assert names
    left_out(directory, *names)
    lm = read(directory)
    assert isinstance(lm.body, DecoderBody)
    paths = some_paths()[:4]
    assert off(lm.forward(paths, skip=1).logp, exact(directory, paths)) < 1e-5


def test_layers_for_drafts_are_no_layers_of_the_model(tmp_path: Path) -> None:
    directory = write(tmp_path, "deepseek_v3", q_lora_rank=None, num_mtp_layers=1)

    def drafts(weights: dict[str, torch.Tensor], layer: int) -> None:
        weights[f"model.layers.{layer}.eh_proj.weight"] = torch.zeros(2, 2)

    stored(directory, lambda weights: drafts(weights, 2))
    assert check_checkpoint(directory)
    stored(directory, lambda weights: drafts(weights, 3))
    with pytest.raises(pofx.BadSource, match="layers of the numbers 0 to 1"):
        check_checkpoint(directory)


def test_a_second_load_of_a_family_asks_nothing_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    directory = write(tmp_path / "m", "olmoe")
    read(directory)
    code = (
        "from pofx.models.pretrained.checkpoint.rules import check_checkpoint\n"
        "from pofx.models.pretrained.files import read_pretrained\n"
        f"read_pretrained(check_checkpoint({str(directory)!r}), None, 'float32', None)\n"
        "import sys; print('transformers' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout) == (0, "False\n"), ran.stderr


def test_the_comparison_is_made_once_for_weights_dtype_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path / "cache"))
    directory, compared = write(tmp_path / "m", "gpt2"), []
    compare, installed = files.read_probe, probe.version

    def counted(*of: Any) -> Any:
        compared.append(of)
        return compare(*of)

    monkeypatch.setattr(files, "read_probe", counted)
    for dtype, count in (("float32", 1), ("float32", 1), ("bfloat16", 2), ("bfloat16", 2), ("float32", 2)):
        read(directory, dtype=dtype)
        assert len(compared) == count
    monkeypatch.setattr(probe, "version", lambda name: "9.9" if name == "torch" else installed(name))
    read(directory)
    assert len(compared) == 3
    stored(directory, lambda weights: weights["transformer.wte.weight"].mul_(2))
    read(directory)
    assert len(compared) == 4


def usual(kind: str) -> dict[str, Any]:
    """The library's default config of a type; that of DeepSeek V2 does not say how many experts read a token."""
    made: dict[str, Any] = transformers.CONFIG_MAPPING[kind]().to_dict()
    return {**made, "model_type": kind, **({"num_experts_per_tok": 6} if kind == "deepseek_v2" else {})}


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_field_that_is_left_out_has_the_default_of_the_library(kind: str) -> None:
    full = usual(kind)
    whole = architecture(full)
    assert whole is not None, [name for name in full if name not in INERT]
    for name in full:
        if name == "model_type":
            continue
        less = architecture({n: value for n, value in full.items() if n != name})
        assert less in (None, whole), name


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_field_that_is_not_known_is_left_to_the_library(kind: str) -> None:
    full = usual(kind)
    assert architecture({**full, "attention_of_tomorrow": None}) == architecture(full)
    for value in (True, 0.5, "x", {"a": 1}):
        assert architecture({**full, "attention_of_tomorrow": value}) is None


def without_prefix(weights: dict[str, torch.Tensor]) -> None:
    for name in list(weights):
        weights[name.removeprefix("transformer.").removeprefix("model.")] = weights.pop(name)


@pytest.mark.parametrize("kind", ["gpt2", "opt"])
def test_a_body_that_was_saved_by_itself(tmp_path: Path, kind: str) -> None:
    directory = write(tmp_path, kind)
    path = some_paths()[3:4]
    want = read(directory).forward(path, skip=1).logp
    stored(directory, without_prefix)
    lm = read(directory)
    assert isinstance(lm.body, DecoderBody)
    assert off(lm.forward(path, skip=1).logp, want) == 0


# The fields of published configs, which are older than the library and have other names.
PUBLISHED: list[dict[str, Any]] = [
    {
        "model_type": "gpt2", "activation_function": "gelu_new", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
        "n_positions": 1024, "summary_type": "cls_index", "task_specific_params": {"a": {}}, "vocab_size": 50257,
    },
    {
        "model_type": "gpt_neox", "hidden_act": "gelu", "hidden_size": 512, "intermediate_size": 2048,
        "num_attention_heads": 8, "num_hidden_layers": 6, "rotary_emb_base": 10000, "rotary_pct": 0.25,
        "use_parallel_residual": True, "vocab_size": 50304, "torch_dtype": "float16", "tie_word_embeddings": False,
    },
    {
        "model_type": "bloom", "n_embed": 1024, "n_layer": 24, "num_attention_heads": 16, "offset_alibi": 100,
        "attention_softmax_in_fp32": True, "bias_dropout_fusion": True, "masked_softmax_fusion": True, "n_inner": None,
        "skip_bias_add": True, "skip_bias_add_qkv": False, "pretraining_tp": 1, "vocab_size": 250880,
    },
    {
        "model_type": "gptj", "n_embd": 4096, "n_head": 16, "n_layer": 28, "n_positions": 2048, "rotary": True,
        "rotary_dim": 64, "scale_attn_weights": True, "tokenizer_class": "GPT2Tokenizer", "vocab_size": 50400,
    },
    {
        "model_type": "falcon", "alibi": False, "apply_residual_connection_post_layernorm": False, "bias": False,
        "auto_map": {"a": "b"}, "hidden_size": 4544, "multi_query": True, "new_decoder_architecture": False,
        "num_attention_heads": 71, "num_hidden_layers": 32, "parallel_attn": True, "vocab_size": 65024,
    },
]  # fmt: skip


@pytest.mark.parametrize("config", PUBLISHED, ids=[c["model_type"] for c in PUBLISHED])
def test_published_configs(config: dict[str, Any]) -> None:
    found, made = architecture(config), transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config)
    assert found is not None
    assert (found.width, found.heads, len(found.layers)) == (
        made.hidden_size,
        made.num_attention_heads,
        made.num_hidden_layers,
    )


HOSTILE: list[tuple[str, str, Any]] = [
    ("gpt2", "scale_attn_weights", "yes"),
    ("gpt2", "n_inner", -1),
    ("gpt_neo", "attention_types", [[["global"], 10**12]]),
    ("gpt_neo", "attention_types", 3),
    ("gpt_neo", "window_size", 1.5),
    ("gpt_neox", "rope_parameters", {"rope_type": "default", "rope_theta": 100.0, "of_tomorrow": 2}),
    ("opt", "word_embed_proj_dim", 0),
    ("opt", "activation_function", "of_tomorrow"),
]


@pytest.mark.parametrize(("kind", "name", "value"), HOSTILE)
def test_odd_values_are_not_read(kind: str, name: str, value: Any) -> None:
    config: dict[str, Any] = transformers.CONFIG_MAPPING[kind]().to_dict()
    assert architecture({**config, "model_type": kind, name: value}) is None


ODD: list[Any] = [
    *(3, -1, 0, 10**30, 1e300, float("nan"), float("inf"), True, None, "x", [], [3], {"a": 1}),
    *([["global"], 3], [[["global"], 10**9]], {"full_attention": 3}, {"sliding_attention": []}),
    *({"full_attention": {"rope_type": []}}, {"rope_type": "yarn"}, {"rope_type": "llama3", "factor": "x"}),
]


@pytest.mark.parametrize("kind", FAMILIES)
def test_any_value_of_any_field_is_read_or_left_to_the_library(kind: str) -> None:
    full = usual(kind)
    for name in full.keys() - {"model_type"}:
        for value in ODD:
            architecture({**full, name: value})  # no error of Python
