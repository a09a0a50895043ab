"""Checkpoints that pofx does not read (quantised, masked, adapters, …), recognised by name, with the next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.models.pretrained.checkpoint.config_fields import bad
from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor

POINTER = b"version https://git-lfs.github.com/spec/"
CAUSAL = ("ForCausalLM", "LMHeadModel")
# Types that read in both directions unless the config has `is_decoder`, and types that do not read from left to right. The
# library calls the classes of all these types causal, so its tables do not show the difference.
_TWO_WAY = (
    "bert bert-generation big_bird camembert data2vec-text electra ernie megatron-bert rembert roberta "
    "roberta-prelayernorm roc_bert roformer xlm-roberta xlm-roberta-xl xmod"
)
TWO_WAY = frozenset(_TWO_WAY.split())
OTHER_ORDER = frozenset(("xlnet", "xlm", "reformer", "prophetnet"))
# Classes that the library calls causal, though they have no distribution of texts.
_NO_TEXT = {
    "musicgen_decoder": "a decoder of sounds, which writes several streams of codes at once",
    "musicgen_melody_decoder": "a decoder of sounds, which writes several streams of codes at once",
    "gemma4_assistant": "an assistant that drafts for another model and reads what that one keeps of a text",
    "gemma4_unified_assistant": "an assistant that drafts for another model and reads what that one keeps of a text",
}
_CHOOSE = "choose a model whose architecture ends in ForCausalLM"
_ROLES = {
    "ForMaskedLM": "a masked language model",
    "ForPreTraining": "a masked language model",
    "ForSequenceClassification": "a classifier of texts",
    "ForTokenClassification": "a classifier of tokens",
    "ForQuestionAnswering": "a reader that points at answers",
    "RewardModel": "a reward model",
    "Model": "a body without a head, as embeddings are made with",
}
# The names of the tensors of each way to quantise, for checkpoints whose config does not name the way.
_MARKS = (
    ("GPTQ", r"\.qweight$", r"\.g_idx$"),
    ("AWQ", r"\.qweight$", r"\.qzeros$"),
    ("bitsandbytes", r"\.weight\.(?:absmax|quant_map|quant_state\.)", ""),
    ("bitsandbytes", r"\.(?:SCB|weight_format)$", ""),
    ("compressed-tensors", r"\.weight_packed$", ""),
    ("AQLM", r"\.codebooks$", ""),
    ("HQQ", r"\.W_q$", ""),
    ("EXL2", r"\.q_weight$", ""),
    ("EXL3", r"\.trellis$", ""),
    ("MXFP4", r"_blocks$", r"_scales$"),
    ("MLX", r"\.scales$", r"\.biases$"),
)
_METHODS = {
    "gptq": "GPTQ",
    "awq": "AWQ",
    "bitsandbytes": "bitsandbytes",
    "mxfp4": "MXFP4",
    "fp8": "FP8",
    "hqq": "HQQ",
    "aqlm": "AQLM",
}
_OLD_NOTES = {"quantize_config.json": "GPTQ", "quant_config.json": "AWQ", "hf_quant_config.json": "ModelOpt"}


def check_kind(config: Mapping[str, Any], where: str, library_class: str | None) -> None:
    """Raise `BadSource` unless a config describes a causal language model.

    Args:
        config: The config.
        where: The file, for messages.
        library_class: The causal class of the model type in `transformers`; None where nobody looked for the class.
    """
    kind, made = config.get("model_type"), config.get("architectures")
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", kind):
        bad(where, "the model_type of a causal language model", repr(kind))
    if made is not None and not (isinstance(made, list) and made and all(isinstance(a, str) for a in made)):
        bad(where, "a list of names for architectures", f"{made!r:.80}")
    if config.get("is_encoder_decoder"):
        bad(
            where,
            "a model that reads from left to right only",
            f"{kind!r}, an encoder-decoder, which has p(text | input) but no p(text)",
            _CHOOSE,
        )
    if kind in OTHER_ORDER:
        bad(where, "a model that reads from left to right only", f"{kind!r}, which does not", _CHOOSE)
    if kind in _NO_TEXT:
        bad(where, "a causal language model", f"{kind!r}, {_NO_TEXT[kind]}", "choose a model of texts")
    names = made or []
    causal = any(a.endswith(CAUSAL) or a == library_class for a in names)
    if (kind in TWO_WAY and config.get("is_decoder") is not True) or (
        not causal and any(a.endswith(("ForMaskedLM", "ForPreTraining")) for a in names)
    ):
        bad(
            where,
            "a causal language model",
            f"a masked language model ({kind!r}), which reads in both directions and has no p of a text",
            _CHOOSE,
        )
    if names and not causal:
        role = next((what for end, what in _ROLES.items() if names[0].endswith(end)), None)
        found = f"{names!r:.90}" + (f", {role}" if role else "")
        bad(
            where,
            "an architecture that ends in ForCausalLM or LMHeadModel",
            found,
            "choose a causal language model of the same family",
        )
    _check_distribution(config, where)


def _check_distribution(config: Mapping[str, Any], where: str) -> None:
    """Raise `BadSource` where a config leaves the distribution open, or where the library ignores a field."""
    if config["model_type"] == "xmod":
        languages, chosen = config.get("languages") or ["en_XX"], config.get("default_language")
        if not isinstance(languages, list) or chosen not in languages:
            bad(
                where,
                "the language of texts for default_language",
                f"{chosen!r:.60}",
                f"write one of these languages: {languages!r:.120}",
            )
    if config["model_type"] == "dbrx" and isinstance(config.get("attn_config"), Mapping):
        declared = config["attn_config"].get("rope_theta")
        read = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta") or 10000.0
        if declared is not None and declared != read:
            bad(
                where,
                f"the same rope_theta in attn_config and at the top, where transformers reads it, {read!r:.20}",
                f"{declared!r:.20}",
                f'write "rope_theta": {declared!r:.20} beside "model_type"',
            )


def check_floats(config: Mapping[str, Any], directory: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Raise `BadSource` where the config, a file beside the config, or the tensors show that weights are quantised."""
    declared = _by_config(config)
    if declared is None:
        declared = _by_tensors(tensors)
        note = next((m for n, m in _OLD_NOTES.items() if (directory / n).is_file()), None)
        if declared is not None and note is not None:
            declared = note
    if declared is not None:
        raise BadSource(
            f"{directory}: expected weights as floats, got weights quantised by {declared}, which only its own "
            "kernels read",
            "name the original checkpoint, or a GGUF file of it",
        )


