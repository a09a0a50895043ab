"""The checkpoint of a fit: one safetensors file, with numbers and settings as JSON in its header."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pofx.errors import Advice, BadSource, BadValue, require
from pofx.files.atomic import write_atomically

require("torch", "torch", "fitting a transformer")

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, uint8

from pofx.models.specs import TransformerSpec
from pofx.vocab.vocabulary import Vocab

FORMAT = "pofx fit 3"

FREE = (
    "vocab",
    "seconds",
)  # fields that are not compared; the vocabulary is compared by the bytes of its tokens


@dataclass(frozen=True, eq=False)
class FitCheckpoint:
    """The state from which a fit continues.

    Attributes:
        tensors: Weights and the state of the optimiser, by name.
        facts: Numbers and settings, by name.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with `prefix`, by the rest of the name."""
        return {k[len(prefix) :]: t for k, t in self.tensors.items() if k.startswith(prefix)}


def fit_identity(spec: TransformerSpec, vocab: Vocab, documents: Sequence[NDArray[Any]]) -> dict[str, Any]:
    """Return the identity of a fit, which must agree for a fit to continue: the spec, the vocabulary, the documents.

    The number of seconds is no part of the identity, so a resumed fit may get more time, or less.
    """
    same: dict[str, Any] = {f.name: getattr(spec, f.name) for f in fields(spec) if f.name not in FREE}
    tokens = hashlib.sha256(repr((vocab.token_bytes, vocab.end)).encode())
    data = hashlib.sha256(np.array([len(d) for d in documents], dtype=np.int64).tobytes())
    for d in documents:
        data.update(np.ascontiguousarray(d, dtype=np.int64).tobytes())
    return same | {"vocabulary": tokens.hexdigest()[:16], "documents": data.hexdigest()[:16]}


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint in one step."""
    plain = {k: t.detach().contiguous() for k, t in tensors.items()}
    text = json.dumps(dict(facts))
    head = {"format": FORMAT, "facts": text, "sha256": _hash(plain, text)}
    write_atomically(path, save(plain, metadata=head))


def _hash(tensors: Mapping[str, Tensor], facts: str) -> str:
    """Return a hash of the names, types, shapes and bytes of the tensors, and of the facts as they are written."""
    h = hashlib.sha256(facts.encode("utf-8"))
    for name in sorted(tensors):
        t = tensors[name]
        h.update(repr((name, str(t.dtype), tuple(t.shape))).encode("utf-8"))
        h.update(t.reshape(-1).view(uint8).numpy().data)
    return h.hexdigest()


def read(path: Path, same: Mapping[str, Any]) -> FitCheckpoint:
    """Read the checkpoint of a fit.

    Args:
        path: The file.
        same: The identity of the fit, as `fit_identity` returns it.

    Raises:
        BadSource: The file is missing, damaged, or of another version.
        BadValue: The checkpoint is of another fit; the message names the difference.
    """
    if not path.is_file():
        raise BadSource(f"expected a checkpoint at {path}, got none", "start the fit without resume")
    try:
        with safe_open(path, framework="pt") as f:
            head = f.metadata() or {}
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118  (no mapping)
        if head.get("format") != FORMAT:
            raise BadSource(
                f"{path}: expected a checkpoint ({FORMAT}), got {head.get('format')!r:.40}",
                [
                    "go on with the version of pofx that wrote the checkpoint",
                    Advice("start a new fit", "resume=False", "without --resume"),
                ],
            )
        if _hash(tensors, head["facts"]) != head["sha256"]:
            raise damaged_checkpoint(path, ValueError("its content has another hash"))
        facts = json.loads(head["facts"])
        was = dict(facts["same"])
    except (SafetensorError, KeyError, TypeError, OSError, json.JSONDecodeError) as e:
        raise damaged_checkpoint(path, e) from None
    differ = [k for k, v in same.items() if was.get(k) != v]
    if differ:
        shown = ", ".join(f"{k} {was.get(k)!r} there and {same[k]!r} here" for k in differ)
        raise BadValue(
            f"{path}: expected the checkpoint of the same fit, got {shown}", "start a new fit without resume"
        )
    return FitCheckpoint(tensors, facts)


def damaged_checkpoint(path: Path, cause: Exception) -> BadSource:
    """Return the error of a checkpoint that is damaged or incomplete."""
    why = " ".join(str(cause).split())
    return BadSource(
        f"{path}: expected a checkpoint ({FORMAT}), got a damaged file ({why})",
        Advice("start a new fit", "resume=False", "without --resume"),
    )
