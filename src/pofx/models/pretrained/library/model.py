"""The library's model, built from exactly the tensors that were checked."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import torch

from pofx.models.pretrained.checkpoint.config_check import library_class, without_code
from pofx.models.pretrained.checkpoint.library_calls import library_call, library_config, library_logits
from pofx.models.pretrained.checkpoint.rules import Checkpoint
from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor
from pofx.models.pretrained.checkpoint.weights import check_finite
from pofx.models.pretrained.inference.context_length import use_long_factors

# Tables of zeros and ones or of angles, which older versions of the library stored and newer versions compute. A mask has
# four axes, so the bias of an attention, which has one axis, is never taken for a mask.
_COMPUTED = re.compile(
    r"(?:^|\.)(?:attn|attention|self_attn|crossattention)(?:\.attention)?\.(?:bias|masked_bias|causal_mask|embed_positions)$"
    r"|(?:^|\.)rotary_emb\.(?:inv_freq|cos_cached|sin_cached)$|(?:^|\.)(?:position_ids|token_type_ids)$"
)

_OTHER = "use the config.json that was saved with these weights"


def read_model(checkpoint: Checkpoint, dtype: torch.dtype, rope: str = "short") -> Any:
    """Return the library's model of a checkpoint, in evaluation mode: its own class, and the tensors of the checkpoint.

    Args:
        checkpoint: The checked files.
        dtype: The dtype of the weights.
        rope: "long" takes the long factors of `longrope` for texts of all lengths.

    Raises:
        BadSource: A weight is not finite, a place has no tensor, a tensor has no place, or the library refuses the files.
    """
    require("transformers", "hf", "a pretrained model")
    check_finite(checkpoint)
    fields = without_code(checkpoint.config)
    with library_call(checkpoint.directory):
        made = library_config(checkpoint.config["model_type"], fields)
    if rope == "long":
        use_long_factors(made, str(checkpoint.directory))
    kind = _class_for(checkpoint.config["model_type"])
    with ExitStack() as open_files:
        slices = _slices(checkpoint, open_files)
        with library_call(checkpoint.directory):
            model, found = kind.from_pretrained(
                None,
                config=made,
                state_dict=slices,
                dtype=dtype,
                ignore_mismatched_sizes=True,  # the error below names these tensors
                local_files_only=True,
                output_loading_info=True,
            )
    # The library fills missing weights with random numbers, and drops tensors without a place, with a warning at most.
    lacking = sorted([*found["missing_keys"], *(str(name) for name, *_ in found["mismatched_keys"])])
    if lacking:
        raise BadSource(
            f"{checkpoint.directory}: expected a tensor for each weight of a {type(model).__name__}, got "
            f"no fitting tensor for {first_names(lacking)}",
            _OTHER,
        )
    left = sorted(k for k in found["unexpected_keys"] if not _computed(k, checkpoint.tensors))
    if left:
        raise BadSource(
            f"{checkpoint.directory}: expected the weights of a {type(model).__name__}, got tensors without "
            f"a place in it: {first_names(left)}",
            _advice(left),
        )
    model.eval().requires_grad_(False)
    with torch.inference_mode():
        # The first forward pass shows bad sizes that the weights do not show, such as a window of 0.
        library_logits(model, torch.zeros((1, 2), dtype=torch.int64), checkpoint.directory)
    return model


def first_names(names: Sequence[str], most: int = 3) -> str:
    """Return the first few of many names, for a message."""
    shown = ", ".join(n[:80] for n in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _class_for(kind: str) -> Any:
    """Return the library's causal class of a model type, and never the code of a model."""
    import transformers

    name = library_class(kind)
    assert name is not None  # noqa: S101  (ours: `check_config` refuses a type without a class)
    return getattr(transformers, name)


def _slices(checkpoint: Checkpoint, open_files: ExitStack) -> dict[str, Any]:
    """Return each tensor in its file, unread, by its name, since the library itself might choose another file."""
    from safetensors import safe_open

    with library_call(checkpoint.directory):
        files = {f: open_files.enter_context(safe_open(f, framework="pt")) for f in checkpoint.files}
        return {name: files[t.file].get_slice(t.name) for name, t in checkpoint.tensors.items()}


def _computed(name: str, tensors: Mapping[str, StoredTensor]) -> bool:
    if not _COMPUTED.search(name):
        return False
    # The library may put a name before the stored name.
    stored = next((t for n, t in tensors.items() if name == n or name.endswith(f".{n}")), None)
    return not name.endswith(".bias") or (stored is not None and len(stored.shape) == 4)


def _advice(left: Sequence[str]) -> str:
    if any("lora_" in name for name in left):
        return "merge the adapter into the model first (peft: merge_and_unload)"
    return f"{_OTHER}, or save the model without these tensors"
