"""The reader of a model of the library: its hidden states and pofx's head where both agree, else its logits."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from pathlib import Path
from typing import Any

from pofx.errors import BadSource, require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch

from pofx.models.pretrained.checkpoint.library_calls import library_call, library_logits
from pofx.models.pretrained.inference.body import Body
from pofx.models.pretrained.inference.context_length import context_length
from pofx.models.pretrained.inference.head import Head, LogitsHead
from pofx.models.pretrained.library.body import LibraryBody
from pofx.models.pretrained.probe import (
    AHEAD,
    HEAD,
    ROUNDED,
    SHORT,
    ProbeResult,
    largest_difference,
    library_logp,
    measure_lookahead,
    probe_ids,
    read_probe,
)

_ONE = torch.zeros(1, 1, dtype=torch.int64)  # a text of one token
# The exceptions of the library's code for a model whose body cannot be read by itself.
_NO_BODY = (AttributeError, TypeError, ValueError, RuntimeError, KeyError, IndexError, NotImplementedError)


def make_reader(model: Any, where: Path, dtype: torch.dtype, kind: str) -> tuple[Body, Head]:
    """Return the body and the head of a model. `kind` is the result of `compare_with_library`: "head" or "whole"."""
    if kind == "head":
        inner = _inner(model)
        assert inner is not None  # noqa: S101  (ours: the comparison in float32 found the body)
        return LibraryBody(inner, _weight(model).shape[1]), _head(model, dtype)
    logits = _logits(model, where)
    return LibraryBody(model, len(logits), whole=True), LogitsHead(logits)


def compare_with_library(
    model: Any, where: Path, known: ProbeResult | None
) -> tuple[Body, Head, ProbeResult]:
    """Return a reader of a model in float32 whose log p of the probe is that of the library.

    Args:
        model: The model of the library.
        where: The directory of the model, for messages.
        known: The result of an earlier comparison, or None. With a result the model is known to be causal; without one,
            the test for it takes a pass for each token of the probe.

    Raises:
        BadSource: The model is not causal.
    """
    context = context_length(model)
    rows = len(_logits(model, where))
    with library_call(where):
        table = model.get_input_embeddings().weight.shape
    inputs = min(rows, int(table[0]))
    ids = probe_ids(inputs, min(SHORT, context or SHORT))
    said, largest = library_logp(model, ids, where)
    bound = HEAD + ROUNDED * largest
    kind = "head"
    if _can_be_split(model, rows):
        body, head = make_reader(model, where, torch.float32, kind)
        off = largest_difference(read_probe(body, head, ids), said)
    else:
        off = np.inf
    if not off <= bound:
        kind = "whole"
        body, head = make_reader(model, where, torch.float32, kind)
        off = largest_difference(read_probe(body, head, ids), said)
        if not off <= bound:
            raise BadSource(
                f"{where}: expected equal log p of a text in two passes, got a difference of {off:.2g} nats a "
                "token",
                "use a model without dropout or noise",
            )
    if known is None:
        moved, tokens = measure_lookahead(body, head, inputs, context)
        if not moved <= AHEAD:
            raise BadSource(
                f"{where}: expected a causal language model, got a model whose log p of a token changes by "
                f"{moved:.2g} nats with later tokens in a text of {tokens} tokens, so that texts have no joint "
                "distribution",
                "use a model that reads from left to right only",
            )
    return body, head, ProbeResult(said, kind)


@torch.inference_mode()
def _logits(model: Any, where: Path) -> torch.Tensor:
    """Return the logits of a text of one token, which show the number of rows, and the rows that are always −∞."""
    found: torch.Tensor = library_logits(model, _ONE, where)[0, -1]
    return found


def _weight(model: Any) -> Any:
    out = model.get_output_embeddings()
    found = getattr(out, "weight", None)
    return found if isinstance(found, torch.Tensor) and found.ndim == 2 else None


def _inner(model: Any) -> Any:
    """Return the model without its head; None where the library does not name this part."""
    base = model.base_model
    if base is model:
        base = getattr(model, "model", None)
    return base


@torch.inference_mode()
def _can_be_split(model: Any, rows: int) -> bool:
    """Return whether the matrix of the head fits the hidden states of the body, unlike ELECTRA's, which is narrower."""
    weight, inner = _weight(model), _inner(model)
    if weight is None or inner is None or len(weight) != rows:
        return False
    try:
        found = inner(input_ids=torch.zeros(1, 1, dtype=torch.int64), use_cache=False).last_hidden_state
    except _NO_BODY:
        return False
    return isinstance(found, torch.Tensor) and found.shape == (1, 1, weight.shape[1])


def _head(model: Any, dtype: torch.dtype) -> Head:
    config = model.config.get_text_config(decoder=True)
    out = model.get_output_embeddings()
    caps = (getattr(config, name, None) for name in ("final_logit_softcapping", "logits_soft_cap"))
    multiplied, divided = (getattr(config, name, None) or 1.0 for name in ("logit_scale", "logits_scaling"))
    return Head(
        out.weight.detach(),
        None if getattr(out, "bias", None) is None else out.bias.detach(),
        next((float(c) for c in caps if c is not None), None),
        float(multiplied) / float(divided),
        dtype,
    )
