"""Mistakes of our own come out as they are, beside calls of libraries whose errors are told as the file's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import pofx
import tiny_checkpoints
from pofx.errors import OutOfMemory
from pofx.files.isolated.process import Raised
from pofx.models.pretrained import files
from pofx.models.pretrained.checkpoint.gguf.library import gguf_library_call
from pofx.models.pretrained.checkpoint.library_calls import library_call
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.library import model as library_model
from pofx.models.pretrained.library import reader as library_reader
from pofx.queries.compression import parallel_streams
from pofx.vocab.tokenizer import text as tokenizer_text
from pofx.vocab.tokenizer import vetting
from pofx.vocab.tokenizer import vocabulary as tokenizer_vocabulary
from pofx.vocab.tokenizer.files import tokenizer_json
from pofx.vocab.tokenizer.library_calls import file_call, text_call
from pofx.vocab.tokenizer.text import TextTokenizer
from tiny_checkpoints import write
from toy import ToyLM

NO_MEMORY = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
)


def bug(*_: Any, **__: Any) -> Any:
    raise TypeError("a mistake of ours")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("llama"))


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (library_model, "_class_for"),
        (library_model, "_slices"),
        (files, "probe_ids"),
        (files, "read_probe"),
        (TextTokenizer, "encode_all"),
    ],
)
def test_a_mistake_while_a_model_is_read_looks_like_one(
    home: Path, place: Any, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POFX_CACHE", str(tmp_path))  # without what another test asked the library
    monkeypatch.setattr(place, name, bug)
    with pytest.raises(TypeError, match="a mistake of ours"):
        pofx.load(home, normalize=True).vocab.encode("the cat")


def test_a_mistake_in_the_reader_of_the_library_looks_like_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = library_model.read_model(check_checkpoint(home), torch.float32)
    monkeypatch.setattr(library_reader, "probe_ids", bug)
    with pytest.raises(TypeError, match="a mistake of ours"):
        library_reader.compare_with_library(model, home, None)


@pytest.mark.parametrize("error", [KeyError, TypeError, RecursionError])
@pytest.mark.parametrize(
    ("place", "name"),
    [
        (tokenizer_vocabulary, "parse"),
        (tokenizer_vocabulary, "token_bytes"),
        (tokenizer_vocabulary, "control_names"),
        (tokenizer_vocabulary, "ids_around_text"),
        (tokenizer_json, "declared_tokens"),
        (tokenizer_json, "flat_steps"),
        (tokenizer_text, "merges_of"),
        (tokenizer_text, "remove_opening_space"),
        (tokenizer_text, "Normalization"),
        (TextTokenizer, "_ids_of"),
    ],
)
def test_a_mistake_in_the_reader_of_tokenizers_looks_like_one(
    place: Any, name: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: Any, **__: Any) -> Any:
        raise error("a mistake of ours")

    monkeypatch.setattr(place, name, mistaken)
    with pytest.raises(error, match="a mistake of ours"):
        tokenizer_vocabulary.TokenizerVocab(tiny_checkpoints.tokenizer(), tiny_checkpoints.ROWS)


def test_a_mistake_in_the_process_that_tries_a_tokenizer_looks_like_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: Any) -> Any:
        raise Raised("KeyError: 'a mistake of ours'")

    monkeypatch.setattr(vetting, "run_isolated", mistaken)
    monkeypatch.setattr(vetting, "_here", set())
    with pytest.raises(Raised, match="a mistake of ours"):
        vetting.vet(home, tiny_checkpoints.ROWS, [1, 2, 3])


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "around",
    [
        lambda: library_call(Path("m")),
        lambda: gguf_library_call(Path("m")),
        file_call,
        text_call,
    ],
    ids=["checkpoint", "gguf", "tokenizer", "text"],
)
def test_memory_that_ran_out_is_said_and_is_not_the_files_fault(
    around: Callable[[], Any], error: Exception
) -> None:
    with pytest.raises(OutOfMemory, match="out of memory.*smaller model") as e, around():
        raise error
    assert e.value.code == "out-of-memory"


@pytest.mark.parametrize("error", NO_MEMORY[:2], ids=lambda e: type(e).__name__)
def test_a_model_that_does_not_fit_is_no_bad_model(
    home: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    def full(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(LlamaForCausalLM, "from_pretrained", full)
    monkeypatch.setattr(files, "recall", lambda fingerprint: None)
    with pytest.raises(OutOfMemory, match="out of memory"):
        pofx.load(home)


@pytest.mark.parametrize("error", [AssertionError, IndexError])
def test_a_model_that_breaks_while_it_decodes_is_no_damaged_file(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = ToyLM()
    path = parallel_streams.encode_path(lm, b"abab")
    code = parallel_streams.encode(lm, path, 1)
    assert parallel_streams.decode(lm, code, len(path), 1).tolist() == path.tolist()

    def broken(*_: Any) -> Any:
        raise error("a mistake of ours")

    monkeypatch.setattr(ToyLM, "extend", broken)
    with pytest.raises(error, match="a mistake of ours"):
        parallel_streams.decode(lm, code, len(path), 1)
