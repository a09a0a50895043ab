"""A checked checkpoint directory, loaded as a `PretrainedLM`."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import hashlib
import math
import warnings
from functools import partial
from typing import Any

from pofx.errors import Advice, BadValue, require
from pofx.files import cache
from pofx.models.pretrained.checkpoint.stages import Stage, StageListener

require("torch", "hf", "a pretrained model")

import torch

from pofx.models.pretrained.checkpoint.architecture import Architecture
from pofx.models.pretrained.checkpoint.families.rotary import with_long_factors
from pofx.models.pretrained.checkpoint.families.table import architecture
from pofx.models.pretrained.checkpoint.library_calls import quiet
from pofx.models.pretrained.checkpoint.row_file import RowFile
from pofx.models.pretrained.checkpoint.rules import Checkpoint
from pofx.models.pretrained.checkpoint.tensor_names import TensorNames, tensor_names
from pofx.models.pretrained.checkpoint.weights import Weights
from pofx.models.pretrained.inference.body import Body, DecoderBody
from pofx.models.pretrained.inference.context_length import context_length, has_long_factors
from pofx.models.pretrained.inference.decoder import Decoder
from pofx.models.pretrained.inference.head import Head
from pofx.models.pretrained.inference.linear import release_freed_memory
from pofx.models.pretrained.inference.quantized import can_quantize
from pofx.models.pretrained.library.model import read_model
from pofx.models.pretrained.library.reader import compare_with_library, make_reader
from pofx.models.pretrained.model import PretrainedLM
from pofx.models.pretrained.probe import (
    BFLOAT16,
    DECODER,
    INT8,
    LONG,
    SHORT,
    ProbeResult,
    agreement,
    largest_difference,
    library_logp,
    probe_ids,
    read_probe,
    recall,
    remember,
)
from pofx.models.pretrained.rounding import known_or_measured
from pofx.models.pretrained.vocabulary import read_vocab
from pofx.models.threads import threads_for

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}
# The bound of the comparison with the library in each of these dtypes, nats a token.
BOUNDS = {torch.float32: DECODER, torch.bfloat16: BFLOAT16, torch.int8: INT8}


def read_pretrained(
    checkpoint: Checkpoint,
    end: str | int | None,
    dtype: str,
    budget: int | None,
    report: StageListener = lambda stage, fraction: None,
    rope: str = "short",
) -> PretrainedLM:
    """Read the model of a checkpoint, without x0 and without a window rule.

    The numbers of the model equal those of the library's own forward pass. pofx's decoder computes them if both agree on a
    probe string in float32, to 5e-4 nats a token, whatever `dtype` is. Otherwise the library computes, and a warning has
    the reason.

    Args:
        checkpoint: The checked files.
        end: A token in place of the EOS that the checkpoint declares; None for that EOS.
        dtype: "float32", "bfloat16" or "int8", the type of matrix products.
        budget: How many tokens a pass reads; None for the default.
        report: A function that is called with a stage and the fraction of the stage that is done.
        rope: "short" ends the context at the original length; "long" takes the long factors of `longrope` for all texts.

    Raises:
        BadSource: The weights are damaged, or the distribution of a token depends on later tokens.
        BadValue: `dtype` is "int8", and the library computes, or the processor has no exact product of integers.
    """
    if dtype not in DTYPES:
        raise BadValue(
            f"expected 'float32', 'bfloat16' or 'int8', got {dtype!r}",
            "write 'float32', 'bfloat16' or 'int8'",
            argument="dtype",
        )
    if dtype == "int8" and not can_quantize():
        raise _no_int8(
            "a torch with exact products of integers by oneDNN", f"torch {torch.__version__} without"
        )
    if rope not in ("short", "long"):
        raise BadValue(
            f"expected 'short' or 'long', got {rope!r:.40}", "write 'short' or 'long'", argument="rope"
        )
    request = _Request(checkpoint, dtype, report, rope)
    found: tuple[Body, Head, int | None] | None = _own_decoder(request)
    if found is None and dtype == "int8":
        kind = checkpoint.config["model_type"]
        raise _no_int8(
            "a model that pofx's own decoder reads", f"a model of type {kind} that transformers reads"
        )
    if found is None:
        with quiet():
            found = _library_forward(request)
    body, head, context = found
    lm = PretrainedLM(body, head, read_vocab(checkpoint, head.size, end), context, dtype, budget)
    work = sum(math.prod(t.shape) for t in checkpoint.tensors.values())
    lm = lm.with_info(fingerprint=request.fingerprint, work=work)
    if dtype != "int8":
        return lm
    assert isinstance(body, DecoderBody)  # noqa: S101  (ours: the library's forward was refused above)
    fact = agreement(request.fingerprint, body.decoder.shape, dtype)
    plain = partial(read_pretrained, checkpoint, end, "float32", budget, report, rope)
    return lm.with_info(rounding=known_or_measured(fact, lm, plain).mean)


def _no_int8(expected: str, got: str) -> BadValue:
    return BadValue(
        f"expected {expected} for int8, got {got}",
        Advice("use float32", "dtype='float32'", "--dtype float32"),
        argument="dtype",
    )


def distribution_fingerprint(checkpoint: Checkpoint, rope: str) -> str:
    """Return the checkpoint's fingerprint, or another fingerprint under an option that changes the distribution."""
    own = checkpoint.fingerprint
    return own if rope == "short" else hashlib.sha256(f"{own} rope {rope}".encode()).hexdigest()


