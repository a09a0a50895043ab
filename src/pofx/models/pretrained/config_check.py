"""Is a config.json that of a causal language model, safe to hand to a library?

No code: a config may name Python files (`auto_map`) or kernels on a hub, which libraries would fetch and run. No
absurd sizes: a library believes them, and builds a million layers before it looks at the weights.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from pofx.errors import BadSource, require

# Decoders that are known by name, so that `transformers` need not be asked, which takes 0.8 s to import.
_KNOWN = (
    "llama mistral mixtral qwen2 qwen3 qwen2_moe qwen3_moe gemma gemma2 gemma3_text smollm3 phi phi3 gpt2 gpt_neo "
    "gpt_neox gptj gpt_bigcode opt bloom falcon mpt stablelm starcoder2 olmo olmo2 olmo3 granite cohere cohere2 "
    "nemotron xglm codegen"
)
KNOWN = frozenset(_KNOWN.split())
# Readers in both directions, which are causal only where the config says so; and orders other than left to right.
_TWO_WAY = (
    "bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert roberta "
    "roberta-prelayernorm roc_bert roformer xlm-roberta xlm-roberta-xl xmod"
)
TWO_WAY = frozenset(_TWO_WAY.split())
OTHER_ORDER = frozenset(("xlnet", "xlm", "reformer", "prophetnet"))
CAUSAL = ("ForCausalLM", "LMHeadModel")

# What a size is called, family by family, and the most that is believed. The first four must be there.
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
WIDTH = ("hidden_size", "n_embd", "d_model")
ROWS = ("vocab_size",)
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads")
HEAD_DIM = ("head_dim",)
_HIDDEN = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff", "moe_intermediate_size")
_POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "seq_length",
    "sliding_window",
)
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "num_experts_per_tok")
MOST: Mapping[tuple[str, ...], int] = MappingProxyType(
    {LAYERS: 1000, WIDTH: 10**6, ROWS: 10**7, HEADS: 10**5, KV_HEADS: 10**5, HEAD_DIM: 10**5}
    | {_HIDDEN: 10**7, _POSITIONS: 10**9, _EXPERTS: 10**5}
)
_POSITIVE = (
    "rope_theta rope_local_base_freq query_pre_attn_scalar attn_logit_softcapping final_logit_softcapping rms_norm_eps "
    "layer_norm_eps layer_norm_epsilon norm_eps norm_epsilon rotary_pct partial_rotary_factor factor low_freq_factor "
    "high_freq_factor original_max_position_embeddings"
)
POSITIVE = frozenset(_POSITIVE.split())
_TRUTH = ("tie_word_embeddings", "is_decoder", "use_sliding_window", "attention_bias", "mlp_bias")
_CODE = ("auto_map", "trust_remote_code", "custom_pipelines", "custom_generate")
_MAX_GPT_NEO = 1 << 15  # its forward makes a table of positions squared


def check_config(config: Mapping[str, Any], where: str) -> None:
    """`BadSource` unless `config` is that of a causal language model of believable sizes, which runs no code.

    Right: `check_config(read_object(path, MAX_CONFIG), str(path))`. Wrong: as a proof that the weights fit;
    `check_checkpoint` compares them.
    """
    no_code(config, where)
    _decoder(config, where)
    _sizes(config, where)
    for name in ("rope_parameters", "rope_scaling"):
        _rope(config.get(name), name, where)


def size(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The size that goes by one of these names, or None."""
    return next((config[n] for n in names if config.get(n) is not None), None)


def no_code(config: Mapping[str, Any], where: str) -> None:
    """`BadSource` where a config, or anything within it, names code to fetch or run. There is no switch."""
    todo: list[Any] = [config]
    while todo:
        node = todo.pop()
        if isinstance(node, dict | Mapping):
            for key, value in node.items():
                code = key in _CODE and value not in (None, False)
                # "org/name" is a kernel on a hub: a program.
                kernel = "_implementation" in str(key) and not _plain(value)
                if code or kernel:
                    raise BadSource(
                        f"{where}: expected a model that runs no code of its own, found {key!r}: {value!r:.60}; pofx "
                        "never runs such code, use a checkpoint of an architecture that transformers has"
                    )
            todo += node.values()
        elif isinstance(node, list | tuple):
            todo += node


