"""A GGUF file becomes a checkpoint directory: config.json, model.safetensors in float32, tokenizer.json, and a card.

The numbers equal those of `transformers.modeling_gguf_pytorch_utils.load_gguf_checkpoint`, tensor for tensor. pofx parses
the file once, and not three times (6 s in place of 18 s for SmolLM2). The library would drop some content in silence, which
pofx refuses: unknown rotary scaling, tensors without a place, and places without a tensor.
"""

from __future__ import annotations

import json
import math
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import require
from pofx.files.cache import sha256
from pofx.files.tensor_file import write_tensors
from pofx.models.pretrained.checkpoint.config_check import check_config
from pofx.models.pretrained.checkpoint.gguf.architecture import check_agreement, check_architecture, refuse
from pofx.models.pretrained.checkpoint.gguf.header import BLOCKS, GgufHeader, GgufTensor, read_header
from pofx.models.pretrained.checkpoint.gguf.library import gguf_library_call
from pofx.models.pretrained.checkpoint.gguf.rope import FREQUENCIES, linear_scaling, llama3_scaling
from pofx.models.pretrained.checkpoint.gguf.tokenizer import (
    BYTE,
    CONTROL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    GgufTokens,
    read_tokens,
)
from pofx.models.pretrained.checkpoint.gguf.tokenizer_apart import write_tokenizer_apart
from pofx.models.pretrained.checkpoint.rules import GGUF_CARD
from pofx.models.pretrained.checkpoint.stages import Stage, StageListener
from pofx.models.pretrained.checkpoint.weight_files import WEIGHTS

FORMAT = 2
_PIECE = 1 << 18  # elements; 1 MB in float32 stays in the processor's cache
_LONG = 1 << 10  # arrays beyond this are vocabularies, which no config needs


def convert(
    path: str | Path,
    directory: Path,
    name: str,
    progress: StageListener | None = None,
    pre: str | None = None,
) -> None:
    """Write a GGUF file into an empty directory as a checkpoint in the layout of Hugging Face.

    Args:
        path: The GGUF file.
        directory: The directory to fill.
        name: The name of the source, for the card.
        progress: A function that is called with a stage and the fraction of the stage that is done.
        pre: The split of texts, as in `read_tokens`.

    Raises:
        BadSource: The file is damaged, has an architecture outside `ARCHITECTURES`, or would be changed by the conversion.
        MissingExtra: The extra [hf] is not installed.

    Right: `keep_model("smollm2-0a1b", converted_size(path), lambda part: convert(path, part, "smollm2"))`.
    Wrong: a directory that other processes read meanwhile.
    """
    for module in ("torch", "transformers", "gguf"):
        require(module, "hf", "a GGUF model")
    path, report = Path(path), progress or _silent
    report(Stage.READING, 0.0)
    header = read_header(path)
    check_architecture(header)
    tokens = read_tokens(header, pre)
    config = _config(header, tokens)
    report(Stage.CONVERTING_WEIGHTS, 0.0)
    _write_weights(header, config, directory, report)
    with gguf_library_call(path):
        config.save_pretrained(str(directory))
    report(Stage.CONVERTING_TOKENIZER, 0.0)
    write_tokenizer_apart(path, config.vocab_size, directory, pre)
    report(Stage.CONVERTING_TOKENIZER, 1.0)
    _write_card(header, tokens, name, directory, pre)


def converted_size(path: str | Path) -> int:
    """Return about how many bytes the checkpoint of a GGUF file takes: four for each element, and the tokenizer."""
    header = read_header(path)
    return sum(4 * math.prod(t.shape) for t in header.tensors) + 2 * header.data + (1 << 20)


def _config(header: GgufHeader, tokens: GgufTokens) -> Any:
    """Return the config that transformers makes of the metadata, checked, with the class of its model."""
    from transformers import AutoConfig

    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "short.gguf").write_bytes(_short(header, len(tokens.tokens)))
        with gguf_library_call(header.path):
            config = AutoConfig.from_pretrained(place, gguf_file="short.gguf", local_files_only=True)
    frequencies = next((t for t in header.tensors if t.name == FREQUENCIES), None)
    if frequencies is not None:
        config.rope_parameters = llama3_scaling(header, _floats(header, frequencies), config)
    elif (linear := linear_scaling(header, config)) is not None:
        config.rope_parameters = linear
    # The conversion of the library leaves out these two numbers, though the configs have fields for them.
    for key, name in (
        ("phi3.attention.sliding_window", "sliding_window"),
        ("gpt2.context_length", "n_positions"),
    ):
        if key in header.metadata:
            setattr(config, name, header.metadata[key])
    made = config.to_dict()
    check_config(made, str(header.path))
    check_agreement(header, made, len(tokens.tokens))
    return config


def _short(header: GgufHeader, n_tokens: int) -> bytes:
    """Return the file without its vocabulary and its weights, of which transformers makes the config in no time.

    Tensors keep only their names, since transformers tests whether the file has an output.weight.
    """
    raw = header.path.open("rb")
    with raw:
        kept = [
            header.spans[k]
            for k, v in header.metadata.items()
            if not (isinstance(v, tuple) and len(v) > _LONG)
        ]
        pairs = [(raw.seek(a), raw.read(b - a))[1] for a, b in kept]
    rows = f"{header.metadata['general.architecture']}.vocab_size"
    if rows not in header.metadata:
        pairs.append(_text(rows) + struct.pack("<II", 4, n_tokens))
    table = [_text(t.name) + struct.pack("<IQIQ", 1, 1, 0, 0) for t in header.tensors]
    head = b"GGUF" + struct.pack("<IQQ", header.version, len(table), len(pairs)) + b"".join(pairs + table)
    return head + bytes(-len(head) % header.alignment + header.alignment)