def check_no_pointer(path: Path) -> None:
    """Raise `BadSource` where a file is a pointer of Git LFS, which stands for a file that is not fetched yet."""
    if not path.is_file():
        return
    with path.open("rb") as f:
        if f.read(len(POINTER)) == POINTER:
            raise BadSource(
                f"{path}: expected the file itself, got the pointer that Git LFS left in its place",
                "fetch the file in its directory: git lfs pull",
            )


def unknown_layout(directory: Path) -> str | None:
    """Return the kind of a directory without config.json, and the next step; None for an unknown kind."""
    names = {p.name for p in directory.iterdir()}
    if "model_index.json" in names:
        return "a pipeline that makes images (model_index.json); name the directory of a language model"
    if "params.json" in names:
        return (
            "a checkpoint in its maker's own layout (params.json); take the version with config.json, or convert it with "
            "the script that transformers has for the model"
        )
    if any(n.endswith((".safetensors", ".bin", ".pth", ".nemo")) for n in names):
        return "weights without config.json; copy or download the model's whole directory"
    if "tokenizer.json" in names or "tokenizer.model" in names:
        return "a tokenizer without its model; copy or download the model's whole directory"
    return None


def _by_config(config: Mapping[str, Any]) -> str | None:
    for key in ("quantization_config", "compression_config", "quantization"):
        declared = config.get(key)
        if declared is None:
            continue
        if not isinstance(declared, dict):
            return f"{declared!r:.40}"
        method = declared.get("quant_method") or declared.get("quant_algo")
        if isinstance(method, str):
            return _METHODS.get(method.lower(), method)[:40]
        if declared.get("load_in_4bit") or declared.get("load_in_8bit"):
            return "bitsandbytes"
        if "bits" in declared:
            return f"MLX ({declared['bits']!r:.20} bits)"
        return "an unknown method"
    return None


def _by_tensors(tensors: Mapping[str, StoredTensor]) -> str | None:
    eight = next((n for n, t in tensors.items() if t.dtype.startswith("F8")), None)
    if eight is not None:
        return f"FP8 ({eight[:80]!r})"
    packed = [n for n, t in tensors.items() if t.dtype[0] in "IU"]
    if not packed:
        return None
    for method, mark, beside in _MARKS:
        found = next((n for n in tensors if re.search(mark, n)), None)
        if found is not None and (not beside or any(re.search(beside, n) for n in tensors)):
            return f"{method} ({found[:80]!r})"
    weight = next((n for n in packed if n.endswith("weight")), None)
    return None if weight is None else f"an unknown method ({weight[:80]!r} is {tensors[weight].dtype})"
