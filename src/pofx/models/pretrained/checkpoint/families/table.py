"""The table of the families that pofx's own decoder computes, and the reading of a config by this table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pofx.models.pretrained.checkpoint.architecture import Architecture
from pofx.models.pretrained.checkpoint.families import alibi, dense, experts, gpt, latent, llama, parallel
from pofx.models.pretrained.checkpoint.families.fields import Fields, NotCovered


@dataclass(frozen=True)
class Family:
    """A family of decoders.

    Attributes:
        read: The reader of its configs, which raises `NotCovered` for a config that pofx's own decoder does not compute.
        defaults: The values of fields that a config may leave out. A field without a value here is then null.
    """

    read: Callable[[Fields], Architecture]
    defaults: Mapping[str, Any]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "llama": Family(llama.read_llama, {}),
        "mistral": Family(llama.read_mistral, llama.MISTRAL),
        "ministral": Family(llama.read_mistral, llama.MISTRAL),
        "qwen2": Family(llama.read_qwen2, llama.QWEN2),
        "qwen3": Family(llama.read_qwen3, llama.QWEN3),
        "gemma": Family(llama.read_gemma, llama.GEMMA),
        "gemma2": Family(llama.read_gemma2, llama.GEMMA2),
        "gemma3_text": Family(llama.read_gemma3, llama.GEMMA3),
        "smollm3": Family(llama.read_smollm3, llama.SMOLLM3),
        "gpt2": Family(gpt.read_gpt2, {}),
        "gpt_neo": Family(gpt.read_gpt_neo, {}),
        "gpt_neox": Family(gpt.read_gpt_neox, {}),
        "opt": Family(gpt.read_opt, {}),
        "bloom": Family(alibi.read_bloom, {}),
        "mpt": Family(alibi.read_mpt, {}),
        "gptj": Family(parallel.read_gptj, {}),
        "falcon": Family(parallel.read_falcon, {}),
        "phi": Family(parallel.read_phi, {}),
        "stablelm": Family(parallel.read_stablelm, parallel.STABLELM),
        "cohere": Family(parallel.read_cohere, parallel.COHERE),
        "cohere2": Family(parallel.read_cohere2, parallel.COHERE2),
        "phi3": Family(dense.read_phi3, dense.PHI3),
        "starcoder2": Family(dense.read_starcoder2, dense.STARCODER2),
        "olmo": Family(dense.read_olmo, {}),
        "olmo2": Family(dense.read_olmo2, {}),
        "olmo3": Family(dense.read_olmo3, dense.OLMO3),
        "granite": Family(dense.read_granite, {}),
        "glm": Family(dense.read_glm, dense.GLM),
        "glm4": Family(dense.read_glm4, dense.GLM),
        "nemotron": Family(dense.read_nemotron, dense.NEMOTRON),
        "exaone4": Family(dense.read_exaone4, dense.EXAONE4),
        "helium": Family(dense.read_helium, dense.HELIUM),
        "arcee": Family(dense.read_arcee, dense.ARCEE),
        "seed_oss": Family(dense.read_seed_oss, dense.SEED_OSS),
        "ernie4_5": Family(dense.read_ernie, dense.ERNIE),
        "mixtral": Family(experts.read_mixtral, experts.MIXTRAL),
        "qwen2_moe": Family(experts.read_qwen2_moe, experts.QWEN2_MOE),
        "qwen3_moe": Family(experts.read_qwen3_moe, experts.QWEN3_MOE),
        "olmoe": Family(experts.read_olmoe, experts.OLMOE),
        "granitemoe": Family(experts.read_granite_moe, experts.GRANITE_MOE),
        "llama4_text": Family(experts.read_llama4, experts.LLAMA4),
        "deepseek_v2": Family(latent.read_deepseek_v2, latent.DEEPSEEK_V2),
        "deepseek_v3": Family(latent.read_deepseek_v3, latent.DEEPSEEK_V3),
        "gpt_oss": Family(experts.read_gpt_oss, experts.GPT_OSS),
    }
)


def architecture(config: Mapping[str, Any]) -> Architecture | None:
    """Read a config.json; return None for a family, a feature or a field that pofx's own decoder does not cover.

    Wrong numbers are worse than slow numbers, so the library `transformers` computes each model for which this is None.

    Right: `architecture(config)` after `check_config`. Wrong: a config inside a config, which `text_config` takes out first.
    """
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        return None
    fields = Fields({**family.defaults, **config})
    try:
        found = family.read(fields)
        fields.finish()
    except NotCovered:
        return None
    # Texts that are longer than this have other rotary positions, and so another distribution.
    longest = [y.rope.longest for y in found.layers if y.rope is not None and y.rope.longest is not None]
    return replace(found, context=min(found.context, *longest)) if longest else found