class _Request:
    """The checkpoint and the library's model of the checkpoint, which is made if needed, at most once for each dtype."""

    def __init__(self, checkpoint: Checkpoint, dtype: str, report: StageListener, rope: str) -> None:
        self.checkpoint, self.dtype, self.report, self.rope = checkpoint, dtype, report, rope
        self._model: Any = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the requested distribution."""
        return distribution_fingerprint(self.checkpoint, self.rope)

    def model(self, dtype: torch.dtype = torch.float32) -> Any:
        if self._model is None or self._model.dtype != dtype:
            self.report(Stage.LOADING, 0.0)
            self._model = None  # the memory of the old model is needed for the new model
            self._model = read_model(self.checkpoint, dtype, self.rope)
        return self._model


def _own_decoder(request: _Request) -> tuple[Body, Head, int] | None:
    """Return pofx's decoder, if the decoder covers the architecture and agrees with the library on the probe."""
    checkpoint = request.checkpoint
    config = checkpoint.config
    if request.rope == "long":
        if not has_long_factors(config):
            return None  # the library names the fault
        config = with_long_factors(config)
    shape = architecture(config)
    if shape is None:
        return None
    names = tensor_names(shape.stored, shape.tied, checkpoint.tensors)
    if names is None:
        return None
    # The library comes first, since it refuses weights that do not fit its class. Its numbers are remembered with the files.
    ids = probe_ids(shape.rows, min(SHORT, shape.context))
    known = recall(request.fingerprint)
    before = known is not None and known.reader == "decoder" and len(known.logp) == len(ids) - 1
    if known is None or not before:
        request.report(Stage.COMPARING, 0.0)
        known = ProbeResult(library_logp(request.model(), ids, checkpoint.directory)[0], "decoder")
    # The comparison is in float32 whatever the dtype, since the rounding of bfloat16 could hide another distribution.
    first = torch.float32 if not before else DTYPES[request.dtype]
    made = _made(checkpoint, shape, names, first)
    if made is None:
        return None
    fact = agreement(request.fingerprint, shape, request.dtype)
    if before and cache.is_remembered(fact):
        return *made, shape.context
    if not before:
        sizes = (size for layer in shape.layers for size in (layer.window, layer.chunk))
        windows = [size for size in sizes if size is not None]
        if windows and min(windows) + SHORT <= LONG:
            long = probe_ids(shape.rows, min(shape.context, min(windows) + SHORT))
            said = library_logp(request.model(), long, checkpoint.directory)[0]
            if not _same(checkpoint, largest_difference(read_probe(*made, long), said), DECODER):
                return None
    if not _same(
        checkpoint,
        largest_difference(read_probe(*made, ids), known.logp),
        BOUNDS[first],
    ):
        return None
    if not before:
        remember(request.fingerprint, known)
    if first != DTYPES[request.dtype]:
        made = _made(checkpoint, shape, names, DTYPES[request.dtype])
        assert made is not None  # noqa: S101  (ours: the decoder was made in float32 before)
    else:
        cache.remember(fact)
    return *made, shape.context


def _made(
    checkpoint: Checkpoint, shape: Architecture, names: TensorNames, dtype: torch.dtype
) -> tuple[Body, Head] | None:
    """Return pofx's decoder and head with the weights of the checkpoint; None, with a warning, for missing weights."""
    weights = Weights(checkpoint)
    try:
        with threads_for(0):  # laying out weights is copying, for which one thread is enough
            # The head comes first, since it reads the whole embedding, whose memory the layers need afterwards.
            rows = RowFile(checkpoint.tensors[names.head])
            bias = None if names.head_bias is None else weights[names.head_bias].float()
            matrix = weights[names.head]
            # The head stays in float32, since its error would be an error of log p without anything after it.
            of_head = torch.float32 if dtype == torch.int8 else dtype
            head = Head(matrix, bias, shape.final_cap, shape.logit_scale, of_head, rows)
            del matrix
            embed = rows if names.head == names.embed else RowFile(checkpoint.tensors[names.embed])
            decoder = Decoder(shape, weights, names.base, embed, dtype)
            release_freed_memory()
    except KeyError as e:
        _fell_back(checkpoint, f"it has no tensor {e.args[0]!r}")
        return None
    return DecoderBody(decoder), head


def _same(checkpoint: Checkpoint, off: float, bound: float) -> bool:
    if not off <= bound:
        _fell_back(checkpoint, f"its log p of a probe token differs by {off:.2g} nats")
    return off <= bound


def _library_forward(request: _Request) -> tuple[Body, Head, int | None]:
    """Return the library's forward pass: with pofx's head if both agree on the probe, else with the library's head."""
    known, dtype = recall(request.fingerprint), DTYPES[request.dtype]
    if known is not None and known.reader == "decoder":
        known = None
    if known is None or dtype == torch.float32:
        if known is None:
            request.report(Stage.COMPARING_STEPS, 0.0)
        body, head, found = compare_with_library(request.model(), request.checkpoint.directory, known)
        if known is None:
            remember(request.fingerprint, found)
        if dtype == torch.float32:
            return body, head, context_length(request.model())
        known = found
        del body, head
    model = request.model(dtype)
    return *make_reader(model, request.checkpoint.directory, dtype, known.reader), context_length(model)


def _fell_back(checkpoint: Checkpoint, why: str) -> None:
    warnings.warn(
        f"{checkpoint.directory}: expected equal numbers of pofx's decoder and transformers, but {why}; the "
        "library's forward is used, which is slower",
        RuntimeWarning,
        stacklevel=2,
    )
