"""The weights that are checked, hashed and read are the same ones: every tensor has a place, and is finite."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import pofx
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.checkpoint.source import find_checkpoint
from pofx.models.pretrained.checkpoint.weights import Weights as MappedWeights
from pofx.models.pretrained.files import read_pretrained
from refusals import refusal
from tiny_checkpoints import write

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
Weights = dict[str, torch.Tensor]


def read(home: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_pretrained(check_checkpoint(find_checkpoint(home)), None, "float32", None)


def changed(home: Path, how: Callable[[Weights], object]) -> Path:
    found = load_file(home / SINGLE)
    how(found)
    save_file(found, home / SINGLE, {"format": "pt"})
    return home


def logp(home: Path, ids: list[int]) -> np.ndarray[Any, Any]:
    """log p of ids[1:] by transformers alone, in float64."""
    model = transformers.AutoModelForCausalLM.from_pretrained(home, dtype=torch.float64)
    with torch.inference_mode():
        z = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0], -1)
    return z[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()


def sharded(home: Path, weights: Weights) -> None:
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[:4], "model-00002-of-00002.safetensors": names[4:]}
    for file, inside in parts.items():
        save_file({n: weights[n] for n in inside}, home / file, {"format": "pt"})
    table = {n: file for file, inside in parts.items() for n in inside}
    (home / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": table}))


def test_a_header_of_odd_length(tmp_path: Path) -> None:
    home = write(tmp_path / "m", "llama", seed=1)
    want = read(home).forward([[0, 5, 6]], skip=1).logp[0]
    raw = (home / SINGLE).read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    text = json.dumps(header)
    text += " " * (1 - len(text) % 2)  # so that no tensor begins at a multiple of its item
    assert len(text) % 2
    data = raw[8 + int.from_bytes(raw[:8], "little") :]
    (home / SINGLE).write_bytes(len(text).to_bytes(8, "little") + text.encode("ascii") + data)
    np.testing.assert_array_equal(read(home).forward([[0, 5, 6]], skip=1).logp[0], want)


def test_a_file_that_is_cut_after_the_check(tmp_path: Path) -> None:
    home = write(tmp_path / "m", "llama", seed=1)
    checkpoint = check_checkpoint(home)
    last = max(checkpoint.tensors, key=lambda name: checkpoint.tensors[name].start)
    (home / SINGLE).write_bytes((home / SINGLE).read_bytes()[:-100])
    with pytest.raises(pofx.BadSource, match="as it was when it was checked"):
        MappedWeights(checkpoint)[last]


class TestOneSet:
    def test_two_sets_are_refused_naming_both(self, tmp_path: Path) -> None:
        home = write(tmp_path / "m", "llama", seed=1)
        sharded(home, load_file(write(tmp_path / "other", "llama", seed=2) / SINGLE))
        said = refusal(home, check_checkpoint)
        assert "model.safetensors, and the 2 files of model.safetensors.index.json" in said
        (home / SINGLE).unlink()
        shards = check_checkpoint(home).fingerprint
        assert shards != check_checkpoint(write(tmp_path / "again", "llama", seed=1)).fingerprint

    def test_an_index_of_the_one_file_is_one_set(self, tmp_path: Path) -> None:
        home = write(tmp_path / "m", "llama")
        table = dict.fromkeys(load_file(home / SINGLE), SINGLE)
        (home / INDEX).write_text(json.dumps({"weight_map": table}))
        assert [f.name for f in check_checkpoint(home).files] == [SINGLE]

    @pytest.mark.parametrize("family", ["llama", "gpt2"])
    def test_no_other_file_is_read(self, tmp_path: Path, family: str) -> None:
        """The config may name a file, and others may lie beside it; transformers alone would follow the config."""
        home = write(tmp_path / "m", family, seed=1)
        ids = [0, 5, 9, 70, 3]
        want = logp(home, ids)
        other = write(tmp_path / "other", family, seed=2)
        (home / "other.safetensors").write_bytes((other / SINGLE).read_bytes())
        config = json.loads((home / "config.json").read_text())
        (home / "config.json").write_text(json.dumps(config | {"transformers_weights": "other.safetensors"}))
        assert not np.allclose(logp(home, ids), want, atol=0.1), "transformers reads the other file"
        assert np.abs(read(home).forward([ids], skip=1).logp[0] - want).max() < 1e-5

    def test_the_shards_are_what_is_read(self, tmp_path: Path) -> None:
        home = write(tmp_path / "m", "gpt2", seed=1)
        ids = [0, 5, 9, 70, 3]
        want = logp(home, ids)
        weights = load_file(home / SINGLE)
        (home / SINGLE).unlink()
        sharded(home, weights)
        assert np.abs(read(home).forward([ids], skip=1).logp[0] - want).max() < 1e-5


def lora(weights: Weights) -> None:
    weights["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"] = torch.ones(2, 16)


UNPLACED: dict[str, tuple[str, str, Callable[[Weights], object]]] = {
    "lora": ("llama", "lora_A", lora),
    "lora of a library model": ("gpt2", "lora_A", lora),
    "a head bias": ("llama", "lm_head.bias", lambda w: w.update({"lm_head.bias": torch.ones(272)})),
    "a bias of attention": (
        "gpt2",
        "ln_x.bias",
        lambda w: w.update({"transformer.ln_x.bias": torch.ones(16)}),
    ),
    "a bias that is no mask": (
        "llama",
        "self_attn.bias",
        lambda w: w.update({"model.layers.0.self_attn.bias": torch.ones(16)}),
    ),
}


class TestPlaces:
    @pytest.mark.parametrize("name", UNPLACED)
    def test_a_tensor_without_a_place_is_named(self, tmp_path: Path, name: str) -> None:
        family, why, how = UNPLACED[name]
        home = write(tmp_path / "m", family)
        assert why in refusal(changed(home, how), read)

    def test_an_adapter_is_told_from_a_model(self, tmp_path: Path) -> None:
        home = tmp_path / "adapter"
        home.mkdir()
        (home / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base"}))
        (home / "adapter_model.safetensors").write_bytes(b"")
        said = refusal(home, pofx.load)
        assert "an adapter to 'org/base'" in said
        assert "merge_and_unload" in said
        write(home, "llama")  # and with the model beside it, whose numbers alone are not the adapter's
        assert "an adapter to 'org/base'" in refusal(home, pofx.load)

    def test_tables_that_the_library_computes_are_no_weights(self, tmp_path: Path) -> None:
        """Older versions stored them: angles, causal masks, positions."""
        ids = [0, 5, 9, 70, 3]
        llama = write(tmp_path / "llama", "llama")
        want = logp(llama, ids)
        old = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(2) for i in range(2)}
        assert (
            np.abs(read(changed(llama, lambda w: w.update(old))).forward([ids], skip=1).logp[0] - want).max()
            < 1e-5
        )
        gpt2 = write(tmp_path / "gpt2", "gpt2")
        want = logp(gpt2, ids)
        mask = torch.ones(64, 64).tril()[None, None].to(torch.uint8)
        old = {f"transformer.h.{i}.attn.bias": mask.clone() for i in range(2)}
        old |= {f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4) for i in range(2)}
        assert (
            np.abs(read(changed(gpt2, lambda w: w.update(old))).forward([ids], skip=1).logp[0] - want).max()
            < 1e-5
        )

    @pytest.mark.parametrize("family", ["gptj", "gpt_neo", "gpt2"])
    def test_tables_under_names_without_a_prefix(self, tmp_path: Path, family: str) -> None:
        """As a body saved by itself has them."""
        few = {"vocab_size": 272, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": 1}
        configs = {
            "gptj": transformers.GPTJConfig(**few, n_embd=16, n_layer=1, n_head=2, rotary_dim=4),
            "gpt_neo": transformers.GPTNeoConfig(
                **few, hidden_size=16, num_layers=1, num_heads=2, attention_types=[[["global"], 1]]
            ),
            "gpt2": transformers.GPT2Config(**few, n_embd=16, n_layer=1, n_head=2),
        }
        home = write(tmp_path / "m", "llama")
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(configs[family]).save_pretrained(home)
        ids = [0, 5, 9, 70, 3]
        want = logp(home, ids)
        at = "h.0.attn.attention" if family == "gpt_neo" else "h.0.attn"

        def bare(weights: Weights) -> None:
            for name in list(weights):
                weights[name.removeprefix("transformer.")] = weights.pop(name)
            weights[f"{at}.bias"] = torch.ones(64, 64).tril()[None, None]
            weights[f"{at}.masked_bias"] = torch.tensor(-1e9)

        got = read(changed(home, bare)).forward([ids], skip=1).logp[0]
        assert np.abs(got - want).max() < 1e-5

    @pytest.mark.parametrize("equal", [True, False])
    def test_a_head_stored_beside_tied_embeddings(self, tmp_path: Path, equal: bool) -> None:
        """The library ties the two only if they are equal."""
        home = write(tmp_path / "m", "llama")
        head = load_file(home / SINGLE)["model.embed_tokens.weight"] * (1.0 if equal else 1.5)
        changed(home, lambda w: w.update({"lm_head.weight": head.clone()}))
        ids = [0, 5, 9, 70, 3]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # our own decoder reads it, without falling back
            lm = read_pretrained(check_checkpoint(home), None, "float32", None)
        assert np.abs(lm.forward([ids], skip=1).logp[0] - logp(home, ids)).max() < 1e-5


def put(value: float, name: str) -> Callable[[Weights], object]:
    def how(weights: Weights) -> None:
        weights[name].view(-1)[5] = value

    return how


class TestFinite:
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    @pytest.mark.parametrize(
        ("family", "name"),
        [
            ("llama", "model.layers.1.mlp.up_proj.weight"),
            ("llama", "model.embed_tokens.weight"),
            ("gpt2", "transformer.h.0.mlp.c_fc.bias"),
            ("gpt2", "transformer.wpe.weight"),
        ],
    )
    def test_refused_by_name(self, tmp_path: Path, family: str, name: str, value: float) -> None:
        home = changed(write(tmp_path / "m", family), put(value, name))
        said = refusal(home, read)
        assert f"got {value}" in said
        assert repr(name) in said

    def test_numbers_beyond_float32(self, tmp_path: Path) -> None:
        home = write(tmp_path / "m", "gpt2")
        changed(
            home, lambda w: w.update({"transformer.wpe.weight": w["transformer.wpe.weight"].double() * 1e40})
        )
        assert "got -inf in 'transformer.wpe.weight'" in refusal(home, read)

    def test_rows_of_probability_zero(self, tmp_path: Path) -> None:
        """A bias of -inf in the head is a legitimate way to switch off padding rows; NaN and inf are none."""
        config = transformers.PhiConfig(
            vocab_size=272, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=4
        )
        torch.manual_seed(0)
        home = write(tmp_path / "m", "llama")
        transformers.PhiForCausalLM(config).save_pretrained(home)
        ids = [0, 5, 9, 70, 3]

        def off(value: float) -> Path:
            return changed(home, lambda w: w["lm_head.bias"].__setitem__(slice(265, None), value))

        off(-float("inf"))
        got = read(home).forward([[*ids, 270]], skip=1).logp[0]
        assert np.abs(got[:-1] - logp(home, ids)).max() < 1e-5
        assert got[-1] == -np.inf
        assert "'lm_head.bias'" in refusal(off(float("inf")), read)
        assert "'lm_head.bias'" in refusal(off(float("nan")), read)
