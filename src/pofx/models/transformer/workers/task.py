"""What process 0 of a fit tells the others: the spec, the documents, and the state from which the fit goes on."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pofx.arithmetic import list_differences
from pofx.errors import BadValue, require

require("torch", "torch", "fitting a transformer")

import numpy as np
import torch
from numpy.typing import NDArray

from pofx.models.specs import TransformerSpec
from pofx.models.threads import engine_for
from pofx.models.transformer.fit_state import FitState
from pofx.models.transformer.objective import fast_dtype
from pofx.models.transformer.workers.group import Group
from pofx.version import __version__
from pofx.vocab.vocabulary import Vocab


class NumberVocab(Vocab):
    """Ids without spellings, which suffice for a process that reads no text."""

    def __init__(self, size: int, end: int | None) -> None:
        self.size, self.end = size, end
        self.token_bytes = (b"",) * size

    def encode(self, text: str | bytes) -> list[int]:
        """Raise `NotImplementedError`, since a helper reads no text."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Task:
    """What is fitted.

    Attributes:
        documents: The ids of each document.
        validation: The ids of the held-out documents.
        spec: The spec.
        vocab: The vocabulary; in processes other than process 0 a `NumberVocab` of the same size.
    """

    documents: Sequence[NDArray[Any]]
    validation: Sequence[NDArray[Any]]
    spec: TransformerSpec
    vocab: Vocab


def send_task(task: Task, group: Group) -> None:
    """Tell the other processes what is fitted; a group of one process does nothing.

    Args:
        task: What is fitted.
        group: The group, in which this process is number 0.

    Raises:
        BadValue: Another process computes by other arithmetic, so the processes would not have the same weights.
    """
    if group.size == 1:
        return
    spec = {f.name: getattr(task.spec, f.name) for f in fields(task.spec) if f.name != "vocab"}
    head = {
        "spec": spec,
        "size": task.vocab.size,
        "end": task.vocab.end,
        "arithmetic": _arithmetic(task.spec),
    }
    group.first_bytes(json.dumps(head).encode("utf-8"))
    said = group.texts("")
    for rank, text in enumerate(said):
        if text:
            raise BadValue(
                f"expected the same arithmetic in all processes, got other arithmetic in worker {rank + 1} ({text})",
                "take machines with the same processors, libraries and number of threads",
                argument="workers",
            )
    for texts in (task.documents, task.validation):
        group.first_bytes(np.array([len(t) for t in texts], dtype=np.int64).tobytes())
        group.first_bytes(np.concatenate([np.zeros(0, np.int64), *texts]).astype(np.int64).tobytes())


def receive_task(group: Group) -> Task | None:
    """Receive what is fitted.

    Args:
        group: The group, in which this process is not number 0.

    Returns:
        The task; None where any process computes by other arithmetic than process 0, so that no fit begins.
    """
    head = json.loads(group.first_bytes())
    spec = TransformerSpec(**head["spec"])
    said = group.texts("; ".join(list_differences([head["arithmetic"]], _arithmetic(spec))))
    if any(said):
        return None
    texts = []
    for _ in ("documents", "validation"):
        lengths = np.frombuffer(group.first_bytes(), dtype=np.int64)
        stream = np.frombuffer(group.first_bytes(), dtype=np.int64)
        texts.append(np.split(stream, np.cumsum(lengths)[:-1]) if len(lengths) else [])
    return Task(texts[0], texts[1], spec, NumberVocab(head["size"], head["end"]))


def copy_state(fit: FitState) -> None:
    """Give all processes the state of process 0."""
    if fit.group.size == 1:
        return
    fit.set_numbers(json.loads(fit.group.first_bytes(json.dumps(fit.numbers()).encode("ascii"))))
    fit.group.copy_first(fit.tensors().values())


def check_same_state(fit: FitState) -> None:
    """Raise `BadValue` unless all processes have the same weights and the same state of the optimiser, bit for bit."""
    if fit.group.size == 1:
        return
    digest = hashlib.sha256()
    for tensor in fit.tensors().values():
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    found = fit.group.texts(digest.hexdigest())
    other = next((rank for rank, text in enumerate(found) if text != found[0]), None)
    if other is not None:
        raise BadValue(
            f"expected the same weights in all processes, got other weights in worker {other + 1} of {fit.group.size}",
            "continue from the checkpoint on machines whose memory and processors are sound",
            argument="workers",
        )


def _arithmetic(spec: TransformerSpec) -> dict[str, str]:
    parts = engine_for(spec.width).arithmetic().parts
    return {"pofx": __version__, **parts, "matrix products": str(fast_dtype())}
