"""The tokenizer that a GGUF file describes, as tokenizer.json.

`transformers` rebuilds the tokenizer. pofx first checks the inputs, and then restores two properties that the library loses:
how text is split before byte pairs are merged (its table lacks the single digits of SmolLM2), and whether whole pieces are
looked up first.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from pofx.errors import Advice, BadSource, BadValue
from pofx.files.json_file import read_object
from pofx.models.pretrained.checkpoint.gguf.header import ELSE, GgufHeader
from pofx.models.pretrained.checkpoint.gguf.library import gguf_library_call
from pofx.vocab.tokenizer.files.tokenizer_json import MAX_BYTES

# The values of `tokenizer.ggml.token_type`.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
MODELS = ("gpt2", "llama")
# The time to rebuild merges grows with the square of a token's length; tokens of real models have up to 256 characters.
MAX_TOKEN = 1024
_IDS: Mapping[str, str] = MappingProxyType(
    {"bos": "bos_token_id", "eos": "eos_token_id", "eot": "eot_token_id"}
    | {"unk": "unknown_token_id", "pad": "padding_token_id"}
)
# Names of llama.cpp for ways to split text (src/llama-vocab.cpp) that the table of transformers lacks.
_GPT2 = ("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling")
_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
# Splits whose pieces are looked up whole before merging, and whose tokenizers add BOS unless the file says otherwise.
_WHOLE = ("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "tekken")
# The split of an architecture whose models all have the same split, for files without a name. Llamas have several splits.
_IMPLIED: Mapping[str, str] = MappingProxyType(
    {"gpt2": "gpt-2", "qwen2": "qwen2", "qwen3": "qwen2", "starcoder2": "starcoder"}
)
_UNSAID = ("", "default")
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_EACH_DIGIT = {
    "type": "Sequence",
    "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTE_LEVEL],
}


@dataclass(frozen=True)
class GgufTokens:
    """The checked vocabulary of a GGUF file: tokens and their types by id, and the control tokens.

    `ids` has the ids of "bos", "eos", "eot", "unk" and "pad"; None for a token that the file does not name. `add_bos` and
    `add_eos` say whether the tokenizer puts the token around every text. `pre` is llama.cpp's name of the split of texts.
    """

    model: str
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    ids: Mapping[str, int | None]
    add_bos: bool
    add_eos: bool

    def of_type(self, kind: int) -> list[int]:
        """Return the ids of one type."""
        return [i for i, t in enumerate(self.types) if t == kind]


def read_tokens(header: GgufHeader, pre: str | None = None) -> GgufTokens:
    """Return the vocabulary of a GGUF file.

    Args:
        header: The header of the file.
        pre: llama.cpp's name of the split of texts before byte pairs are merged, in place of the name in the file. Without
            both names the split is that of the architecture, or the file is refused where the architecture has several.

    Raises:
        BadSource: The vocabulary is missing, contradicts itself, or is of an unknown kind.

    Right: `read_tokens(header)` before `write_tokenizer`, which trusts the tokens. Wrong: a header before
    `check_architecture`.
    """
    metadata = _TokenizerMetadata(header)
    model = metadata.text("model", "")
    if model not in MODELS:
        metadata.bad(f"a tokenizer of the model {' or '.join(map(repr, MODELS))}", repr(model))
    tokens = metadata.array("tokens", str)
    if not tokens:
        metadata.bad("tokens", "none")
    types = metadata.array("token_type", int) or (NORMAL,) * len(tokens)
    scores = metadata.array("scores", float)
    if len(types) != len(tokens) or (scores and len(scores) != len(tokens)):
        metadata.bad(
            f"a type and a score for each of {len(tokens)} tokens", f"{len(types)} and {len(scores)}"
        )
    if len(set(tokens)) < len(tokens):
        metadata.bad("tokens that differ", "one of them twice")
    long = next((t for t in tokens if len(t) > MAX_TOKEN), None)
    if long is not None:
        metadata.bad(f"tokens of up to {MAX_TOKEN} characters", f"one of {len(long)}")
    for i, kind in enumerate(types):
        if not 0 <= kind <= BYTE:
            metadata.bad("types of tokens from 0 to 6", f"{kind} for token {i}")
        if kind == BYTE and not re.fullmatch(r"<0x[0-9A-F]{2}>", tokens[i]):
            metadata.bad("byte tokens from <0x00> to <0xFF>", repr(tokens[i]))
    _check_merges(metadata, model, tokens, scores)
    split = _split(metadata, model, pre)
    ids = {name: metadata.id(key, len(tokens)) for name, key in _IDS.items()}
    add_bos = metadata.truth("add_bos_token", model == "llama" or split in _WHOLE)
    add_eos = metadata.truth("add_eos_token", False)
    for name, added in (("bos", add_bos), ("eos", add_eos)):
        if added and ids[name] is None:
            metadata.bad(f"the id of {name.upper()}, which every text gets", "none")
    if (
        model == "llama"
        and not metadata.truth("add_space_prefix", True)
        and "gemma" not in metadata.architecture
    ):
        metadata.bad(
            "a tokenizer that puts a space before a text",
            "a tokenizer that does not, which cannot be converted",
        )
    return GgufTokens(model, split, tokens, types, MappingProxyType(ids), add_bos, add_eos)


def write_tokenizer(path: Path, tokens: GgufTokens, rows: int, directory: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json of a GGUF file, as `transformers` makes them, with the right split.

    Args:
        path: The GGUF file.
        tokens: The vocabulary of the file.
        rows: The rows of the head; every token must have a row.
        directory: The directory to write into.

    Raises:
        BadSource: Neither transformers nor this module knows the split, so that texts would silently become other tokens
            than the model was trained on.
    """
    from transformers import PreTrainedTokenizerFast

    known = _known_splits()
    byte_level = tokens.model == "gpt2"
    if byte_level and tokens.pre not in split_names():
        raise BadSource(
            f"{path}: expected a tokenizer whose way to split text is known, got {tokens.pre!r:.60}",
            [
                "use the model's own directory, with its tokenizer.json",
                Advice("name an equal split", "pre=…", "--pre"),
            ],
        )
    with gguf_library_call(path):
        made = PreTrainedTokenizerFast.from_pretrained(
            str(path.parent),
            gguf_file=path.name,
            add_bos_token=tokens.add_bos,
            add_eos_token=tokens.add_eos,
            local_files_only=True,
        )
        made.save_pretrained(str(directory))
    file = directory / "tokenizer.json"
    content = read_object(file, MAX_BYTES, infinite=True)
    if byte_level:
        if tokens.pre in _GPT2:
            content["pre_tokenizer"] = _BYTE_LEVEL
        elif tokens.pre in _DIGITS:
            content["pre_tokenizer"] = _EACH_DIGIT
        else:
            content["pre_tokenizer"] = _by_pattern(known[tokens.pre])
        content["model"]["ignore_merges"] = tokens.pre in _WHOLE
    ids = {*content["model"]["vocab"].values(), *(t["id"] for t in content["added_tokens"])}
    if ids != set(range(len(tokens.tokens))) or len(ids) > rows:
        raise BadSource(
            f"{path}: expected {len(tokens.tokens)} tokens that stay distinct, each with one of {rows} rows, "
            f"got {len(ids)} with ids up to {max(ids)}",
            "use the model's own directory",
        )
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def split_names() -> tuple[str, ...]:
    """Return llama.cpp's names of the splits that pofx knows."""
    return tuple(sorted({*_known_splits(), *_GPT2, *_DIGITS}))


