"""Bits a byte, and speed both ways, beside xz, bz2, zstd and ppmd on tiny-shakespeare, on one thread.

    python bench/compress.py [--data TEXT] [--order 7] [--one-lane] [--pretrained smollm2 --bytes 4000 --lanes 8]

Two settings. The whole text without a model: pofx's adaptive code beside general compressors, ppmd at its best order of
2 to 12 in both variants. The last 10 % after the first 90 %: an n-gram fitted on these; for the others what the last
10 % add to the code of the first 90 %. Needs pyppmd (pip install pyppmd==1.3.1). Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import bz2
import lzma
import time
from collections.abc import Callable
from pathlib import Path

import pyppmd
import zstandard

import pofx

Coder = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]
MEMORY = 256 << 20


def ppmd(order: int, variant: str) -> Coder:
    kind = {"max_order": order, "mem_size": MEMORY, "variant": variant}
    return lambda d: pyppmd.compress(d, **kind), lambda c: pyppmd.decompress(c, **kind)


def best_ppmd(data: bytes) -> tuple[str, Coder]:
    asked = [(n, v) for v in "HI" for n in range(2, 13)]
    order, variant = min(asked, key=lambda a: len(ppmd(*a)[0](data)))
    return f"ppmd {variant}, order {order}", ppmd(order, variant)


def coders(data: bytes) -> dict[str, Coder]:
    zstd = zstandard.ZstdCompressionParameters.from_level(22, source_size=len(data))
    name, best = best_ppmd(data)
    return {
        "pofx, adaptive": (lambda d: pofx.compress(None, d), lambda c: pofx.decompress(None, c)),
        name: best,
        "bz2 -9": (lambda d: bz2.compress(d, 9), bz2.decompress),
        "xz -9e": (lambda d: lzma.compress(d, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
        "zstd -22 --ultra": (
            lambda d: zstandard.ZstdCompressor(compression_params=zstd).compress(d),
            zstandard.ZstdDecompressor().decompress,
        ),
    }


def timed(function: Callable[[bytes], bytes], data: bytes) -> tuple[bytes, float]:
    clock = time.process_time()
    return function(data), time.process_time() - clock


def row(name: str, size: int, n: int, there: float, back: float) -> None:
    print(
        f"| {name:24} | {size:9,} | {8 * size / n:6.4f} | {there:8.2f} | {back:8.2f} | "
        f"{n / there / 1e3:8,.0f} | {n / back / 1e3:8,.0f} |"
    )


def head(title: str) -> None:
    print(f"\n{title}\n")
    print("| coder                    |     bytes | bits/B | CPU s to | CPU s fro | kB/s to | kB/s fro |")
    print("|---|---|---|---|---|---|---|")


def whole(data: bytes) -> None:
    head(f"The whole text, {len(data):,} bytes, no model")
    pofx.compress(None, b"compiled before it is timed")
    for name, (there, back) in coders(data).items():
        code, t = timed(there, data)
        again, b = timed(back, code)
        assert again == data
        row(name, len(code), len(data), t, b)


def behind(data: bytes, order: int, one: bool) -> None:
    # A cut inside a line would begin the held-out text in the middle of a word.
    cut = data.rfind(b"\n", 0, len(data) * 9 // 10) + 1
    fitted, held = data[:cut], data[cut:]
    head(f"The last 10 %, {len(held):,} bytes, after the first 90 %")
    for lanes in (None, 1) if one else (None,):
        lm = pofx.fit([fitted], pofx.NgramSpec(order=order))
        clock = time.process_time()
        made = pofx.compression(lm, held, lanes)
        t = time.process_time() - clock
        again, b = timed(lambda c, lm=lm: pofx.decompress(lm, c), made.blob)
        assert again == held
        row(f"pofx, {order}-gram, lanes: {made.lanes}", len(made.blob), len(held), t, b)
        print(
            f"|   −log2 p(x) {made.ideal_bits:,.0f} bits, lanes {made.lane_bits:,.0f}, "
            f"quantisation {made.quantisation_bits:,.0f}, header {made.header_bits:,} | | | | | | |"
        )
    for name, (there, _) in coders(data).items():
        added = len(there(data)) - len(there(fitted))
        print(f"| {name:24} | {added:9,} | {8 * added / len(held):6.4f} | | | | |")


def pretrained(data: bytes, name: str, n: int, lanes: int) -> None:
    lm = pofx.load(name, begin="<|endoftext|>" if name == "smollm2" else None)
    some = data[-n:]
    head(f"The last {n:,} bytes by {name}")
    for parts in (1, lanes):
        clock = time.process_time()
        made = pofx.compression(lm, some, parts)
        t = time.process_time() - clock
        again, b = timed(lambda c: pofx.decompress(lm, c), made.blob)
        assert again == some
        row(f"pofx, {name}, lanes: {made.lanes}", len(made.blob), len(some), t, b)
        each = (made.payload_bits - made.ideal_bits - made.lane_bits) / made.tokens
        print(f"|   {made.tokens:,} tokens, {each:.4f} bits of quantisation each | | | | | | |")


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=here.parent.parent / "shared" / "data" / "shakespeare.txt"
    )
    parser.add_argument("--order", type=int, default=7)
    parser.add_argument("--one-lane", action="store_true", help="also the n-gram's text in one lane: minutes")
    parser.add_argument("--pretrained", metavar="MODEL", help="and some bytes by this model")
    parser.add_argument("--bytes", type=int, default=4000)
    parser.add_argument("--lanes", type=int, default=8)
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"{options.data}: expected tiny-shakespeare there; name it with --data")
    data = options.data.read_bytes()
    whole(data)
    behind(data, options.order, options.one_lane)
    if options.pretrained:
        pretrained(data, options.pretrained, options.bytes, options.lanes)


if __name__ == "__main__":
    main()
