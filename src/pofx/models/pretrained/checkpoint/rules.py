"""The rules for a checkpoint directory in the layout of Hugging Face, which are checked before anything is loaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from pofx.errors import BadSource
from pofx.files.cache import model_path, sha256
from pofx.files.json_file import read_object
from pofx.models.pretrained.checkpoint.config_check import (
    KNOWN,
    check_config,
    no_code,
    with_defaults,
)
from pofx.models.pretrained.checkpoint.config_fields import (
    HEAD_DIM,
    HEADS,
    KV_HEADS,
    LAYERS,
    ROWS,
    WIDTH,
    size,
)
from pofx.models.pretrained.checkpoint.kinds import check_floats, check_no_pointer
from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor
from pofx.models.pretrained.checkpoint.text_model import is_wrapper, text_config, text_tensors
from pofx.models.pretrained.checkpoint.weight_files import weight_files

SPECIAL_TOKENS = "special_tokens_map.json"
CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
ADAPTER, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
GGUF_CARD = "pofx-gguf.json"
MAX_GGUF_CARD = 1 << 26
MAX_CONFIG = 1 << 22
# The names of the embedding and of the head in the known families.
_EMBED = (
    r"(?:(?:model|transformer|gpt_neox)\.)?(?:decoder\.)?"
    r"(?:embed_tokens|wte|embed_in|word_embeddings)\.weight"
)
_DRAFTS, _MAX_DRAFTS = ("num_nextn_predict_layers", "num_mtp_layers"), 10
_HEAD = r"(?:lm_head|embed_out)\.weight"
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d{1,9})\.")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that may be loaded.

    Attributes:
        directory: The directory.
        config: The content of config.json.
        files: The safetensors files that hold the weights.
        tensors: The file and the place of each tensor, by its name.
    """

    directory: Path
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    tensors: Mapping[str, StoredTensor]

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256, in hexadecimal, of config.json, the tokenizer and the weights, which decide the model's numbers.

        The tokenizer is tokenizer.json and the files beside it, which name control tokens. The fingerprint of a model from a
        GGUF file is a hash of that file. Hashes of files are remembered, so a file is read once.
        """
        source = self._gguf()
        parts = [source] if source else [sha256(self.directory / n) for n in (CONFIG, TOKENIZER)]
        if not source:
            beside = [self.directory / n for n in (TOKENIZER_CONFIG, SPECIAL_TOKENS)]
            parts += [f"{p.name} {sha256(p)}" for p in beside if p.is_file()]
            parts += [sha256(f) for f in self.files]
        return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()

    def _gguf(self) -> str | None:
        """Return the GGUF file that a converted model in the cache was made of; only in the cache is the card pofx's own."""
        if self.directory != model_path(self.directory.name):
            return None
        try:
            card = read_object(self.directory / GGUF_CARD, MAX_GGUF_CARD, infinite=True)
        except BadSource:
            return None
        found, split = card.get("sha256"), card.get("split_asked")
        known = isinstance(found, str) and re.fullmatch("[0-9a-f]{64}", found)
        # The split of text that the user named decides the numbers, too.
        return f"gguf {found}{f' {split}' if split else ''}" if known else None


