"""The names that embedding and head have in a checkpoint, and the name before the tensors of the body."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pofx.models.pretrained.checkpoint.architecture import Stored


@dataclass(frozen=True)
class TensorNames:
    """The names of the outer tensors of a checkpoint.

    Attributes:
        base: The name before the tensors of the body.
        embed: The embedding.
        head: The matrix of the head, which may be the embedding.
        head_bias: The bias of the head; None for no bias.
    """

    base: str
    embed: str
    head: str
    head_bias: str | None


def tensor_names(stored: Stored, tied: bool, there: Collection[str]) -> TensorNames | None:
    """Return the names among the tensors that are `there`; None where embedding or head are missing.

    Checkpoints of a bare body leave out the first parts of names: GPT-2 was published with `wte`, not `transformer.wte`.
    Where embedding and head are both stored, the library ties them only if they are equal.
    """
    parts = stored.base.split(".")
    for k in range(len(parts)):
        base = ".".join(parts[k:])
        embed = f"{base}{stored.embed}.weight"
        if embed not in there:
            continue
        head, bias = f"{stored.head}.weight", f"{stored.head}.bias"
        if head not in there:
            if not tied:
                return None
            head = embed
        return TensorNames(base, embed, head, bias if bias in there else None)
    return None