def _split(metadata: _TokenizerMetadata, model: str, asked: str | None) -> str:
    """Return the split of text before byte pairs are merged: by the caller, by the file, or by its architecture."""
    if asked is not None:
        if model != "gpt2":
            raise BadValue(
                f"expected a GGUF file with byte-level BPE, got {metadata.header.path} with a tokenizer of the "
                f"model {model!r}, which splits no text first",
                "leave the split out",
                argument="pre",
            )
        if asked not in split_names():
            near = difflib.get_close_matches(asked, split_names(), 3, 0.5)
            then = f"did you mean {' or '.join(near)}?" if near else "use the model's own directory instead"
            raise BadValue(
                f"expected one of {', '.join(split_names())}, got {asked!r:.60}", then, argument="pre"
            )
        return asked
    said = metadata.text("pre", "")
    if said not in _UNSAID or model != "gpt2":
        return said
    if metadata.architecture not in _IMPLIED:
        found = "tokenizer.ggml.pre 'default'" if said else "no tokenizer.ggml.pre"
        raise BadSource(
            f"{metadata.header.path}: expected the way that its tokenizer splits text, got {found}, and models "
            f"of the architecture {metadata.architecture!r} have several",
            Advice(
                "name the split of its training, such as gpt-2, smollm, llama-bpe, qwen2, gpt-4o or tekken",
                "pre=…",
                "--pre",
            ),
        )
    return _IMPLIED[metadata.architecture]


