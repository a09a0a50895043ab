"""The own decoder beside the library's forward on random models: CPU seconds of one thread, turn by turn.

    python bench/own_decoder.py [--turns 3] [gpt2] [gpt_neox] [mixtral] …

Three readers score the same ids: the own decoder, pofx on the body of the library, and a plain loop that calls the library
once for each text. Each turn runs all readers, one after the other, and the table has the median of the turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.library.model import read_model
from pofx.models.pretrained.library.reader import compare_with_library
from pofx.models.pretrained.model import PretrainedLM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from tiny_architectures import write  # noqa: E402

ROWS = 16_384
WIDTH = {"hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "vocab_size": ROWS}
# By type: fields that make about 33 million parameters, or 8 experts of which 2 read a token.
SIZES: dict[str, dict[str, Any]] = {
    "gpt2": {**WIDTH, "n_inner": 2048, "max_position_embeddings": 1024},
    "gpt_neox": {**WIDTH, "intermediate_size": 2048, "max_position_embeddings": 1024},
    "mixtral": {
        **WIDTH,
        "num_hidden_layers": 4,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "intermediate_size": 1024,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "max_position_embeddings": 1024,
    },
}


def texts(seed: int = 0) -> dict[str, tuple[list[list[int]], list[int]]]:
    """By task: paths of ids, and after how many ids each is scored."""
    rng = np.random.default_rng(seed)

    def some(n: int) -> list[int]:
        return [int(i) for i in rng.integers(4, ROWS, n)]

    short = [some(int(n)) for n in rng.integers(8, 32, 100)]
    context = some(370)
    answers = [[*context, *some(8)] for _ in range(20)]
    return {
        "100 sentences": (short, [1] * len(short)),
        "20 answers behind 370 tokens": (answers, [370] * len(answers)),
        "2 texts of 900 tokens": ([some(900) for _ in range(2)], [1, 1]),
    }


def plain(model: Any) -> Callable[[list[list[int]], list[int]], list[np.ndarray]]:
    """A loop over texts, as the library's documentation shows it."""

    @torch.inference_mode()
    def score(paths: list[list[int]], skip: list[int]) -> list[np.ndarray]:
        out = []
        for path, first in zip(paths, skip):
            logits = model(torch.tensor([path[:-1]]), use_cache=False).logits[0, first - 1 :]
            law = torch.log_softmax(logits, -1)
            out.append(law[torch.arange(len(law)), torch.tensor(path[first:])].numpy())
        return out

    return score


def compared(kind: str, turns: int) -> None:
    """Print a row for each task: CPU seconds of the three readers, the largest difference, and the ratios."""
    with tempfile.TemporaryDirectory() as home:
        fields = {**SIZES[kind], "initializer_range": 0.02}
        checkpoint = check_checkpoint(write(Path(home), kind, **fields))
        own = read_pretrained(checkpoint, None, "float32", None)
        assert isinstance(own.body, DecoderBody)
        assert own.body.width == 512
        model = read_model(checkpoint, torch.float32)
        body, head, _ = compare_with_library(model, checkpoint.directory, None)
        library = PretrainedLM(body, head, own.vocab, own.context, "float32")
        readers: dict[str, Callable[[list[list[int]], list[int]], list[np.ndarray]]] = {
            "own": lambda paths, skip: own.forward(paths, skip=skip).logp,
            "library": lambda paths, skip: library.forward(paths, skip=skip).logp,
            "loop": plain(model),
        }
        for task, (paths, skip) in texts().items():
            seconds: dict[str, list[float]] = {name: [] for name in readers}
            found: dict[str, list[np.ndarray]] = {}
            for _ in range(turns):
                for name, score in readers.items():
                    start = time.process_time()
                    found[name] = score(paths, skip)
                    seconds[name].append(time.process_time() - start)
            s = {name: statistics.median(x) for name, x in seconds.items()}
            off = max(float(np.abs(a - b).max()) for a, b in zip(found["own"], found["loop"], strict=True))
            print(
                f"{kind:9} {task:30} own {s['own']:6.2f} s  library {s['library']:6.2f} s  loop {s['loop']:6.2f} s  "
                f"library/own {s['library'] / s['own']:5.2f}  loop/own {s['loop'] / s['own']:5.2f}  off {off:.1e}",
                flush=True,
            )


def main() -> None:
    """The types asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("kinds", nargs="*", default=["gpt2", "gpt_neox"])
    asked.add_argument("--turns", type=int, default=3)
    options = asked.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for kind in options.kinds:
        compared(kind, options.turns)


if __name__ == "__main__":
    main()
