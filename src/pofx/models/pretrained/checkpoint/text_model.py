"""The text model inside a multimodal checkpoint, whose tensors get the names of a model by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pofx.errors import require
from pofx.models.pretrained.checkpoint.config_check import library_class, without_code
from pofx.models.pretrained.checkpoint.config_fields import bad, check_fields
from pofx.models.pretrained.checkpoint.library_calls import library_call, library_config
from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor

# Wrappers whose logits of a text alone equal those of their language model. The library has no such list, so a test compares
# each wrapper with its language model.
WRAPPERS = ("gemma3", "gemma3n", "gemma4", "llama4", "llava", "mistral3", "qwen3_5", "qwen3_5_moe")
_TEXT = "text_config"
# The beginnings of old and new names of the language model's tensors, in place of those of a model by itself.
_BODY = re.compile(r"^(?:model\.language_model\.|language_model\.model\.)")
_HEAD = re.compile(r"^language_model\.(?=lm_head\.)")
# Tensors of the other parts. Any further tensor stays, and is refused as a tensor without a place.
_OTHER = re.compile(
    r"^(?:model\.)?(?:vision_tower|vision_model|vision_embedder|visual|multi_modal_projector|embed_vision|audio_tower|"
    r"embed_audio|image_newline)\b|^mtp\."
)
# Fields of texts that the wrapper's config may have in place of its language model's config.
_SHARED = ("bos_token_id", "eos_token_id", "pad_token_id", "tie_word_embeddings")


def is_wrapper(config: Mapping[str, Any]) -> bool:
    """Return whether a config describes a language model inside a model of several kinds of input."""
    kind = config.get("model_type")
    if not isinstance(config.get(_TEXT), dict) or not isinstance(kind, str):
        return False
    return kind in WRAPPERS or library_class(kind) is None


def text_config(config: Mapping[str, Any], directory: Path, where: str) -> dict[str, Any]:
    """Return the full config of the inner language model; published configs leave out the defaults of the library."""
    kind, text = config.get("model_type"), config[_TEXT]
    check_fields(config, where)
    inner = text.get("model_type")
    made = library_class(inner) if isinstance(inner, str) else None
    if kind not in WRAPPERS or made is None:
        bad(
            where,
            "a language model, or one of the wrappers whose language model is known to stand alone",
            f"{kind!r:.60} with a text model of type {inner!r:.60}",
            "save the language model by itself, or name a GGUF file of the language model",
        )
    require("transformers", "hf", "a model within another")
    fields = {k: config[k] for k in _SHARED if config.get(k) is not None} | without_code(text)
    # The wrapper's values of these fields win, since the library builds the head from them.
    fields |= {k: config[k] for k in ("eos_token_id", "tie_word_embeddings") if config.get(k) is not None}
    with library_call(directory):
        full: dict[str, Any] = library_config(inner, fields).to_dict()
    return {**full, "architectures": [made], "model_type": inner}


def text_tensors(tensors: Mapping[str, StoredTensor]) -> Mapping[str, StoredTensor]:
    """Return the language model's tensors under the names of a model that is saved by itself."""
    out = {
        _HEAD.sub("", _BODY.sub("model.", name)): stored
        for name, stored in tensors.items()
        if not _OTHER.search(name)
    }
    return MappingProxyType(out)
