"""Checkpoint directories: what is let pass, and every way to be refused, without a library that could be hurt."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pofx.models.pretrained.checkpoint.rules import Checkpoint, check_checkpoint
from refusals import decided, refusal

WIDTH, ROWS, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 8, 11, 2, 4, 2, 2
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": ROWS,
    "hidden_size": WIDTH,
    "intermediate_size": 12,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_DIM,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "tie_word_embeddings": True,
    "eos_token_id": [1, 2],
    "dtype": "float32",
}


def tensors() -> dict[str, np.ndarray[Any, Any]]:
    out = {
        "model.embed_tokens.weight": np.ones((ROWS, WIDTH), np.float32),
        "model.norm.weight": np.ones(WIDTH, "f4"),
    }
    for i in range(LAYERS):
        at = f"model.layers.{i}.self_attn"
        out[f"{at}.q_proj.weight"] = np.ones((HEADS * HEAD_DIM, WIDTH), np.float32)
        for which in "kv":
            out[f"{at}.{which}_proj.weight"] = np.ones((KV_HEADS * HEAD_DIM, WIDTH), np.float16)
    return out


def checkpoint(home: Path, **changes: Any) -> Path:
    """A small good one; a change to None takes a key out of its config."""
    home.mkdir(exist_ok=True)
    config = {k: v for k, v in (CONFIG | changes).items() if v is not None}
    (home / "config.json").write_text(json.dumps(config))
    (home / "tokenizer.json").write_text("{}")
    (home / "tokenizer_config.json").write_text('{"bos_token": null}')
    save_file(tensors(), home / "model.safetensors")
    return home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return checkpoint(tmp_path / "model")


def test_a_good_one(home: Path) -> None:
    found = check_checkpoint(str(home))
    assert isinstance(found, Checkpoint)
    assert (found.directory, found.files) == (home, (home / "model.safetensors",))
    assert found.config["hidden_size"] == WIDTH
    assert found.tensors.keys() == tensors().keys()
    raw = (home / "model.safetensors").read_bytes()
    for name, want in tensors().items():
        t = found.tensors[name]
        dtype = {"F32": np.float32, "F16": np.float16}[t.dtype]
        got = np.frombuffer(raw[t.start : t.start + t.size], dtype).reshape(t.shape)
        np.testing.assert_array_equal(got, want)
    with pytest.raises(AttributeError):
        found.files = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.config["hidden_size"] = 9  # type: ignore[index]


def test_neither_torch_nor_transformers_is_asked(home: Path) -> None:
    code = (
        f"from pofx.models.pretrained.checkpoint.rules import check_checkpoint as c\nc({str(home)!r}).fingerprint\n"
        "import sys; print([m for m in ('torch', 'transformers', 'gguf', 'numpy') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr


# --- what decides the numbers ----------------------------------------------------------------------------------------


def test_the_fingerprint_is_of_the_content(home: Path, tmp_path: Path) -> None:
    first = check_checkpoint(home).fingerprint
    assert len(first) == 64
    assert check_checkpoint(home).fingerprint == first
    other = Path(shutil.copytree(home, tmp_path / "copy"))
    assert check_checkpoint(other).fingerprint == first, "the place does not matter"
    (other / "README.md").write_text("words")
    assert check_checkpoint(other).fingerprint == first
    seen = {first}
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        raw = (home / name).read_bytes()
        new = raw + b" " if name.endswith(".json") else raw[:-1] + b"\x01"
        shutil.copytree(home, other, dirs_exist_ok=True)
        (other / name).write_bytes(new)
        seen.add(check_checkpoint(other).fingerprint)
    assert len(seen) == 4
    for name in ("tokenizer_config.json", "special_tokens_map.json"):  # they name control tokens
        shutil.copytree(home, other, dirs_exist_ok=True)
        (other / name).write_text('{"eos_token": "the"}')
        seen.add(check_checkpoint(other).fingerprint)
    assert len(seen) == 6


def test_hashes_are_paid_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pofx.files import cache

    read: list[str] = []
    plain = cache._digest
    monkeypatch.setattr(cache, "_digest", lambda p: (read.append(p.name), plain(p))[1])
    with monkeypatch.context() as later:  # as if the files had been written long ago
        later.setattr(cache, "_RACY", -1)
        first = check_checkpoint(home).fingerprint
        assert sorted(read) == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        assert check_checkpoint(home).fingerprint == first
        assert len(read) == 4
    # Another content of the same size, at another time: seen.
    raw = (home / "model.safetensors").read_bytes()
    (home / "model.safetensors").write_bytes(raw[:-1] + b"\x01")
    assert check_checkpoint(home).fingerprint != first
    assert read[4:] == ["model.safetensors"]
    # It was changed just now, and may be changed again within a tick of the clock: not remembered.
    check_checkpoint(home).fingerprint  # noqa: B018
    assert read[4:] == ["model.safetensors"] * 2


def test_a_card_is_believed_in_the_cache_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pofx.files.cache import cache_dir, keep_model

    plain = check_checkpoint(home).fingerprint
    (home / "pofx-gguf.json").write_text(json.dumps({"sha256": "a" * 64}))
    assert check_checkpoint(home).fingerprint == plain
    kept = keep_model("from-a-gguf", 10**4, lambda part: shutil.copytree(home, part, dirs_exist_ok=True))  # type: ignore[arg-type,return-value]
    assert kept.parent.parent == cache_dir()
    assert check_checkpoint(kept).fingerprint != plain
    shutil.rmtree(kept)


# --- files -----------------------------------------------------------------------------------------------------------


def without(name: str) -> Callable[[Path], object]:
    return lambda home: (home / name).unlink()


def renamed(old: str, new: str) -> Callable[[Path], object]:
    return lambda home: (home / old).rename(home / new)


def two_files(home: Path) -> None:
    (home / "model.safetensors").rename(home / "a.safetensors")
    shutil.copy(home / "a.safetensors", home / "b.safetensors")


def holds(name: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda home: (home / name).write_bytes(content.encode() if isinstance(content, str) else content)


def pipe(name: str) -> Callable[[Path], object]:
    def make(home: Path) -> None:
        (home / name).unlink(missing_ok=True)
        os.mkfifo(home / name)

    return make


def sharded(weight_map: dict[str, Any] | None = None, index: Any = None) -> Callable[[Path], object]:
    """Two files and their index; or another index."""

    def make(home: Path) -> None:
        found = tensors()
        names = sorted(found)
        parts = {"a-1.safetensors": names[:3], "a-2.safetensors": names[3:]}
        (home / "model.safetensors").unlink()
        for file, inside in parts.items():
            save_file({n: found[n] for n in inside}, home / file)
        table = {n: file for file, inside in parts.items() for n in inside}
        table |= weight_map or {}
        told = {"weight_map": table} if index is None else index
        (home / "model.safetensors.index.json").write_text(json.dumps(told))

    return make


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (without("config.json"), "config.json"),
    "no weights": (without("model.safetensors"), "got none"),
    "no tokenizer": (without("tokenizer.json"), "save_pretrained"),
    "pickles alone": (renamed("model.safetensors", "pytorch_model.bin"), "pickles"),
    "a .pt alone": (renamed("model.safetensors", "Model.PT"), "pickles"),
    "another framework": (renamed("model.safetensors", "tf_model.h5"), "tf_model.h5"),
    "an adapter": (holds("adapter_config.json", "{}"), "adapter"),
    "config a pipe": (pipe("config.json"), "config.json"),
    "weights a pipe": (pipe("model.safetensors"), "device"),
    "config cut off": (holds("config.json", json.dumps(CONFIG)[:-9]), "JSON"),
    "config a list": (holds("config.json", "[]"), "an array"),
    "config empty": (holds("config.json", b""), "expected a JSON object, got an empty file"),
    "config no UTF-8": (holds("config.json", b'{"a": "\xff"}'), "no UTF-8"),
    "config deep": (holds("config.json", '{"a":' * 100_000 + "1" + "}" * 100_000), "deep"),
    "config of 5 MB": (
        holds("config.json", '{"a": "' + "x" * 5_000_000 + '"}'),
        "of at most 4 MiB, got more: 5,000,009 bytes",
    ),
    "config with a key twice": (
        holds("config.json", '{"model_type": "llama", "model_type": "gpt2"}'),
        "twice",
    ),
    "config with a huge number": (holds("config.json", '{"vocab_size": ' + "9" * 5000 + "}"), "JSON"),
    "tokenizer config deep": (holds("tokenizer_config.json", "[" * 100_000), "deep"),
    "tokenizer config with code": (
        holds("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["t.T", null]}}'),
        "auto_map",
    ),
    "generation config with code": (
        holds("generation_config.json", '{"a": [{"auto_map": {"x": "y"}}]}'),
        "auto_map",
    ),
    "two files without index": (two_files, "index"),
    "index without map": (sharded(index={"metadata": {}}), "weight_map"),
    "index of a list": (sharded(index={"weight_map": ["a"]}), "weight_map"),
    "index of numbers": (sharded({"x": 3}), "names of safetensors"),
    "index out of the directory": (sharded({"x": "../model.safetensors"}), "names of safetensors"),
    "index to the root": (sharded({"x": "/etc/x.safetensors"}), "names of safetensors"),
    "index to a pickle": (sharded({"x": "model.bin"}), "names of safetensors"),
    "index with NUL": (sharded({"x": "a\0.safetensors"}), "names of safetensors"),
    "index to nothing": (sharded({"x": "none.safetensors"}), "No such file"),
    "index of a tensor that is not there": (sharded({"x": "a-1.safetensors"}), "'x'"),
    "index of another file": (sharded({"model.norm.weight": "a-1.safetensors"}), "model.norm.weight"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_directories(name: str, home: Path) -> None:
    how, why = BROKEN[name]
    how(home)
    assert why in refusal(home, check_checkpoint)


def test_sharded_and_oddly_named_ones_are_read(home: Path, tmp_path: Path) -> None:
    single = check_checkpoint(home)
    (home / "model.safetensors").rename(home / "weights.safetensors")
    assert check_checkpoint(home).tensors.keys() == single.tensors.keys()
    (home / "weights.safetensors").rename(home / "model.safetensors")
    (home / "pytorch_model.bin").write_bytes(b"never opened")
    assert check_checkpoint(home).files == (home / "model.safetensors",)
    sharded()(home)
    found = check_checkpoint(home)
    assert [f.name for f in found.files] == ["a-1.safetensors", "a-2.safetensors"]
    assert {n: (t.dtype, t.shape) for n, t in found.tensors.items()} == {
        n: (t.dtype, t.shape) for n, t in single.tensors.items()
    }
    # As a hub's cache lays them out: links to blobs.
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for p in list(home.iterdir()):
        p.rename(blobs / p.name)
        p.symlink_to(blobs / p.name)
    assert check_checkpoint(home).fingerprint == found.fingerprint


# --- config.json -----------------------------------------------------------------------------------------------------

ROPE = {"rope_type": "linear", "rope_theta": 1e4}
CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "code of an unknown type": (
        {"model_type": "never-heard-of", "auto_map": {"AutoModelForCausalLM": "modeling.Evil"}},
        "auto_map",
    ),
    "a kernel of the hub": ({"_attn_implementation": "evil/kernel"}, "_attn_implementation"),
    "a kernel, nested": (
        {"text_config": {"attn_implementation": {"": "evil/kernel@v1:f"}}},
        "implementation",
    ),
    "an experts' kernel": ({"_experts_implementation_internal": "evil/kernel"}, "implementation"),
    "no type": ({"model_type": None}, "model_type"),
    "a type that is none": ({"model_type": 3}, "model_type"),
    "an unknown type": ({"model_type": "never-heard-of"}, "never-heard-of"),
    "a type with a path": ({"model_type": "../llama"}, "model_type"),
    "encoder and decoder": ({"is_encoder_decoder": True}, "left to right"),
    "T5": ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "ForCausalLM"),
    "BERT": ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "both directions"),
    "BERT that claims to be causal": (
        {"model_type": "bert", "architectures": ["BertLMHeadModel"]},
        "both directions",
    ),
    "XLNet": ({"model_type": "xlnet", "architectures": ["XLNetLMHeadModel"]}, "left to right"),
    "a classifier": ({"architectures": ["LlamaForSequenceClassification"]}, "ForCausalLM"),
    "architectures a text": ({"architectures": "LlamaForCausalLM"}, "architectures"),
    "quantised": ({"quantization_config": {"quant_method": "gptq"}}, "GPTQ"),
    "no vocabulary": ({"vocab_size": None}, "vocab_size"),
    "no width": ({"hidden_size": None}, "hidden_size"),
    "no layers": ({"num_hidden_layers": None}, "num_hidden_layers"),
    "layers 0": ({"num_hidden_layers": 0}, "num_hidden_layers"),
    "layers -1": ({"num_hidden_layers": -1}, "num_hidden_layers"),
    "layers 10^9": ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
    "layers true": ({"num_hidden_layers": True}, "num_hidden_layers"),
    "layers 2.0": ({"num_hidden_layers": 2.0}, "num_hidden_layers"),
    "layers a text": ({"num_hidden_layers": "2"}, "num_hidden_layers"),
    "layers 1000, weights of 2": ({"num_hidden_layers": 1000}, "layers"),
    "one layer less": ({"num_hidden_layers": 1}, "layers"),
    "width 10^9": ({"hidden_size": 10**9}, "hidden_size"),
    "width of other weights": ({"hidden_size": 16}, "[11, 16]"),
    "rows 10^12": ({"vocab_size": 10**12}, "vocab_size"),
    "rows of other weights": ({"vocab_size": 12}, "[12, 8]"),
    "heads 0": ({"num_attention_heads": 0}, "heads"),
    "heads that do not divide": (
        {"num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": None},
        "divide",
    ),
    "key-value heads that do not divide": ({"num_key_value_heads": 3}, "divide"),
    "key-value heads 0": ({"num_key_value_heads": 0}, "divide"),
    "heads of other weights": ({"num_attention_heads": 8}, "q_proj"),
    "key-value heads of other weights": ({"num_key_value_heads": 4}, "k_proj"),
    "head_dim of other weights": ({"head_dim": 4}, "proj"),
    "head_dim a list": ({"head_dim": [2]}, "head_dim"),
    "inner width 10^12": ({"intermediate_size": 10**12}, "intermediate_size"),
    "positions 10^12": ({"max_position_embeddings": 10**12}, "max_position_embeddings"),
    "a table of positions squared": (
        {"model_type": "gpt_neo", "architectures": ["GPTNeoForCausalLM"], "max_position_embeddings": 10**6},
        "gpt_neo",
    ),
    "window a text": ({"sliding_window": "4096"}, "sliding_window"),
    "experts 10^9": ({"num_experts": 10**9}, "num_experts"),
    "eps 0": ({"rms_norm_eps": 0}, "rms_norm_eps"),
    "eps a text": ({"rms_norm_eps": "1e-5"}, "rms_norm_eps"),
    "theta NaN": ({"rope_theta": float("nan")}, "rope_theta"),
    "theta infinite": ({"rope_theta": float("inf")}, "rope_theta"),
    "rope a list": ({"rope_parameters": [1]}, "rope_parameters"),
    "rope factor a text": ({"rope_scaling": ROPE | {"factor": "8"}}, "factor"),
    "rope factor -1, nested": ({"rope_parameters": {"full_attention": ROPE | {"factor": -1}}}, "factor"),
    "tied a number": ({"tie_word_embeddings": 1}, "tie_word_embeddings"),
    "layer_types of other layers": ({"layer_types": ["full_attention"]}, "layer_types"),
    "layer_types of numbers": ({"layer_types": [1, 2]}, "layer_types"),
    "cap 0": ({"final_logit_softcapping": 0.0}, "softcapping"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_refused_configs(name: str, tmp_path: Path) -> None:
    changes, why = CONFIGS[name]
    home = checkpoint(tmp_path / "model", **changes)
    assert why in refusal(home, check_checkpoint)


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": None, "head_dim": None, "num_key_value_heads": 2},
        {
            "auto_map": {"AutoModelForCausalLM": "modeling.Evil"},  # passed over: transformers has a class
            "trust_remote_code": True,
            "_attn_implementation": "sdpa",
            "quantization_config": None,
        },
        {
            "rope_parameters": None,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1,
                "high_freq_factor": 4,
                "original_max_position_embeddings": 32,
            },
        },
        {"layer_types": ["full_attention", "sliding_attention"], "sliding_window": 16, "rope_theta": 1e6},
        {"eos_token_id": 3, "pad_token_id": -1, "unheard_of": {"deep": [1, [2, [3]]]}},
    ],
)
def test_configs_that_are_let_pass(changes: dict[str, Any], tmp_path: Path) -> None:
    assert check_checkpoint(checkpoint(tmp_path / "model", **changes))


def test_types_that_only_transformers_knows(tmp_path: Path) -> None:
    changes = {"model_type": "apertus", "architectures": ["ApertusForCausalLM"], "vocab_size": 9}
    assert check_checkpoint(
        checkpoint(tmp_path / "model", **changes)
    )  # whose weights' names are not known here


MUTATIONS = [b"\0", b"\xff", b"[", b"}", b'"', b"-", b"9" * 9, b"null", b"\xff" * 8]


@pytest.mark.thorough
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_mutation_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    home = tmp_path / "model"
    if not home.exists():
        checkpoint(home)
        (home / "good").mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer_config.json"):
            shutil.copy(home / name, home / "good" / name)
    name = data.draw(
        st.sampled_from(["config.json", "model.safetensors", "model.safetensors", "tokenizer_config.json"])
    )
    content = bytearray((home / "good" / name).read_bytes())
    header = 8 + int.from_bytes(content[:8], "little") if name.endswith(".safetensors") else len(content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(header, len(content)) - 1))
        new = data.draw(st.sampled_from(MUTATIONS))
        content[at : at + len(new)] = new
    (home / name).write_bytes(content)
    try:
        decided(lambda: check_checkpoint(home))
    finally:
        shutil.copy(home / "good" / name, home / name)
