"""A transformer fitted by several workers: tokens a second, CPU seconds, and the losses beside those of one process.

    python bench/fit_workers.py                speed at widths 128 and 256, and the losses of three seeds
    python bench/fit_workers.py --widths 384 --tokens 30000 --seeds 0

The text is the documentation of the Python standard library. Each fit runs alone, in a process of its own. CPU seconds are
of all its processes; those of a fit of a few steps are subtracted, so start and imports do not count. Wall seconds are of
the steps alone, and mean little where other work shares the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from serve import processor

FEW = 1000  # tokens of the fit whose CPU seconds are subtracted
# Workers, threads of each. More threads than one are used by networks of width 256 and more alone.
WAYS = ((1, 1), (2, 1), (1, 2))


def fit(width: int, layers: int, workers: int, tokens: int, seed: int) -> None:
    """Fit, and print the numbers: in a process of its own."""
    import pofx
    from pofx.models.transformer.fit_state import FitProgress

    texts = list(pofx.builtin_documents())[:1500]
    size = sum(len(t.encode()) + 1 for t in texts[:1400])
    spec = pofx.TransformerSpec(
        layers=layers, width=width, heads=width // 32, epochs=tokens / size, seed=seed
    )
    seen: list[FitProgress] = []
    pofx.fit(texts[:1400], spec, validation=texts[1400:], progress=seen.append, workers=workers)
    first, last = seen[0], seen[-1]
    share = (last.step - first.step) / last.step
    print(
        json.dumps(
            {
                "steps": last.step,
                "tokens": last.passes * size,
                "wall": (last.elapsed - first.elapsed) / share,
                "train": [p.train_bits_per_byte for p in seen],
                "loss": last.validation_bits_per_byte,
            }
        )
    )


def measured(width: int, layers: int, way: tuple[int, int], tokens: int, seed: int = 0) -> dict:
    workers, threads = way
    asked = [str(n) for n in (width, layers, workers, tokens, seed)]
    child = subprocess.Popen(
        [sys.executable, __file__, "--one", *asked],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    assert child.stdout is not None
    out = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, asked
    return json.loads(out) | {"cpu": used.ru_utime + used.ru_stime}


def show_speed(width: int, layers: int, tokens: int) -> None:
    print(f"\nwidth {width}, {layers} layers, {tokens:,} tokens\n")
    print(
        "| workers | threads of each | CPU s | tokens a CPU second | wall s | tokens/s | held out, bits per byte |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for way in WAYS:
        few, many = (measured(width, layers, way, n) for n in (FEW, tokens))
        cpu, read = many["cpu"] - few["cpu"], many["tokens"] - few["tokens"]
        print(
            f"| {way[0]} | {way[1]} | {cpu:.1f} | {read / cpu:,.0f} | {many['wall']:.1f} | "
            f"{many['tokens'] / many['wall']:,.0f} | {many['loss']:.4f} |",
            flush=True,
        )


def show_losses(seeds: int, tokens: int) -> None:
    print(f"\nheld out, bits per byte; width 64, 2 layers, {tokens:,} tokens\n")
    print("| seed | 1 worker | 2 workers | largest difference of the training loss in the first 20 steps |")
    print("|---:|---:|---:|---:|")
    for seed in range(seeds):
        one, two = (measured(64, 2, (workers, 1), tokens, seed) for workers in (1, 2))
        apart = max(abs(a - b) for a, b in zip(one["train"][:20], two["train"][:20]))
        print(f"| {seed} | {one['loss']:.4f} | {two['loss']:.4f} | {apart:.1e} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=80_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--one", type=int, nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        width, layers, workers, tokens, seed = options.one
        fit(width, layers, workers, tokens, seed)
        return
    load = Path("/proc/loadavg")
    busy = f", load {load.read_text().split()[0]}" if load.exists() else ""
    print(f"{processor()}, {len(os.sched_getaffinity(0))} cores{busy}")
    for width in options.widths:
        show_speed(width, options.layers, options.tokens)
    if options.seeds:
        show_losses(options.seeds, options.tokens)


if __name__ == "__main__":
    main()
