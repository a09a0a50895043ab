"""A checked checkpoint directory to a `PretrainedLM`."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from pofx.errors import BadSource, BadValue, require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch

from pofx.models.pretrained.architecture import architecture
from pofx.models.pretrained.body import Body, DecoderBody
from pofx.models.pretrained.checkpoint import Checkpoint
from pofx.models.pretrained.decoder import Decoder
from pofx.models.pretrained.head import Head, LogitsHead
from pofx.models.pretrained.heap import give_back
from pofx.models.pretrained.library import LibraryBody
from pofx.models.pretrained.library_model import read_model
from pofx.models.pretrained.model import PretrainedLM
from pofx.models.pretrained.probe import BOUNDS, LONG, SHORT, by_library, probe, remember, remembered
from pofx.models.pretrained.row_file import RowFile
from pofx.models.pretrained.vocabulary import read_vocab
from pofx.models.pretrained.weights import Weights
from pofx.models.threads import threads_for
from pofx.vocab import Vocab

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
EMBED, HEAD = "model.embed_tokens.weight", "lm_head.weight"
CONTEXT = 2048  # where a config names no longest text
Told = Callable[[str, float], None]


def read_pretrained(
    checkpoint: Checkpoint,
    end: str | int | None,
    dtype: str,
    budget: int | None,
    told: Told = lambda stage, fraction: None,
) -> PretrainedLM:
    """The model of a checkpoint, without x0 and without a window rule.

    Its numbers are those of the library's own forward: our decoder is used where it says the same of a probe string
    (to 2e-3 nats a token in float32), and the library's forward, with a warning, where not. end: a token in place of
    the EOS that the checkpoint declares. told: is given slow stages and the
    fraction done.
    """
    if dtype not in DTYPES:
        raise BadValue(f"dtype: expected 'float32' or 'bfloat16', found {dtype!r}")
    asked = _Asked(checkpoint, dtype, told)
    body, head, context = _ours(asked) or _librarys(asked)
    lm = PretrainedLM(body, head, read_vocab(checkpoint, head.size, end), context, dtype, budget)
    lm.fingerprint = checkpoint.fingerprint
    return lm


class _Asked:
    """The checkpoint, and the library's model of it, made at most once and only if it is needed."""

    def __init__(self, checkpoint: Checkpoint, dtype: str, told: Told) -> None:
        self.checkpoint, self.dtype, self.told = checkpoint, dtype, told
        self._model: Any = None

    def model(self, dtype: torch.dtype = torch.float32) -> Any:
        if self._model is None or self._model.dtype != dtype:
            self.told("loading the library's model", 0.0)
            self._model = read_model(self.checkpoint, dtype)
        return self._model


def _ours(asked: _Asked) -> tuple[Body, Head, int] | None:
    """Our decoder, if it covers the architecture and says of the probe what the library says."""
    checkpoint = asked.checkpoint
    shape = architecture(checkpoint.config)
    if (
        shape is None
        or EMBED not in checkpoint.tensors
        or (not shape.tied and HEAD not in checkpoint.tensors)
    ):
        return None
    # The library first, since it refuses what does not fit its class; the word it gave lasts as long as the files.
    ids = probe(shape.rows, min(SHORT, shape.context))
    said = remembered(checkpoint.fingerprint, len(ids))
    first = said is None
    if said is None:
        asked.told("comparing with the library's forward, once", 0.0)
        said = by_library(asked.model(), ids)
    weights, dtype = Weights(checkpoint), DTYPES[asked.dtype]
    try:
        with threads_for(0):  # laying out weights is copying
            # The head first: it reads the whole embedding, which is let go before the layers need room.
            # Where both are stored, the library ties them only if they are equal.
            name = HEAD if HEAD in checkpoint.tensors else EMBED
            rows = RowFile(checkpoint.tensors[name])
            head = Head(weights[name], None, shape.final_cap, 1.0, dtype, rows)
            embed = rows if name == EMBED else RowFile(checkpoint.tensors[EMBED])
            decoder = Decoder(shape, weights, embed, dtype)
            give_back()
    except KeyError as e:
        _fell_back(checkpoint, f"it has no tensor {e.args[0]!r}")
        return None
    body = DecoderBody(decoder)
    if first:
        model = asked.model()
        windows = [layer.window for layer in shape.layers if layer.window is not None]
        if windows and min(windows) + SHORT <= LONG:
            long = probe(head.size, min(shape.context, min(windows) + SHORT))
            if not _same(checkpoint, body, head, long, by_library(model, long), asked.dtype):
                return None
    if not _same(checkpoint, body, head, ids, said, asked.dtype):
        return None
    if first:
        remember(checkpoint.fingerprint, said)
    return body, head, shape.context


def _same(checkpoint: Checkpoint, body: Any, head: Head, ids: Any, said: Any, dtype: str) -> bool:
    ours = _read(body, head, ids)
    worst = float(np.max(np.abs(ours - said))) if np.isfinite(ours).all() else float("inf")
    if worst > BOUNDS[dtype]:
        _fell_back(checkpoint, f"its log p of a probe token differs by {worst:.2g} nats")
    return worst <= BOUNDS[dtype]


def _read(body: Any, head: Head, ids: Any) -> Any:
    """log p of ids[1:] by a body and a head."""
    lm = PretrainedLM(body, head, _Rows(head.size), len(ids), "float32")
    return lm.forward([ids], skip=1).logp[0]


class _Rows(Vocab):
    """A vocabulary of ids alone, for the probe."""

    def __init__(self, size: int) -> None:
        self.size, self.end, self.token_bytes = size, None, (None,) * size

    def encode(self, text: str | bytes) -> list[int]:
        """Nothing is text here."""
        raise NotImplementedError


def _librarys(asked: _Asked) -> tuple[Body, Head, int]:
    """The library's forward; with our head if that says what the library's says of the probe, else with its own."""
    model = asked.model(DTYPES[asked.dtype])
    config = model.config
    out = model.get_output_embeddings()
    if out is None:
        raise BadSource(
            f"{asked.checkpoint.directory}: expected a causal language model, found one without a head"
        )
    context = getattr(config, "max_position_embeddings", None)
    context = context if isinstance(context, int) and context > 1 else CONTEXT
    scale = float(getattr(config, "logit_scale", None) or 1.0) / float(
        getattr(config, "logits_scaling", None) or 1.0
    )
    head = Head(
        out.weight.detach(),
        None if getattr(out, "bias", None) is None else out.bias.detach(),
        getattr(config, "final_logit_softcapping", None),
        scale,
        DTYPES[asked.dtype],
    )
    body = LibraryBody(model)
    ids = probe(head.size, min(SHORT, context))
    said = by_library(model, ids)
    if np.max(np.abs(_read(body, head, ids) - said)) <= BOUNDS[asked.dtype]:
        return body, head, context
    rows = int(model(input_ids=torch.from_numpy(ids)[None]).logits.shape[-1])
    return LibraryBody(model, rows), LogitsHead(rows), context


def _fell_back(checkpoint: Checkpoint, why: str) -> None:
    warnings.warn(
        f"{checkpoint.directory}: our own decoder was expected to say what transformers says of this model, but "
        f"{why}; the library's forward is used, which is slower",
        RuntimeWarning,
        stacklevel=2,
    )
