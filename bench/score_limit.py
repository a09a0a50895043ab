"""How fast the machine could be: floating-point operations that a task needs, over what its matrix products reach.

Operations: 2 a weight of the body for every position that goes through the model, 2 · width · V for every scored
row, 4 · head size · heads · layers for every pair of a query and a key. A prefix that texts share counts once. The
speed is that of the body's own products over 512 rows (D: over as many rows as are drawn).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder; `body` is the number of weights in one layer's matrices."""

    layers: int
    width: int
    vocab: int
    heads: int
    head_size: int
    matrices: tuple[tuple[int, int], ...]
    windows: tuple[int, ...]  # how many keys a query of each layer sees at most

    @property
    def body(self) -> float:
        return 2.0 * self.layers * sum(a * b for a, b in self.matrices)

    @property
    def head(self) -> float:
        return 2.0 * self.width * self.vocab

    def pairs(self, keys: int) -> float:
        """Operations of one query that sees `keys` positions, over all layers."""
        return sum(4.0 * self.heads * self.head_size * min(keys, w) for w in self.windows)


def read_shape(checkpoint: Path) -> Shape:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    width, heads = config["hidden_size"], config["num_attention_heads"]
    size = config.get("head_dim") or width // heads
    keys, inner = config["num_key_value_heads"], config["intermediate_size"]
    layers = config["num_hidden_layers"]
    kinds = config.get("layer_types") or ["full_attention"] * layers
    window = config.get("sliding_window") or 0
    matrices = (
        (width, heads * size),
        (width, keys * size),
        (width, keys * size),
        (heads * size, width),
        (width, inner),
        (width, inner),
        (inner, width),
    )
    sees = tuple(window if k == "sliding_attention" and window else 1 << 40 for k in kinds)
    return Shape(layers, width, config["vocab_size"], heads, size, matrices, sees)


def operations(shape: Shape, paths: Iterable[tuple[list[int], int]]) -> float:
    """What scoring path[skip:] of every path needs, whole prefixes shared; the last token of a path is not read."""
    total, read, scored = 0.0, set(), set()
    for path, skip in paths:
        prefix = 0
        for depth, token in enumerate(path[:-1], start=1):
            prefix = hash((prefix, depth, token))
            if prefix not in read:
                read.add(prefix)
                total += shape.body + shape.pairs(depth)
            if depth >= skip and prefix not in scored:
                scored.add(prefix)
                total += shape.head
    return total


def drawn(shape: Shape, rows: int, tokens: int) -> float:
    """What drawing needs: x0 and all tokens but the last are read, each once."""
    return rows * sum(shape.body + shape.head + shape.pairs(t + 1) for t in range(tokens))


DTYPES = ("float32", "bfloat16")


def bfloat16_products() -> bool:
    """Whether the processor multiplies in bfloat16 (AVX-512 and its like). Without it one product takes minutes."""
    import torch

    there = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return there is not None and bool(there())


class Gemm:
    """A worker that measures: GFLOP/s of the body's and the head's products over `rows` rows.

    plain: the better of torch's `linear` and `mm`. best: of those and of weights packed for oneDNN, as torch's
    compiler packs them. Enough layers are read in turn that no cache holds them.
    """

    LAYERS = 8

    def __init__(self, options) -> None:
        import torch

        self.torch, self.shape = torch, read_shape(Path(options.checkpoint))

    def about(self) -> dict:
        return {}

    def run(self, task: str, items, request: dict) -> dict:
        rows, shape = request["rows"], self.shape
        layers = min(self.LAYERS, shape.layers)
        body = [matrix for _ in range(layers) for matrix in shape.matrices]
        out: dict = {}
        for dtype in DTYPES if bfloat16_products() else DTYPES[:1]:
            seconds = self.seconds(dtype, rows, body), self.seconds(dtype, rows, [(shape.width, shape.vocab)])
            operations = rows * shape.body * layers / shape.layers, rows * shape.head
            for part, s, n in zip(("body", "head"), seconds, operations):
                plain, packed = n / min(s["linear"], s["mm"]) / 1e9, n / s["packed"] / 1e9
                out.setdefault(dtype, {}).update({f"{part} plain": plain, part: max(plain, packed)})
        return {"gflops": out}

    def seconds(self, dtype: str, rows: int, matrices: list[tuple[int, int]]) -> dict[str, float]:
        """CPU seconds of all products once, by each way; the best of a few, since this is a limit."""
        torch = self.torch
        kind = getattr(torch, dtype)
        inputs = {a: torch.randn(rows, a).to(kind) for a, _ in matrices}
        weights = [torch.randn(b, a).to(kind) for a, b in matrices]
        ways = {"linear": (torch.nn.functional.linear, weights)}
        ways["mm"] = (torch.mm, [w.T.contiguous() for w in weights])
        try:
            pack, product = torch.ops.mkldnn._reorder_linear_weight, torch.ops.mkldnn._linear_pointwise
            packed = [pack(w, rows) for w in weights]
            ways["packed"] = (lambda x, w: product(x, w, None, "none", [], ""), packed)
        except (AttributeError, RuntimeError):
            pass
        found = {}
        with torch.inference_mode():
            for way, (multiply, laid_out) in ways.items():
                times = []
                for _ in range(3):
                    start = time.process_time()
                    for (a, _), w in zip(matrices, laid_out):
                        multiply(inputs[a], w)
                    times.append(time.process_time() - start)
                found[way] = min(times)
        found.setdefault("packed", found["linear"])
        return found
