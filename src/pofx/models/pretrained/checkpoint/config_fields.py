"""The type and the largest accepted value of each field of config.json.

A library believes some values, and builds a million layers before it reads the weights. So sizes have bounds for every kind
of model. The fields that pofx's own decoder reads are held to types, too. The library's own validation checks the other
fields of a kind of model, when the model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from pofx.errors import BadSource

# The names of a size, which differ between families.
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
WIDTH = ("hidden_size", "n_embd", "d_model", "n_embed")
ROWS = ("vocab_size",)
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
KV_HEADS = ("num_key_value_heads", "num_kv_heads")
HEAD_DIM = ("head_dim",)
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
HIDDEN = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff", "moe_intermediate_size")
_WINDOWS = ("sliding_window",)  # 0 stands for no window
_STEPS = ("sliding_window_pattern", "_sliding_window_pattern")
_LENGTHS = ("original_max_position_embeddings",)
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "num_experts_per_tok")
_COUNTS = ("max_window_layers", "no_rope_layer_interval", "first_k_dense_replace", "num_kv_shared_layers")
# The least and the most of a whole number. Widths of 0 and heads of 0 have messages of their own.
WHOLE: Mapping[tuple[str, ...], tuple[int, int]] = MappingProxyType(
    {LAYERS: (0, 1000), WIDTH: (0, 10**6), ROWS: (0, 10**7), HEADS: (0, 10**5), KV_HEADS: (0, 10**5)}
    | {HEAD_DIM: (1, 10**5), POSITIONS: (2, 10**9), HIDDEN: (0, 10**7), _STEPS: (1, 10**9)}
    | {_WINDOWS: (0, 10**9), _LENGTHS: (1, 10**9), _EXPERTS: (0, 10**5), _COUNTS: (0, 10**4)}
)
_POSITIVE = (
    "rope_theta rope_local_base_freq query_pre_attn_scalar attn_logit_softcapping final_logit_softcapping rms_norm_eps "
    "layer_norm_eps layer_norm_epsilon norm_eps norm_epsilon rotary_pct partial_rotary_factor factor low_freq_factor "
    "high_freq_factor"
)
POSITIVE = frozenset(_POSITIVE.split())
_TRUTH = (
    "tie_word_embeddings is_decoder is_encoder_decoder use_sliding_window attention_bias mlp_bias use_cache "
    "add_cross_attention scale_attn_weights"
)
TRUTH = frozenset(_TRUTH.split())
_NAMES = ("hidden_act", "hidden_activation", "activation_function", "model_type")
# Fields of ids in which -1 stands for "none" (configs of the first Llamas), and fields that may hold a list of ids.
_IDS: Mapping[str, tuple[int, bool]] = MappingProxyType(
    {"bos_token_id": (0, False), "eos_token_id": (-1, True), "pad_token_id": (-1, False)}
)
_MAX_ID = 10**7
_MAX_FLOAT = 3e38  # the largest number of float32
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys(("linear", "dynamic", "yarn"), ("factor",))
    | {"llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")}
)
_MAX_DEPTH = 4


def check_fields(config: Mapping[str, Any], where: str, depth: int = 0) -> None:
    """Raise `BadSource` for the first field whose type or value no model has; inner configs are checked, too."""
    for names, (least, most) in WHOLE.items():
        for name in names:
            value = config.get(name)
            # Some families have one width for each layer.
            for one in value if names is HIDDEN and isinstance(value, list) and value else [value]:
                if one is not None and not _whole(one, least, most):
                    bad(where, f"a whole number from {least} to {most:,} for {name}", f"{value!r:.80}")
    for name, value in config.items():
        # The library would build the layers of "decoder_layers", "mtp_num_layers" and the like in any family.
        if name.endswith("layers") and type(value) is int and value > WHOLE[LAYERS][1]:
            bad(where, f"at most {WHOLE[LAYERS][1]:,} layers for {name[:60]}", f"{value!r:.80}")
    for name in sorted(POSITIVE):
        _positive(config.get(name), name, where)
    for name in sorted(TRUTH):
        if not isinstance(config.get(name), bool | None):
            bad(where, f"true or false for {name}", f"{config[name]!r:.80}")
    for name in _NAMES:
        if not isinstance(config.get(name), str | None):
            bad(where, f"a name for {name}", f"{config[name]!r:.80}")
    for name, (least, several) in _IDS.items() if depth == 0 else ():
        value = config.get(name)
        ids = value if several and isinstance(value, list) else [] if value is None else [value]
        if not all(_whole(i, least, _MAX_ID) for i in ids):
            bad(
                where,
                f"a token id{' or a list of them' if several else ''} for {name}",
                f"{value!r:.80}",
                "write the id as a number",
            )
    _layer_lists(config, where)
    for name in ("rope_parameters", "rope_scaling"):
        _rope(config.get(name), name, where)
    for name, value in config.items():
        if not name.endswith("_config") or name.startswith(("quant", "compression")):
            continue
        if not isinstance(value, dict | None):
            bad(where, f"an object for {name[:60]}", f"{value!r:.80}")
        if value is not None:
            if depth == _MAX_DEPTH:
                bad(where, f"at most {_MAX_DEPTH} configs, one inside the other", f"more in {name[:60]}")
            check_fields(value, f"{where}: {name[:60]}", depth + 1)


def size(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """Return the size that has one of these names; None where the config lacks all of them."""
    return next((config[n] for n in names if config.get(n) is not None), None)


# The advice about a field that no model has in this form, and about weights that another config describes.
PUBLISHED = "correct the field, or use the config.json that was saved with the weights"


def bad(where: str, expected: str, found: str, then: str = PUBLISHED) -> NoReturn:
    """Raise `BadSource` about a file with other content than expected, with the advice `then`."""
    raise BadSource(f"{where}: expected {expected}, got {found:.200}", then)


def _layer_lists(config: Mapping[str, Any], where: str) -> None:
    n = size(config, LAYERS)
    for name, kind, what in (("layer_types", str, "names"), ("no_rope_layers", int, "numbers")):
        found = config.get(name)
        if found is None:
            continue
        right = isinstance(found, list) and all(isinstance(x, kind) for x in found)
        if not right or len(found) > WHOLE[LAYERS][1] or (n is not None and len(found) != n):
            of = f"the {what} of {n} layers" if n is not None else f"{what} of layers"
            bad(where, f"{of} in {name}", f"{found!r:.80}")


def _rope(found: Any, name: str, where: str) -> None:
    """Check the rotary parameters: numbers by name, perhaps in one table for each kind of layer."""
    if found is None:
        return
    if not isinstance(found, dict):
        bad(where, f"an object for {name}", f"{found!r:.80}")
    for key, value in found.items():
        if isinstance(value, dict):
            _rope({k: v for k, v in value.items() if not isinstance(v, dict)}, f"{name}.{key[:40]}", where)
        elif key in POSITIVE:
            _positive(value, f"{name}.{key}", where)
        elif key in _LENGTHS and value is not None and not _whole(value, *WHOLE[_LENGTHS]):
            bad(where, f"a whole number from 1 for {name}.{key}", f"{value!r:.80}")
    kind = found.get("rope_type", found.get("type"))
    if not isinstance(kind, str | None):
        bad(where, f"a name for the rope_type of {name}", f"{kind!r:.80}")
    for key in _NEEDS.get(kind or "", ()):
        if found.get(key) is None:
            bad(where, f"a number for {name}.{key}, which {kind!r} needs", "none")
    low, high = found.get("low_freq_factor"), found.get("high_freq_factor")
    if low is not None and high is not None and not low < high:
        bad(where, f"low_freq_factor below high_freq_factor in {name}", f"{low!r} and {high!r}")


def _whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _positive(value: Any, name: str, where: str) -> None:
    if value is not None and not (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _MAX_FLOAT
    ):
        bad(where, f"a positive number for {name}", f"{value!r:.80}")
