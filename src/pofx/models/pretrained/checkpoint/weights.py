"""The tensors of a checkpoint by name, each of which is read when needed, and not kept."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor

from pofx.models.pretrained.checkpoint.row_file import DTYPES
from pofx.models.pretrained.checkpoint.rules import Checkpoint
from pofx.models.pretrained.checkpoint.safetensors_header import StoredTensor


class Weights(Mapping[str, Tensor]):
    """A mapping from names to tensors; a tensor is a view of the mapped file, and the mapping ends with the tensor.

    Each tensor has a mapping of its own (0.1 ms), since one mapping for all tensors would keep every page in memory: 538 MB
    of SmolLM2 beside 538 MB of weights in the layout of the processor.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint

    def __getitem__(self, name: str) -> Tensor:
        stored = self._checkpoint.tensors[name]
        if stored.dtype not in DTYPES:
            raise BadSource(
                f"{stored.file}: expected numbers with a point in {name!r}, got {stored.dtype}",
                "quantised checkpoints other than GGUF are not read",
            )
        return _mapped(stored)

    def __iter__(self) -> Iterator[str]:
        return iter(self._checkpoint.tensors)

    def __len__(self) -> int:
        return len(self._checkpoint.tensors)


def _mapped(stored: StoredTensor) -> Tensor:
    """Return a tensor as a view of its part of the file."""
    dtype = DTYPES[stored.dtype]
    if not stored.size:
        return torch.empty(stored.shape, dtype=dtype)
    before = stored.start % mmap.ALLOCATIONGRANULARITY
    try:
        with stored.file.open("rb") as f:
            # A private mapping, since torch warns of memory that it may not write.
            part = mmap.mmap(
                f.fileno(), before + stored.size, access=mmap.ACCESS_COPY, offset=stored.start - before
            )
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise BadSource(
            f"{stored.file}: expected the file as it was when it was checked, got: {why}",
            "keep the file unchanged while it is read, and load it again",
        ) from None
    if before % dtype.itemsize:  # a header of odd length, which other writers than safetensors leave
        return torch.frombuffer(bytearray(part[before:]), dtype=dtype).view(stored.shape)
    return torch.frombuffer(part, dtype=dtype, offset=before).view(stored.shape)


def check_finite(checkpoint: Checkpoint) -> None:
    """Raise `BadSource` where a weight is NaN, or infinite in float32; one pass takes 0.15 s for 538 MB.

    The bias of a head may be −∞ in some rows, whose tokens have probability zero.
    """
    rows = checkpoint.config.get("vocab_size")
    weights = Weights(checkpoint)
    for name, stored in checkpoint.tensors.items():
        if not stored.size or stored.dtype not in DTYPES:
            continue
        found = weights[name]
        if name.endswith("bias") and ".layers." not in name and found.shape[-1:] == (rows,):
            impossible = torch.isneginf(found)
            if not bool(impossible.all()):
                found = found[~impossible]
        # The least and the largest number of a tensor with a NaN are both NaN.
        low, high = (float(x.float()) for x in torch.aminmax(found))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise BadSource(
                f"{stored.file}: expected finite weights, got {(low if not math.isfinite(low) else high)} in "
                f"{name[:80]!r}",
                "get the file again, or use a checkpoint from before the training diverged",
            )
