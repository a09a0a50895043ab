"""The scaling of rotary positions in a GGUF file, which the conversion of transformers drops and pofx keeps.

A file has one of two scalings. "linear" is one factor for all frequencies (Gemma 3 from 4B on, in the layers without a
window). The scaling of Llama 3 has one divisor for each frequency, in the tensor rope_freqs.weight.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pofx.errors import BadSource
from pofx.models.pretrained.checkpoint.gguf.header import GgufHeader

FREQUENCIES = "rope_freqs.weight"
# The parameters with which every Llama 3.1, 3.2 and 3.3 was trained; only the factor differs (8 or 32).
LOW, HIGH, ORIGINAL = 1.0, 4.0, 8192
MAX_FACTOR = 1e4


def linear_scaling(header: GgufHeader, config: Any) -> dict[str, Any] | None:
    """Return the `rope_parameters` of a config with all frequencies divided by the file's factor; None without a factor.

    Right: `linear_scaling(header, config)` after `check_architecture`, which refuses other scalings. Wrong: a file with the
    scaling "yarn".
    """
    arch = header.metadata["general.architecture"]
    factor = header.metadata.get(f"{arch}.rope.scaling.factor")
    if factor in (None, 0.0, 1.0) or header.metadata.get(f"{arch}.rope.scaling.type") == "none":
        return None  # llama.cpp writes 0 for "not scaled", and reads a file without a type as "linear"
    if not isinstance(factor, float) or not 1.0 < factor < MAX_FACTOR:
        raise BadSource(
            f"{header.path}: expected a rotary scaling factor from 1 to {MAX_FACTOR:g}, got {factor!r}",
            "convert the model again",
        )
    linear = {"rope_type": "linear", "factor": factor}
    before: dict[str, Any] = dict(config.rope_parameters)
    if "full_attention" in before:
        return before | {"full_attention": {**before["full_attention"], **linear}}
    return before | linear


def llama3_scaling(header: GgufHeader, divisors: np.ndarray[Any, Any], config: Any) -> dict[str, Any]:
    """Return the `rope_parameters` of a config with the frequencies θ^(−2i/d) / divisors[i].

    The published parameters of Llama 3 must give each divisor to 1e-5; otherwise the function raises `BadSource`.

    Right: the tensor rope_freqs.weight as `divisors`. Wrong: numbers of other scalings, which stand in the metadata.
    """
    theta = float(config.rope_parameters["rope_theta"])
    head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    found = np.asarray(divisors, np.float64).ravel()
    factor = float(found.max(initial=0.0))
    if found.shape == (head_dim // 2,) and 1.0 < factor < MAX_FACTOR:
        factor = float(round(factor)) if abs(factor - round(factor)) < 1e-3 else factor
        wanted = scaling_divisors(theta, head_dim, factor)
        if np.allclose(found, wanted, rtol=1e-5, atol=0):
            return {
                "rope_type": "llama3",
                "rope_theta": theta,
                "factor": factor,
                "low_freq_factor": LOW,
                "high_freq_factor": HIGH,
                "original_max_position_embeddings": ORIGINAL,
            }
    raise BadSource(
        f"{header.path}: expected the rotary scaling of Llama 3 in {FREQUENCIES}, got another scaling, which the "
        "conversion would drop",
        "use the model's own directory",
    )


def scaling_divisors(theta: float, head_dim: int, factor: float) -> np.ndarray[Any, Any]:
    """Return the divisor of each of the head_dim/2 frequencies under the scaling of Llama 3.

    The divisor is 1 for wavelengths under 8192/4, `factor` for wavelengths over 8192, and goes smoothly from 1 to `factor`
    between these two.
    """
    wavelength = 2 * math.pi * theta ** (np.arange(0, head_dim, 2) / head_dim)
    smooth = np.clip((ORIGINAL / wavelength - LOW) / (HIGH - LOW), 0.0, 1.0)
    out: np.ndarray[Any, Any] = 1 / ((1 - smooth) / factor + smooth)
    return out
