"""The check that a config.json describes a causal language model, and is safe for a library.

A config may name Python files (`auto_map`), which are ignored where the library has a class of its own for the model. A
config that names kernels on a hub is refused. Absurd sizes are refused, too, since a library believes the sizes, and
builds a million layers before it reads the weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pofx.errors import BadSource, require
from pofx.models.pretrained.checkpoint.config_fields import (
    HEAD_DIM,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    POSITIONS,
    ROWS,
    WIDTH,
    bad,
    check_fields,
    size,
)
from pofx.models.pretrained.checkpoint.families.table import FAMILIES
from pofx.models.pretrained.checkpoint.kinds import check_kind

# Decoders that need no import of the table of `transformers`, which takes 0.8 s: those of pofx's own decoder, and three
# more. Every other type is looked up in that table (`library_class`). The sizes of the types in this list are compared with
# the weights before anything is loaded.
KNOWN = FAMILIES.keys() | {"gpt_bigcode", "xglm", "codegen"}
# Decoders whose configs always state the number of heads and the size of the MLP.
_STATED = frozenset(["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3"])
_CODE = ("auto_map", "trust_remote_code", "custom_pipelines", "custom_generate")
_MAX_GPT_NEO = 1 << 15  # the library's class makes a table of the square of the positions


def check_config(config: Mapping[str, Any], where: str) -> None:
    """Raise `BadSource` unless `config` describes a causal language model of believable sizes, which runs no code.

    Right: `check_config(read_object(path, MAX_CONFIG), str(path))`. Wrong: this check as a proof that the weights fit, which
    `check_checkpoint` finds out.
    """
    _no_kernels(config, where)
    check_fields(config, where)
    kind = str(config.get("model_type"))
    made = None if kind in KNOWN else library_class(kind)
    check_kind(config, where, made)
    if kind in KNOWN:
        _known_sizes(with_defaults(config), where)
    elif made is None:
        own = any(config.get(key) not in (None, False) for key in _CODE)
        bad(
            where,
            "a model_type with a causal language model in transformers",
            f"{kind!r}" + (", whose own code (auto_map) pofx never runs" if own else ""),
            "choose a model of such a type, or a GGUF file of this model",
        )


def with_defaults(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config with the defaults of its family; a family without defaults of its own leaves the config as it is."""
    family = FAMILIES.get(str(config.get("model_type")))
    return config if family is None else {**family.defaults, **config}


def no_code(config: Mapping[str, Any], where: str) -> None:
    """Raise `BadSource` where a config, or a value inside the config, names code to fetch or run; no option allows code."""
    for key, value in _pairs(config):
        if key in _CODE and value not in (None, False):
            raise BadSource(
                f"{where}: expected files that run no code of their own, got {key!r}: {value!r:.60}; pofx never "
                "runs such code",
                "if tokenizer.json alone reads texts rightly, delete the key",
            )
    _no_kernels(config, where)


def without_code(config: Any) -> Any:
    """Return a copy of a config without the keys that name code, which the library should not see."""
    if isinstance(config, Mapping):
        return {k: without_code(v) for k, v in config.items() if k not in _CODE}
    return [without_code(v) for v in config] if isinstance(config, list | tuple) else config


def library_class(kind: str) -> str | None:
    """Return the name of the causal class of a model type in `transformers`; None for a type without such a class.

    The library's table has the types of whole models. A language model that was saved without the rest of its model has
    another type ("mllama_text_model", beside "mllama"). The class of the whole model may be made for that type.
    """
    auto = require("transformers.models.auto.modeling_auto", "hf", "a model of this type")
    types = require("transformers.models.auto.configuration_auto", "hf", "a model of this type")
    made = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    if made is None and kind in types.CONFIG_MAPPING_NAMES:
        made = auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(types.model_type_to_module_name(kind))
        if isinstance(made, str) and _class(made).config_class is not types.CONFIG_MAPPING[kind]:
            return None
    return made if isinstance(made, str) else None


def _class(name: str) -> Any:
    require("torch", "hf", "a pretrained model")
    return getattr(require("transformers", "hf", "a pretrained model"), name)


def _no_kernels(config: Mapping[str, Any], where: str) -> None:
    for key, value in _pairs(config):
        # "org/name" is a kernel on a hub, which is a program.
        if "_implementation" in str(key) and not _plain(value):
            raise BadSource(
                f"{where}: expected a model that runs no code of its own, got {key!r}: {value!r:.60}; pofx never "
                "runs such code",
                "delete the key",
            )


def _pairs(config: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Return every key with its value, at any depth."""
    todo: list[Any] = [config]
    while todo:
        node = todo.pop()
        if isinstance(node, dict | Mapping):
            yield from node.items()
            todo += node.values()
        elif isinstance(node, list | tuple):
            todo += node


def _plain(value: Any) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(r"[a-z0-9_|]{0,40}", value) is not None)


def _has_head_size(config: Mapping[str, Any]) -> bool:
    """Return whether a config has the size of a head, so that the heads need not divide the width."""
    return bool(size(config, HEAD_DIM) or config.get("kv_lora_rank"))


def _known_sizes(config: Mapping[str, Any], where: str) -> None:
    """Check the sizes that the known families always state, and the relations between these sizes."""
    for names in (LAYERS, WIDTH, ROWS):
        if not size(config, names):
            bad(where, f"a positive {names[0]}", repr(size(config, names)))
    if config["model_type"] in _STATED:
        for needed in (HEADS, HIDDEN):
            if not size(config, needed):
                bad(where, f"a positive {needed[0]}", repr(size(config, needed)))
        if config.get("rms_norm_eps", 1.0) is None:
            bad(where, "a positive number for rms_norm_eps", "None")
    width, heads, kv_heads = (size(config, names) for names in (WIDTH, HEADS, KV_HEADS))
    if heads is not None:
        if heads < 1 or (not _has_head_size(config) and width is not None and width % heads):
            bad(where, f"attention heads that divide {WIDTH[0]} {width}", repr(heads))
        if kv_heads is not None and (kv_heads < 1 or heads % kv_heads) and not config.get("multi_query"):
            bad(where, f"key-value heads that divide the {heads} heads", repr(kv_heads))
    if isinstance(config.get("intermediate_size"), list):
        bad(where, "one intermediate_size for all layers", repr(config["intermediate_size"]))
    if config["model_type"] == "gpt_neo" and (size(config, POSITIONS) or 0) > _MAX_GPT_NEO:
        bad(where, f"at most {_MAX_GPT_NEO} positions of a gpt_neo", repr(size(config, POSITIONS)))
