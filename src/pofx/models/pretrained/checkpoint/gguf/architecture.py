"""The GGUF models that can be converted without a change of their distribution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from pofx.errors import BadSource
from pofx.models.pretrained.checkpoint.config_fields import HEAD_DIM, HEADS, LAYERS, ROWS, WIDTH, size
from pofx.models.pretrained.checkpoint.gguf.header import ELSE, GgufHeader

# Architectures whose conversion the tests compare with the original weights.
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "gpt2", "phi3", "starcoder2")
# Keys that change the distribution, and that transformers ignores. A file is refused unless its value is a usual one.
_USUAL: Mapping[str, tuple[Any, ...]] = {
    "rope.scaling.type": ("none", "linear"),
    "rope.scaling.attn_factor": (1.0,),
    "rope.freq_base_swa": (10_000.0,),
    "attention.sliding_window_pattern": (),
    "rope.scale_linear": (1.0,),
    "logit_scale": (1.0,),
    "residual_scale": (1.0,),
    "embedding_scale": (1.0,),
    "attention.clamp_kqv": (0.0,),
    "attention.max_alibi_bias": (0.0,),
    "attention.scale": (),
    "attention.causal": (True,),
    "use_parallel_residual": (),
    "expert_count": (0,),
}
# Sizes by which a library divides, or builds layers, before it reads a tensor.
_COUNTS = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "vocab_size",
)
_MOST = 10**9
# Keys that must agree with the config of transformers, which takes these numbers from elsewhere.
_AGREE = {
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
# Layers of the 27B models. No GGUF states their attention scale, and their config would get the scale of smaller models.
_OTHER_SCALE = {"gemma2": 46, "gemma3": 62}


def check_architecture(header: GgufHeader) -> str:
    """Return the architecture of a GGUF file, if it is converted without loss; raise `BadSource` for another."""
    metadata = header.metadata
    name = metadata.get("general.architecture")
    if name not in ARCHITECTURES or not isinstance(name, str):
        refuse(header, f"one of the architectures {', '.join(ARCHITECTURES)}", repr(name))
    if metadata.get("split.count", 1) not in (0, 1):
        refuse(
            header,
            "a whole model",
            f"one of {metadata['split.count']!r} parts",
            "join the parts with llama-gguf-split --merge",
        )
    for key, usual in _USUAL.items():
        found = metadata.get(f"{name}.{key}")
        if found is not None and found not in usual:
            refuse(header, f"no {key}, which the conversion would drop", repr(found))
    for key in _COUNTS:
        found = metadata.get(f"{name}.{key}", 1)
        if type(found) is not int or not 0 < found <= _MOST:
            refuse(header, f"a whole number from 1 to {_MOST:,} for {key}", repr(found))
    blocks = metadata.get(f"{name}.block_count")
    seen = {int(m[1]) for t in header.tensors if (m := re.match(r"blk\.(\d{1,6})\.", t.name))}
    # The number is checked before a library builds so many layers.
    if type(blocks) is not int or seen != set(range(blocks)):
        refuse(header, f"the tensors of {blocks!r:.20} layers (block_count)", f"those of {len(seen)}")
    if blocks == _OTHER_SCALE.get(name):
        refuse(
            header,
            f"a {name} of less than 27B parameters",
            f"{blocks} layers, whose attention scale no GGUF states",
        )
    return name


def check_agreement(header: GgufHeader, config: Mapping[str, Any], n_tokens: int) -> None:
    """Raise `BadSource` where the config that a library made of the metadata contradicts the metadata or the tensors."""
    arch = header.metadata["general.architecture"]
    for key, name in _AGREE.items():
        found = header.metadata.get(f"{arch}.{key}")
        # A window for which the architecture's config has no field would be dropped.
        if (
            found is not None
            and config.get(name) != found
            and not (name == "head_dim" and name not in config)
        ):
            refuse(header, f"{key} {config.get(name)!r}, as its conversion has it", repr(found))
    rotary = header.metadata.get(f"{arch}.rope.dimension_count")
    head_dim = size(config, HEAD_DIM) or (size(config, WIDTH) or 0) // (size(config, HEADS) or 1)
    if rotary not in (None, head_dim):
        refuse(header, f"rotary positions in all {head_dim} dimensions of a head", f"{rotary!r}")
    embedded = next((t.shape for t in header.tensors if t.name == "token_embd.weight"), (0,))
    if size(config, ROWS) != embedded[0] or n_tokens > embedded[0]:
        refuse(header, f"{embedded[0]} tokens, as it has embeddings", f"{n_tokens} and {size(config, ROWS)}")
    if size(config, LAYERS) != header.metadata[f"{arch}.block_count"]:
        refuse(header, f"{header.metadata[f'{arch}.block_count']} layers", repr(size(config, LAYERS)))


def refuse(header: GgufHeader, expected: str, found: str, then: str = ELSE) -> NoReturn:
    """Raise `BadSource` about a GGUF file, with the advice `then`."""
    raise BadSource(f"{header.path}: expected {expected}, got {found:.120}", then)
