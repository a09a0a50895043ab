"""A GGUF file as a checkpoint: against the weights it came from, and against the conversion of transformers."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pofx.models.pretrained.checkpoint.gguf import convert as gguf_convert
from pofx.models.pretrained.checkpoint.gguf.architecture import ARCHITECTURES
from pofx.models.pretrained.checkpoint.gguf.child import make
from pofx.models.pretrained.checkpoint.gguf.convert import convert, converted_size
from pofx.models.pretrained.checkpoint.gguf.header import BLOCKS, read_header
from pofx.models.pretrained.checkpoint.gguf.rope import scaling_divisors
from pofx.models.pretrained.checkpoint.gguf.tokenizer import read_tokens, write_tokenizer
from refusals import decided, refusal
from tiny_gguf import CONTROL, Raw, byte_level, model, pair, row, sentence_pieces, text, write

U32, U64 = struct.Struct("<I"), struct.Struct("<Q")


def put(tmp_path: Path, raw: bytes | Raw, name: str = "m.gguf") -> Path:
    path = tmp_path / name
    path.write_bytes(raw if isinstance(raw, bytes) else raw.bytes())
    return path


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second less for each conversion; `test_gguf_apart.py` has the process."""
    monkeypatch.setattr(gguf_convert, "write_tokenizer_apart", make)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def loaded(directory: Path) -> Any:
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(directory).eval()


def logits(lm: Any, seed: int = 3, n: int = 50) -> np.ndarray[Any, Any]:
    import torch

    ids = torch.from_numpy(np.random.default_rng(seed).integers(0, 263, (2, n)))
    with torch.no_grad():
        found: np.ndarray[Any, Any] = lm(ids).logits.numpy()
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_conversion_gives_back_the_model(architecture: str, tmp_path: Path, out: Path) -> None:
    lm = model(architecture)
    convert(write(tmp_path / "m.gguf", architecture, lm, byte_level()), out, "tiny")
    back = loaded(out)
    for name, weights in lm.state_dict().items():
        # 1 is added to Gemma's norms in the file, and subtracted: one rounding of float32.
        np.testing.assert_allclose(back.state_dict()[name].numpy(), weights.numpy(), rtol=0, atol=1.2e-7)
    np.testing.assert_allclose(logits(back), logits(lm), rtol=0, atol=2e-6)
    assert not np.allclose(logits(back), logits(model(architecture, seed=1)), atol=1e-2)
    assert {p.name for p in out.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "pofx-gguf.json",
    }


@pytest.mark.parametrize(
    ("architecture", "quantise"),
    [
        ("llama", gguf.GGMLQuantizationType.Q4_1),
        ("qwen2", gguf.GGMLQuantizationType.Q8_0),
        ("gemma3", gguf.GGMLQuantizationType.Q5_0),
        ("llama", gguf.GGMLQuantizationType.F16),
        ("qwen3", gguf.GGMLQuantizationType.BF16),
    ],
)
def test_a_conversion_is_that_of_transformers(
    architecture: str, quantise: gguf.GGMLQuantizationType, tmp_path: Path, out: Path
) -> None:
    import torch
    import transformers
    from safetensors.numpy import load_file
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    path = write(tmp_path / "m.gguf", architecture, model(architecture), byte_level("gpt-2"), quantise)
    convert(path, out, "tiny")
    config = transformers.AutoConfig.from_pretrained(tmp_path, gguf_file="m.gguf")
    with torch.device("meta"):
        meta = transformers.AutoModelForCausalLM.from_config(config)
    theirs = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=meta)["tensors"]
    ours = load_file(out / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, weights in theirs.items():
        assert ours[name].dtype == np.float32
        np.testing.assert_array_equal(ours[name], weights.numpy())
    made = transformers.AutoConfig.from_pretrained(out).to_dict()
    for key, value in config.to_dict().items():
        assert key in ("architectures", "dtype", "_name_or_path") or made[key] == value, key
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path, gguf_file="m.gguf")
    tokenizer.save_pretrained(tmp_path / "theirs")
    assert _json(out / "tokenizer.json") == _json(tmp_path / "theirs" / "tokenizer.json")


