"""Every field of a config.json by every wrong type and value: the model is read as it is, or refused by one line."""

from __future__ import annotations

import json
import random
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from hostile_configs import MORE, VALUES, law
from pofx.errors import BadSource
from pofx.models.pretrained.checkpoint.config_check import check_config
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.checkpoint.text_model import WRAPPERS
from pofx.models.pretrained.library.body import quiet
from refusals import decided, refusal
from tiny_checkpoints import write


def changed(home: Path, base: dict[str, Any], field: str, value: Any) -> None:
    (home / "config.json").write_text(json.dumps(base | {field: value}))


@pytest.mark.thorough
@pytest.mark.parametrize(("family", "loads"), [("llama", 25), ("gpt2", 15), ("gemma3", 15), ("qwen2", 10)])
def test_any_value_of_any_field(family: str, loads: int, tmp_path: Path) -> None:
    """A sample of them at the door, and some of those that pass it down to numbers. Other exceptions are faults."""
    home = write(tmp_path / "m", family)
    base = json.loads((home / "config.json").read_text())
    chance = random.Random(family)
    cases = chance.sample([(field, value) for field in sorted({*base, *MORE}) for value in VALUES], 300)
    passed = []
    for field, value in cases:
        changed(home, base, field, value)
        if decided(lambda: check_checkpoint(home)) is not None:
            passed.append((field, value))
    assert len(cases) / 6 < len(passed) < len(cases)
    for field, value in chance.sample(passed, loads):
        changed(home, base, field, value)
        got = decided(lambda: law(home))
        assert got is None or np.isfinite(got).all(), (field, value)


# By the field that must be named. The library's own validation names those after the first line.
NAMED: list[tuple[str, Any]] = [
    ("eos_token_id", "1"),
    ("eos_token_id", 1.0),
    ("eos_token_id", -2),
    ("eos_token_id", [1, "2"]),
    ("eos_token_id", True),
    ("bos_token_id", "<s>"),
    ("bos_token_id", [1]),
    ("max_position_embeddings", 0),
    ("max_position_embeddings", 1),
    ("max_position_embeddings", "64"),
    ("sliding_window", -1),
    ("decoder_layers", 10**9),
    ("vision_config", 3),
    ("hidden_act", 3),
    ("rms_norm_eps", None),
    ("num_attention_heads", None),
    ("intermediate_size", None),
    ("intermediate_size", [24, 24]),
    ("rope_theta", 10**300),
    ("no_rope_layers", [1]),
    ("rope_scaling", {"rope_type": "linear"}),
    ("rope_scaling", {"rope_type": 3}),
    ("use_cache", "yes"),
    # By the library.
    ("max_position_embeddings", None),
    ("initializer_range", None),
    ("initializer_range", "x"),
    ("attention_dropout", "x"),
]


def test_the_field_is_named(tmp_path: Path) -> None:
    home = write(tmp_path / "m", "llama")
    base = json.loads((home / "config.json").read_text())
    for field, value in NAMED:
        changed(home, base, field, value)
        said = refusal(home, law)
        assert field in said, (field, value)
        assert re.search("; (correct|write|compare|use) ", said), said


def test_a_name_that_the_library_does_not_know_is_shown(tmp_path: Path) -> None:
    home = write(tmp_path / "m", "llama")
    base = json.loads((home / "config.json").read_text())
    for field, value in (("hidden_act", "nope"), ("rope_parameters", {"rope_type": "su", "rope_theta": 1e4})):
        changed(home, base, field, value)
        assert "an unknown name" in (said := refusal(home, law)), said
        assert "KeyError" not in said


def test_ids_of_other_files_are_left_to_be_weighed(tmp_path: Path) -> None:
    """Whether an id is that of an EOS is not a question of types: any that a vocabulary could have passes."""
    home = write(tmp_path / "m", "llama")
    base = json.loads((home / "config.json").read_text())
    for value in (None, 0, 261, [261, 1], [], 9_999_999, -1):
        changed(home, base, "eos_token_id", value)
        assert check_checkpoint(home)


@pytest.mark.thorough
def test_the_defaults_of_every_causal_type_pass() -> None:
    """What the library itself writes is believed; the types that it has as wrappers or in another order are known."""
    refused = []
    for kind, made in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.items():
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            try:
                config = json.loads(CONFIG_MAPPING[kind]().to_json_string(use_diff=False))
            except Exception:  # noqa: S112  (a type without defaults)
                continue
        decoder = {"is_decoder": True} if "is_decoder" in config else {}
        config |= {"architectures": [made], "model_type": kind, "is_encoder_decoder": False} | decoder
        try:
            check_config(config, kind)
        except BadSource:
            refused.append(kind)
    others = {"xlnet", "xlm", "reformer", "prophetnet", "xmod", "gemma4_unified_assistant"}
    assert {k for k in refused if k not in WRAPPERS} <= others


def test_fields_that_decide_nothing_do_not_reach_the_library(tmp_path: Path) -> None:
    """10^9 labels of a classifier took it minutes and all memory."""
    home = write(tmp_path / "m", "llama")
    base = json.loads((home / "config.json").read_text())
    want = law(home)
    changed(home, base, "num_labels", 10**9)
    assert np.array_equal(law(home), want)