def check_checkpoint(directory: str | Path) -> Checkpoint:
    """Check the files of a causal language model in a directory: config.json, safetensors and tokenizer.json.

    No weight is read, and no option switches the checks off.

    Raises:
        BadSource: The directory has pickles, code of its own or another kind of model. Or its files are damaged, contradict
            each other, or claim sizes that the weights do not have.

    Right: `check_checkpoint(find_checkpoint("smollm2"))`. Wrong: a directory of `pofx.save`, which `pofx.load` reads.
    """
    directory = Path(directory)
    if (directory / ADAPTER).exists() or (
        (directory / ADAPTER_WEIGHTS).exists() and not (directory / CONFIG).exists()
    ):
        _adapter(directory)
    if not (directory / CONFIG).is_file():
        raise BadSource(
            f"{directory}: expected a model directory with {CONFIG}, got none in it",
            f"copy or download {CONFIG}, too",
        )
    for path in sorted(p for p in directory.iterdir() if p.suffix in (".json", ".safetensors")):
        check_no_pointer(path)
    config = read_object(directory / CONFIG, MAX_CONFIG, infinite=True)
    if str(config.get("model_type")).startswith("pofx"):
        raise BadSource(
            f"{directory}: expected pofx.json beside {CONFIG}, as pofx.save writes them, got none",
            "copy the model's whole directory",
        )
    whole = config
    if is_wrapper(whole):
        config = text_config(whole, directory, str(directory / CONFIG))
    check_config(config, str(directory / CONFIG))
    for name in (TOKENIZER_CONFIG, "generation_config.json"):
        if (directory / name).exists():
            no_code(read_object(directory / name, MAX_CONFIG << 2, infinite=True), str(directory / name))
    files, tensors = weight_files(directory)
    check_floats(whole, directory, tensors)
    if config is not whole:
        tensors = text_tensors(tensors)
    if not (directory / TOKENIZER).is_file():
        raise BadSource(
            f"{directory}: expected {TOKENIZER}, got none",
            "where transformers can read the tokenizer, AutoTokenizer.from_pretrained(…).save_pretrained(…) "
            "writes it",
        )
    if config["model_type"] in KNOWN:
        _agree(with_defaults(config), tensors, directory)
    return Checkpoint(directory, MappingProxyType(config), files, tensors)


def _adapter(directory: Path) -> NoReturn:
    """Refuse an adapter, also with its model beside it, since the model alone has other numbers than with the adapter."""
    base = None
    if (directory / ADAPTER).is_file():
        base = read_object(directory / ADAPTER, MAX_CONFIG, infinite=True).get("base_model_name_or_path")
    of = f" to {base!r:.80}" if isinstance(base, str) else ""
    raise BadSource(
        f"{directory}: expected a model of its own, got an adapter{of}",
        "merge adapter and model with peft (merge_and_unload, then save_pretrained) and name the merged directory",
    )


def _agree(config: Mapping[str, Any], tensors: Mapping[str, StoredTensor], directory: Path) -> None:
    """Refuse a config of a known family whose sizes differ from the sizes of the weights."""
    width, rows, layers = (size(config, names) for names in (WIDTH, ROWS, LAYERS))
    heads, kv_heads, head_dim = (size(config, names) for names in (HEADS, KV_HEADS, HEAD_DIM))
    embedded = config.get("word_embed_proj_dim", width)  # OPT: embeddings narrower than the rest
    latent = config.get("kv_lora_rank") is not None  # keys of a head have another size then
    bad = _Disagreement(directory)
    seen = {int(m[1]) for m in map(_LAYER.search, tensors) if m}
    # Layers for drafts stand after the others (DeepSeek V3).
    drafts = size(config, _DRAFTS) or 0
    seen -= set(range(layers or 0, (layers or 0) + drafts)) if drafts < _MAX_DRAFTS else set()
    if seen and seen != set(range(layers or 0)):
        bad(
            f"layers of the numbers 0 to {(layers or 0) - 1}",
            f"{len(seen)} of them, the last number {max(seen)},",
        )
    for name, t in tensors.items():
        if re.fullmatch(_EMBED, name) and t.shape != (rows, embedded):
            bad(f"{name} of shape {[rows, embedded]}", str(list(t.shape)))
        if re.fullmatch(_HEAD, name) and t.shape[:1] != (rows,):
            bad(f"{name} of {rows} rows", str(list(t.shape)))
        if heads and head_dim and not latent and (m := re.search(r"self_attn\.([qkv])_proj\.weight$", name)):
            want = (heads if m[1] == "q" else kv_heads or heads) * head_dim
            if t.shape != (want, width):
                bad(f"{name[:80]} of shape {[want, width]}", str(list(t.shape)))


@dataclass(frozen=True)
class _Disagreement:
    directory: Path

    def __call__(self, expected: str, found: str) -> NoReturn:
        raise BadSource(
            f"{self.directory}: expected {expected}, as {CONFIG} has it, got {found} in the weights",
            f"use the {CONFIG} that was saved with these weights, or get the files again",
        )
