"""The same ARPA file read by pofx and by KenLM: do the numbers agree, and who is faster?

    .venv/bin/pip install kenlm && .venv/bin/python bench/kenlm_agreement.py

Order 6 over bytes, lines of tiny-shakespeare; both score every line, EOS counted, on one thread. Medians of five.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import pofx
from pofx.units import LN10
from pofx.vocab.subwords import BYTE_CHARACTERS


def timed(function) -> tuple[float, list[float]]:
    times, out = [], []
    for _ in range(5):
        clock = time.process_time()
        out = function()
        times.append(time.process_time() - clock)
    return statistics.median(times), out


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=here.parent.parent / "shared" / "data" / "shakespeare.txt"
    )
    options = parser.parse_args()
    try:
        import kenlm
    except ModuleNotFoundError:
        raise SystemExit("kenlm is not installed; install it with: pip install kenlm") from None
    lines = [line for line in options.data.read_text(encoding="utf-8").split("\n") if line]
    lm = pofx.fit(lines, pofx.NgramSpec(order=6))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lm.arpa"
        pofx.write_arpa(lm, path)
        peer = kenlm.Model(str(path))
    words = [" ".join(BYTE_CHARACTERS[b] for b in line.encode("utf-8")) for line in lines]
    ours, a = timed(lambda: [s.total for s in pofx.score(lm, lines)])
    theirs, b = timed(lambda: [peer.score(w) * LN10 for w in words])
    worst = max(abs(x - y) for x, y in zip(a, b))
    n_bytes = sum(len(line) for line in lines)
    print(f"{len(lines):,} lines, {n_bytes:,} bytes: log p differs by at most {worst:.2g} nats a line")
    print(f"pofx  {ours:.3f} CPU s, {n_bytes / ours / 1e6:.1f} MB/s, a record with every term a line")
    print(
        f"KenLM {theirs:.3f} CPU s, {n_bytes / theirs / 1e6:.1f} MB/s, a number a line: {ours / theirs:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