def _plain(value: Any) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(r"[a-z0-9_|]{0,40}", value) is not None)


def _decoder(config: Mapping[str, Any], where: str) -> None:
    kind, made = config.get("model_type"), config.get("architectures")
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", kind):
        _bad(where, "the model_type of a causal language model", repr(kind))
    if made is not None and not (isinstance(made, list) and made and all(isinstance(a, str) for a in made)):
        _bad(where, "a list of names for architectures", repr(made))
    if config.get("is_encoder_decoder") not in (None, False) or kind in OTHER_ORDER:
        _bad(where, "a model that reads from left to right alone", f"{kind!r}, which does not")
    if kind in TWO_WAY and config.get("is_decoder") is not True:
        _bad(where, "a causal language model", f"{kind!r}, which reads in both directions")
    if made is not None and not any(a.endswith(CAUSAL) for a in made):
        _bad(where, "an architecture that ends in ForCausalLM or LMHeadModel", repr(made))
    method = config.get("quantization_config")
    if method is not None:
        name = method.get("quant_method") if isinstance(method, dict) else method
        _bad(
            where,
            "weights as floats",
            f"weights quantised by {name!r:.40}; use the original checkpoint or a GGUF",
        )
    if kind not in KNOWN and kind not in _of_transformers():
        _bad(where, "a model_type that transformers has a causal language model for", repr(kind))


def _of_transformers() -> frozenset[str]:
    auto = require("transformers.models.auto.modeling_auto", "hf", "a model of this type")
    return frozenset(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def _sizes(config: Mapping[str, Any], where: str) -> None:
    for names, most in MOST.items():
        for name in names:
            value = config.get(name)
            if value is not None and not (type(value) is int and 0 <= value <= most):
                _bad(where, f"a whole number up to {most:,} for {name}", repr(value))
    for names in (LAYERS, WIDTH, ROWS):
        if not size(config, names):
            _bad(where, f"a positive {names[0]}", repr(size(config, names)))
    for name in sorted(POSITIVE):
        _positive(config.get(name), name, where)
    for name in _TRUTH:
        if not isinstance(config.get(name), bool | None):
            _bad(where, f"true or false for {name}", repr(config[name]))
    width, heads, kv_heads = (size(config, names) for names in (WIDTH, HEADS, KV_HEADS))
    if heads is not None:
        if heads < 1 or (not size(config, HEAD_DIM) and width is not None and width % heads):
            _bad(where, f"attention heads that divide {WIDTH[0]} {width}", repr(heads))
        if kv_heads is not None and (kv_heads < 1 or heads % kv_heads) and not config.get("multi_query"):
            _bad(where, f"key-value heads that divide the {heads} heads", repr(kv_heads))
    layers = config.get("layer_types")
    if layers is not None and not (
        isinstance(layers, list)
        and len(layers) == size(config, LAYERS)
        and all(isinstance(x, str) for x in layers)
    ):
        _bad(where, f"the names of {size(config, LAYERS)} layers in layer_types", repr(layers))
    if config.get("model_type") == "gpt_neo" and (size(config, _POSITIONS) or 0) > _MAX_GPT_NEO:
        _bad(where, f"at most {_MAX_GPT_NEO} positions of a gpt_neo", repr(size(config, _POSITIONS)))


def _rope(found: Any, name: str, where: str) -> None:
    """How positions turn: numbers by name, perhaps one such table for each kind of layer."""
    if found is None:
        return
    if not isinstance(found, dict):
        _bad(where, f"an object for {name}", repr(found))
    for key, value in found.items():
        if isinstance(value, dict):
            _rope({k: v for k, v in value.items() if not isinstance(v, dict)}, f"{name}.{key[:40]}", where)
        elif key in POSITIVE:
            _positive(value, f"{name}.{key}", where)


def _positive(value: Any, name: str, where: str) -> None:
    if value is not None and not (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    ):
        _bad(where, f"a positive number for {name}", repr(value))


def _bad(where: str, expected: str, found: str) -> NoReturn:
    raise BadSource(f"{where}: expected {expected}, found {found:.100}")