def _by_pattern(pattern: str) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, {**_BYTE_LEVEL, "use_regex": False}]}


def _known_splits() -> Mapping[str, str]:
    try:
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS
    except ImportError:  # an older transformers splits all text as GPT-2 does
        return {}
    splits: Mapping[str, str] = GGUF_PRE_TOKENIZER_SPLITS
    return splits


def _check_merges(
    metadata: _TokenizerMetadata, model: str, tokens: tuple[str, ...], scores: tuple[float, ...]
) -> None:
    merges = metadata.array("merges", str)
    if model == "gpt2" and not merges and len(tokens) > 256 + 64:
        metadata.bad("merges of a byte-level vocabulary", "none")
    if model == "llama" and not merges and not scores:
        metadata.bad("scores or merges of a vocabulary", "neither")
    there = set(tokens)
    for merge in merges:
        parts = merge.split(" ")
        if len(parts) != 2 or not there.issuperset((*parts, "".join(parts))):
            metadata.bad("merges of two tokens into a third", repr(merge[:60]))
    if not all(map(math.isfinite, scores)):
        metadata.bad("finite scores", "others")


class _TokenizerMetadata:
    """The values of the metadata under tokenizer.ggml., by type."""

    def __init__(self, header: GgufHeader) -> None:
        self.header = header
        self.architecture = str(header.metadata.get("general.architecture"))

    def bad(self, expected: str, found: str) -> NoReturn:
        raise BadSource(f"{self.header.path}: expected {expected}, got {found:.80} in its tokenizer", ELSE)

    def text(self, key: str, default: str) -> str:
        found = self.header.metadata.get(f"tokenizer.ggml.{key}", default)
        return found if isinstance(found, str) else self.bad(f"a text for {key}", repr(found))

    def truth(self, key: str, default: bool) -> bool:
        found = self.header.metadata.get(f"tokenizer.ggml.{key}", default)
        return found if isinstance(found, bool) else self.bad(f"true or false for {key}", repr(found))

    def array(self, key: str, of: type) -> tuple[Any, ...]:
        found = self.header.metadata.get(f"tokenizer.ggml.{key}", ())
        if not isinstance(found, tuple) or (found and type(found[0]) is not of):  # an array has one type
            self.bad(f"an array of {of.__name__} for {key}", f"{found!r:.60}")
        return found

    def id(self, key: str, n: int) -> int | None:
        found = self.header.metadata.get(f"tokenizer.ggml.{key}")
        if found is not None and not (type(found) is int and 0 <= found < n):
            self.bad(f"one of {n} tokens for {key}", repr(found))
        return found