@pytest.mark.parametrize("kind", [t for t in gguf.quants._type_traits if t.name not in ("BF16",)])
def test_dequantising_in_pieces_changes_no_bit(
    kind: gguf.GGMLQuantizationType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, block_bytes = BLOCKS[kind.value]
    shape = (6, 3 * block)
    raw = np.random.default_rng(0).integers(0, 256, 18 * block_bytes, dtype=np.uint8)
    path = put(tmp_path, Raw(rows=[row("t", (3 * block, 6), kind.value, 0)], data=raw.tobytes()))
    header = read_header(path)
    monkeypatch.setattr(gguf_convert, "_PIECE", 5 * block)
    with np.errstate(all="ignore"):  # random bytes hold inf and nan
        found = gguf_convert._floats(header, header.tensors[0])
        np.testing.assert_array_equal(found, gguf.dequantize(raw.reshape(6, 3 * block_bytes), kind))
    assert found.shape == shape


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_card_keeps_what_the_directory_loses(tmp_path: Path, out: Path) -> None:
    v = byte_level("smollm")
    path = write(tmp_path / "m.gguf", "llama", model("llama"), {**v, "add_bos": True})
    seen: list[tuple[str, float]] = []
    convert(path, out, "the name", lambda stage, fraction: seen.append((stage, fraction)))
    card = _json(out / "pofx-gguf.json")
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (card["size"], card["mtime_ns"]) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert (card["source"], card["add_bos"], card["add_eos"], card["split"]) == (
        "the name",
        True,
        False,
        "smollm",
    )
    assert (card["bos"], card["eos"], card["unk"], card["pad"]) == (v["bos"], v["eos"], None, v["pad"])
    assert card["control"] == [i for i, t in enumerate(v["types"]) if t == CONTROL]
    assert [s for s, f in seen if f == 0.0] == [
        "reading",
        "converting weights",
        "writing",
        "converting the tokenizer",
    ]
    fractions = [f for s, f in seen if s == "converting weights"]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    size = sum(p.stat().st_size for p in out.iterdir())
    assert size < converted_size(path) < 2 * size + (2 << 20)


def tokens_of(directory: Path, s: str) -> list[str]:
    from tokenizers import Tokenizer

    found: list[str] = Tokenizer.from_file(str(directory / "tokenizer.json")).encode(s).tokens
    return found


def test_text_is_split_as_the_model_learned_it(tmp_path: Path, out: Path) -> None:
    """SmolLM2's digits stand alone, so that the line breaks before one are a token; as GPT-2 splits, they are two."""
    lm = model("llama")
    convert(write(tmp_path / "m.gguf", "llama", lm, byte_level("smollm")), out, "tiny")
    assert tokens_of(out, "a\n\n1") == ["a", "ĊĊ", "1"]
    for pre, want in (
        ("gpt-2", ["a", "Ċ", "Ċ", "1"]),
        ("qwen2", ["a", "ĊĊ", "1"]),
    ):
        other = tmp_path / f"out {pre}"
        other.mkdir()
        convert(write(tmp_path / "m.gguf", "llama", lm, byte_level(pre)), other, "tiny")
        assert tokens_of(other, "a\n\n1") == want, pre
        assert _json(other / "tokenizer.json")["model"]["ignore_merges"] is False


def test_pieces_that_are_tokens_are_taken_whole_where_the_model_did(tmp_path: Path, out: Path) -> None:
    v = byte_level("llama-bpe")
    v["tokens"][-3] = "cba"  # in the place of "ab": a token that no merge makes
    v["merges"].pop()
    convert(write(tmp_path / "m.gguf", "llama", model("llama"), v), out, "tiny")
    assert tokens_of(out, "cba") == ["<|im_start|>", "cba"]  # and BOS, which such files need not mention


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_sentence_pieces(add_bos: bool | None, tmp_path: Path, out: Path) -> None:
    v = sentence_pieces()
    v["tokens"] += [f"x{i}" for i in range(2)]
    v["types"] += [1, 5]
    v["scores"] += [-90.0, -91.0]
    n = len(v["tokens"])
    lm = model("llama", vocab_size=n)
    path = write(tmp_path / "m.gguf", "llama", lm, v if add_bos is None else {**v, "add_bos": add_bos})
    convert(path, out, "tiny")
    first = [] if add_bos is False else ["<s>"]
    assert tokens_of(out, "the ab") == [*first, "▁the", "▁a", "b"]
    assert tokens_of(out, "é") == [*first, "▁", "<0xC3>", "<0xA9>"]
    card = _json(out / "pofx-gguf.json")
    assert card["add_bos"] is (add_bos is not False)
    assert (len(card["byte"]), card["unknown"], card["unused"]) == (256, [0], [n - 1])


def test_rotary_scaling_is_kept(tmp_path: Path, out: Path) -> None:
    """Llama 3 as divisors in a tensor, and a linear factor; both are dropped by the conversion of transformers."""
    ropes = {
        "rope_type": "llama3",
        "rope_theta": 500_000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    lm = model("llama", rope_parameters=ropes, max_position_embeddings=128)
    divisors = scaling_divisors(500_000.0, 16, 32.0).astype(np.float32)
    assert divisors.min() == 1.0
    assert divisors.max() == 32.0
    assert 1.0 < np.sort(np.unique(divisors))[1] < 32.0, "a smooth one between, or the test shows too little"
    path = write(tmp_path / "m.gguf", "llama", lm, byte_level(), tensors={"rope_freqs.weight": divisors})
    convert(path, out, "tiny")
    np.testing.assert_allclose(logits(loaded(out)), logits(lm), atol=2e-6)
    assert not np.allclose(logits(lm), logits(model("llama", rope_theta=500_000.0)), atol=1e-4)
    wrong = write(
        tmp_path / "w.gguf", "llama", lm, byte_level(), tensors={"rope_freqs.weight": divisors * 1.01}
    )
    assert "rotary scaling" in refusal(wrong, lambda p: convert(p, out, "tiny"))


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_linear_rotary_scaling_is_kept(architecture: str, tmp_path: Path, out: Path) -> None:
    lm = model(architecture)
    before = dict(lm.config.rope_parameters)
    linear = {"rope_type": "linear", "factor": 8.0}
    full = before.get("full_attention")
    ropes = before | linear if full is None else before | {"full_attention": full | linear}
    lm = (
        model(architecture, rope_parameters=ropes, layer_types=["full_attention"] * 2)
        if full
        else model(architecture, rope_parameters=ropes)
    )
    extra = {f"{architecture}.rope.scaling.type": "linear", f"{architecture}.rope.scaling.factor": 8.0}
    convert(write(tmp_path / "m.gguf", architecture, lm, byte_level(), extra=extra), out, "tiny")
    assert _json(out / "config.json")["rope_parameters"] == ropes


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another architecture": ({"general.architecture": "t5"}, "architectures"),
    "a part": ({"split.count": 3}, "parts"),
    "yarn": ({"llama.rope.scaling.type": "yarn"}, "rope.scaling.type"),
    "experts": ({"llama.expert_count": 8}, "expert_count"),
    "a window llama has not": ({"llama.attention.sliding_window": 64}, "sliding_window"),
    "another head": ({"llama.attention.key_length": 99}, "key_length"),
    "part of a head turned": ({"llama.rope.dimension_count": 8}, "for model|tensor"),
    "a million layers": ({"llama.block_count": 1_000_000}, "1000000 layers"),
    "three layers": ({"llama.block_count": 3}, "3 layers"),
    "no heads": ({"llama.attention.head_count": 0}, "head_count"),
    "heads that do not divide": ({"llama.attention.head_count": 7}, "heads|tensor"),
    "wider": ({"llama.embedding_length": 128}, "shape"),
    "10^7 wide": ({"llama.embedding_length": 10**7}, "hidden_size"),
    "2^31 wide": ({"llama.embedding_length": 1 << 31}, "embedding_length"),
    "more tokens": ({"llama.vocab_size": 264}, "263"),
    "a text for a number": ({"llama.embedding_length": "64"}, "embedding_length"),
    "BOS out of range": ({"tokenizer.ggml.bos_token_id": 263}, "bos_token_id"),
    "another tokenizer": ({"tokenizer.ggml.model": "t5"}, "tokenizer of the model"),
    "an unknown split": ({"tokenizer.ggml.pre": "falcon"}, "'falcon'"),
    "add_bos a number": ({"tokenizer.ggml.add_bos_token": 1}, "add_bos_token"),
}


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("llama")
    return write(home / "m.gguf", "llama", model("llama"), byte_level("gpt-2"))


def changed(path: Path, new: dict[str, Any], to: Path) -> Path:
    """The file with pairs replaced or added."""
    header, raw = read_header(path), path.read_bytes()
    kinds = {bool: (7, "<?"), int: (4, "<I"), float: (6, "<f")}
    pairs = [raw[a:b] for key, (a, b) in header.spans.items() if key not in new]
    for key, value in new.items():
        if isinstance(value, list):
            pairs.append(pair(key, 9, U32.pack(8) + U64.pack(len(value)) + b"".join(map(text, value))))
        elif isinstance(value, str):
            pairs.append(pair(key, 8, text(value)))
        else:
            kind, form = kinds[type(value)]
            pairs.append(pair(key, kind, struct.pack(form, value)))
    rows = [row(t.name, tuple(reversed(t.shape)), t.type, t.start - header.data) for t in header.tensors]
    to.write_bytes(Raw(pairs=pairs, rows=rows, data=raw[header.data :]).bytes())
    return to


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_conversion_would_change_is_refused(name: str, llama: Path, tmp_path: Path, out: Path) -> None:
    new, why = REFUSED[name]
    message = refusal(changed(llama, new, tmp_path / "m.gguf"), lambda p: convert(p, out, "tiny"))
    assert re.search(why, message), message
    assert re.search("; (download|join|use|correct)", message), message  # what to do next


def test_heads_that_turn_in_part_are_refused(tmp_path: Path, out: Path) -> None:
    """Weights have the same shapes either way; only this number tells."""
    lm = model("qwen2")
    for dimensions, good in ((16, True), (8, False)):
        extra = {"qwen2.rope.dimension_count": dimensions}
        path = write(tmp_path / "m.gguf", "qwen2", lm, byte_level(), extra=extra)
        if good:
            convert(path, out, "tiny")
        else:
            assert "rotary positions" in refusal(path, lambda p: convert(p, out, "tiny"))


def test_the_file_itself_is_not_refused(llama: Path, tmp_path: Path, out: Path) -> None:
    convert(changed(llama, {"llama.unknown.key": 3}, tmp_path / "m.gguf"), out, "tiny")
    assert np.array_equal(logits(loaded(out)), logits(model("llama")))


@pytest.mark.parametrize(
    ("key", "change", "why"),
    [
        ("tokenizer.ggml.tokens", lambda v: [*v[:-1], v[0]], "twice"),
        ("tokenizer.ggml.tokens", lambda v: v[:-1], "type and a score|one of 262"),
        ("tokenizer.ggml.tokens", lambda v: [*v[:-1], "x" * 5000], "5000"),
        ("tokenizer.ggml.tokens", lambda v: [], "tokens, got none|a type"),
        ("tokenizer.ggml.merges", lambda v: [*v, "a b c"], "merges"),
        ("tokenizer.ggml.merges", lambda v: [*v, "ab"], "merges"),
        ("tokenizer.ggml.merges", lambda v: [*v, " "], "merges"),
        ("tokenizer.ggml.merges", lambda v: [*v, "z z"], "merges"),
    ],
)
def test_vocabularies_that_contradict_themselves(
    key: str, change: Callable[[list[str]], list[str]], why: str, llama: Path, tmp_path: Path, out: Path
) -> None:
    before = list(read_header(llama).metadata[key])  # type: ignore[arg-type]
    message = refusal(
        changed(llama, {key: change(before)}, tmp_path / "m.gguf"), lambda p: convert(p, out, "t")
    )
    assert re.search(why, message), message


@pytest.mark.parametrize("token", ["<0x-1>", "<0x100>", "<0xg0>", "<0x0>", "0x00"])
def test_byte_tokens_are_bytes(token: str, tmp_path: Path) -> None:
    v = sentence_pieces()
    v["tokens"][5] = token
    path = write(tmp_path / "m.gguf", "llama", model("llama", vocab_size=len(v["tokens"])), v)
    assert "<0x00> to <0xFF>" in refusal(path, lambda p: read_tokens(read_header(p)))


def test_tensors_too_few_or_too_many(tmp_path: Path, out: Path) -> None:
    lm = model("llama")
    odd = {"blk.0.ffn_gate_inp.weight": np.ones((4, 64), np.float32)}
    path = write(tmp_path / "m.gguf", "llama", lm, byte_level(), tensors=odd)
    assert "a place for, got 'blk.0.ffn_gate_inp" in refusal(path, lambda p: convert(p, out, "tiny"))
    header, raw = read_header(path), path.read_bytes()
    for gone in ("output_norm.weight", "blk.1.attn_q.weight", "token_embd.weight"):
        rows = [
            row(t.name, tuple(reversed(t.shape)), t.type, t.start - header.data)
            for t in header.tensors
            if t.name not in (gone, *odd)
        ]
        pairs = [raw[a:b] for a, b in header.spans.values()]
        less = put(tmp_path, Raw(pairs=pairs, rows=rows, data=raw[header.data :]), "less.gguf")
        assert refusal(less, lambda p: convert(p, out, "tiny"))


def test_weights_are_finite(tmp_path: Path, out: Path) -> None:
    import torch

    lm = model("llama")
    with torch.no_grad():
        lm.model.norm.weight[3] = math.nan
    path = write(tmp_path / "m.gguf", "llama", lm, byte_level())
    assert "model.norm.weight" in refusal(path, lambda p: convert(p, out, "tiny"))


def test_what_a_library_raises_is_one_line(llama: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import PreTrainedTokenizerFast

    class PanicException(BaseException):
        """No Exception, like those of Rust."""

    def raising(error: BaseException) -> Any:
        def failing(*_: Any, **__: Any) -> None:
            raise error

        return failing

    monkeypatch.setattr(
        PreTrainedTokenizerFast, "from_pretrained", raising(PanicException("index out\nof bounds"))
    )
    tokens = read_tokens(read_header(llama))
    said = refusal(llama, lambda p: write_tokenizer(p, tokens, 263, out))
    assert "PanicException: index out of bounds" in said
    monkeypatch.setattr(PreTrainedTokenizerFast, "from_pretrained", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_tokenizer(llama, tokens, 263, out)
    monkeypatch.setattr(gguf_convert, "write_tokenizer_apart", raising(TypeError("a mistake of ours")))
    with pytest.raises(TypeError):
        convert(llama, out, "tiny")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_mutation_is_converted_or_refused(data: st.DataObject, llama: Path, tmp_path: Path) -> None:
    header, raw = read_header(llama), bytearray(llama.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(24, header.data - 1))
        raw[at] = data.draw(st.integers(0, 255))
    path = put(tmp_path, bytes(raw), "fuzzed.gguf")
    out = tmp_path / f"o{time.monotonic_ns()}"
    out.mkdir()
    decided(lambda: convert(path, out, "tiny"))
