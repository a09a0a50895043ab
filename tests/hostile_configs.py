"""Wrong values for the fields of a config.json, and log p of a model that was read all the same."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained

IDS = [0, 9, 70, 33, 12]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2.5,
    10**9,
    -(10**9),
    float("inf"),
    float("nan"),
    "",
    "x",
    "1",
]
VALUES += ["org/name", [], [1], ["a"], [None], [[1]], {}, {"a": 1}]
# Fields that published configs have beside those that the library writes.
_MORE = (
    "bos_token_id eos_token_id pad_token_id rope_scaling rope_theta sliding_window layer_types head_dim "
    "max_window_layers sliding_window_pattern no_rope_layers partial_rotary_factor torch_dtype quantization_config "
    "quantization text_config per_layer_config fusion_config id2label num_labels is_decoder is_encoder_decoder auto_map "
    "use_bidirectional_attention attn_temperature_tuning n_ctx original_max_position_embeddings"
)
MORE = _MORE.split()


def law(home: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lm = read_pretrained(check_checkpoint(home), None, "float32", None)
        return lm.forward([IDS], skip=1).logp[0]
