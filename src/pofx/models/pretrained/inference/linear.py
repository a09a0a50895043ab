"""The product x · Wᵀ, whose weights are laid out once for the processor, where torch can do so."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import ctypes
import os
import sys
from itertools import pairwise

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
import torch.nn.functional as F
from torch import Tensor

# The number of rows for which the layout is chosen. oneDNN keeps the layout for other numbers of rows: packed for 512 rows,
# products of 4, 32 and 512 rows ran at 87, 81 and 103 GFLOP/s (MKL without packing: 28, 61, 83).
ROWS = 512
# The kernel of oneDNN adds all products of a row in one float32, which loses digits beside a few huge activations. Over
# 1,536 columns SmolLM2 was 1.3e-5 nats a token off a float64 forward pass, at worst 1.9e-4. In parts of 384 columns, whose
# sums are added, SmolLM2 is off by 7e-6, at worst 3.4e-5, for 7 % of the speed of the product.
LONGEST, PART = 768, 384
# oneDNN compiles a kernel for each shape and each number of rows: 1 ms, and 561 KiB of memory. By default a process keeps
# 1,024 kernels, and torch keeps 1,024 for each thread: ever new numbers of rows took 56 MB more in each of five threads.
# A pass needs five kernels, and repeats them in each layer: with fewer than `A_THREAD`, a product took 15 µs longer.
IN_ALL, A_THREAD = 128, 8
_IN_ALL_NAMES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
# Both libraries read their variable at their first product, so an earlier import of torch does no harm.
if not any(name in os.environ for name in _IN_ALL_NAMES):
    os.environ[_IN_ALL_NAMES[0]] = str(IN_ALL)
os.environ.setdefault("LRU_CACHE_CAPACITY", str(A_THREAD))


def can_pack(dtype: torch.dtype = torch.float32) -> bool:
    """Return whether torch can lay out weights for oneDNN, by a function of its compiler that is not public.

    In bfloat16 the layout also needs a processor with products in bfloat16, such as by AVX-512.
    """
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    if not there or not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    return dtype == torch.float32 or (
        dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )


class Linear:
    """The layer x · Wᵀ + b of `W[o, i]`: `[n, i]` to `[n, o]`.

    Args:
        weight: `[o, i]`, W.
        bias: `[o]`, b; None for no bias.
        dtype: The dtype of the product, and of the result of `raw`.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        self.dtype = dtype
        self.bias = None if bias is None else bias.to(dtype)
        self.packed = can_pack(dtype)
        inner = weight.shape[1]
        long = self.packed and dtype == torch.float32 and inner > LONGEST
        parts = -(-inner // PART) if long else 1
        self.edges = [inner * k // parts for k in range(parts + 1)]
        self.parts = [self._laid_out(weight[:, lo:hi].to(dtype)) for lo, hi in pairwise(self.edges)]

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product, as float32."""
        return self.raw(x).float()

    def raw(self, x: Tensor) -> Tensor:
        """Return the product, in `dtype`."""
        y = x.to(self.dtype)
        if not self.packed:
            return F.linear(y, self.parts[0], self.bias)
        if len(self.parts) == 1:
            return _product(y, self.parts[0], self.bias)
        out = _product(y[:, : self.edges[1]], self.parts[0], self.bias)
        for part, (lo, hi) in zip(self.parts[1:], pairwise(self.edges[1:])):
            out += _product(y[:, lo:hi], part, None)
        return out

    def _laid_out(self, weight: Tensor) -> Tensor:
        if not self.packed:
            return weight.clone()  # the caller may overwrite its tensor
        out: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
        return out


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out


def release_freed_memory() -> None:
    """Return freed memory to the system, where the C library can.

    Laying out 538 MB of weights leaves 100 MB of holes, which glibc would keep.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