def _text(s: str) -> bytes:
    raw = s.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _write_weights(header: GgufHeader, config: Any, directory: Path, report: StageListener) -> None:
    """Write model.safetensors by the name map and the processors of transformers, one tensor after the other."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import (
        TENSOR_PROCESSORS,
        TensorProcessor,
        get_gguf_hf_weights_map,
    )

    with gguf_library_call(header.path), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    config.architectures = [type(model).__name__]
    wanted = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    if config.tie_word_embeddings:
        wanted.pop("lm_head.weight", None)
    arch = header.metadata["general.architecture"]
    facts, shallow = _facts(config), _Shallow(model, 1)
    with gguf_library_call(header.path):
        processor = TENSOR_PROCESSORS.get(arch, TensorProcessor)(config=facts)
        names = get_gguf_hf_weights_map(shallow, processor)
    out: dict[str, NDArray[np.float32]] = {}
    parsed: dict[str, dict[str, Any]] = {"tensors": {}}
    done, total = 0, sum(t.size for t in header.tensors)
    for t in header.tensors:
        if t.name != FREQUENCIES:
            weights = _floats(header, t)
            with gguf_library_call(header.path):
                made = processor.process(
                    weights=weights, name=t.name, tensor_key_mapping=names, parsed_parameters=parsed
                )
            if made.name is not None and made.name not in names:
                refuse(header, "tensors that its architecture has a place for", repr(t.name))
            if made.name is not None:
                out[names[made.name]] = np.ascontiguousarray(made.weights)
        done += t.size
        report(Stage.CONVERTING_WEIGHTS, done / total)
    out |= {name: np.ascontiguousarray(t.numpy()) for name, t in parsed["tensors"].items()}
    for name, shape in wanted.items():
        if name not in out or out[name].shape != shape:
            found = list(out[name].shape) if name in out else "none"
            refuse(header, f"a tensor for {name} of shape {list(shape)}", str(found))
        if not np.isfinite(out[name]).all():
            refuse(header, "finite weights", f"inf or nan in {name}")
    report(Stage.WRITING, 0.0)
    write_tensors(directory / WEIGHTS, {name: out[name] for name in wanted}, {"format": "pt"})
    report(Stage.WRITING, 1.0)


@dataclass(frozen=True)
class _Shallow:
    """A model without the modules of its layers, for the name map of transformers.

    The library makes the map again for each of 397 modules of SmolLM2, which takes 6 s. Only the two outermost modules add
    entries to the map. If another module did, a tensor would have no place, and the file would be refused.
    """

    model: Any
    depth: int

    @property
    def config(self) -> Any:
        """The config of the model."""
        return self.model.config

    def state_dict(self) -> Any:
        """Return the state of the model."""
        return self.model.state_dict()

    def named_children(self) -> list[tuple[str, _Shallow]]:
        """Return the modules directly inside the model, down to the depth."""
        return (
            [(n, _Shallow(m, self.depth - 1)) for n, m in self.model.named_children()] if self.depth else []
        )


def _facts(config: Any) -> dict[str, Any]:
    """Return the fields of a config that the processors of the library read."""
    return {"num_key_value_heads": getattr(config, "num_key_value_heads", None), **config.to_dict()}


def _floats(header: GgufHeader, tensor: GgufTensor) -> NDArray[np.float32]:
    """Return a tensor in float32, by gguf's own dequantisation, whose bits are llama.cpp's.

    The tensor is dequantised in pieces of equal size, since gguf's own 16 rows at a time are three times slower for narrow
    matrices.
    """
    import gguf

    with header.path.open("rb") as f:
        f.seek(tensor.start)
        raw = np.frombuffer(f.read(tensor.size), np.uint8)
    if raw.size != tensor.size:
        refuse(
            header,
            f"{tensor.size} bytes of {tensor.name!r}",
            f"{raw.size}",
            "keep the file unchanged while it is read, and start again",
        )
    kind, (block, block_bytes) = gguf.GGMLQuantizationType(tensor.type), BLOCKS[tensor.type]
    out = np.empty(raw.size // block_bytes * block, np.float32)
    step = _PIECE // block
    for at in range(0, raw.size // block_bytes, step):
        piece = raw[at * block_bytes : (at + step) * block_bytes]
        with gguf_library_call(header.path):
            out[at * block : (at + step) * block] = gguf.dequantize(piece, kind)
    return out.reshape(tensor.shape)


def _write_card(header: GgufHeader, tokens: GgufTokens, name: str, directory: Path, pre: str | None) -> None:
    """Write the facts that the other files lack: the tokens put around texts, and the tokens that spell no text."""
    info = header.path.stat()
    card = {
        "format": FORMAT,
        "source": name,
        "sha256": sha256(header.path),
        "size": info.st_size,
        "mtime_ns": info.st_mtime_ns,
        "architecture": header.metadata["general.architecture"],
        "add_bos": tokens.add_bos,
        "add_eos": tokens.add_eos,
        **tokens.ids,
        "control": tokens.of_type(CONTROL),
        "unknown": tokens.of_type(UNKNOWN),
        "unused": tokens.of_type(UNUSED),
        "user_defined": tokens.of_type(USER_DEFINED),
        "byte": tokens.of_type(BYTE),
        "split": tokens.pre,
        "split_asked": pre,
    }
    (directory / GGUF_CARD).write_text(json.dumps(card) + "\n", encoding="utf-8")


def _silent(stage: Stage, fraction: float) -> None:
    """Report no progress."""
