"""The same ARPA file read by pofx and by KenLM: do the numbers agree, who is faster, and who takes less memory?

    python bench/kenlm_agreement.py [--lmplz .venv-kenlm/bin/lmplz]

Two models of the lines of tiny-shakespeare: order 6 over bytes, fitted by pofx, and order 5 over words, fitted by lmplz.
Both tools score every line, EOS counted, on one thread; medians of five turns, which the tools take one after the other.
The module `kenlm` must be importable (`pip install kenlm`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pofx
from pofx.models.ngram.automaton import make_automaton
from pofx.queries.scoring.totals import score_totals
from pofx.units import LN10
from pofx.vocab.subwords import BYTE_CHARACTERS

TURNS = 5


def turns(functions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median of the CPU seconds of each function; the functions take turns, after one turn as a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(TURNS + 1):
        for name, function in functions.items():
            clock = time.process_time()
            function()
            if turn:
                times[name].append(time.process_time() - clock)
    return {name: statistics.median(t) for name, t in times.items()}


def memory(lm: Any, arpa: Path, builder: Path) -> None:
    """Print the bytes of the models beside the number of n-grams of all lengths."""
    n = sum(int(np.count_nonzero(lm.table.oldest(k) != 0)) for k in range(1, lm.order + 1))
    made = make_automaton(lm.backoff, lm.codes.begin)
    sizes = {"pofx: automaton": made.nbytes if made else 0}
    with tempfile.TemporaryDirectory() as folder:
        pofx.save(lm, Path(folder) / "model")
        sizes["pofx: table"] = (Path(folder) / "model" / "model.safetensors").stat().st_size
        for kind in ("probing", "trie"):
            if builder.is_file():
                out = Path(folder) / kind
                # KenLM wants p of unknown words, which a model over bytes lacks.
                command = [builder, "-s", kind, arpa, out]
                subprocess.run(command, check=True, capture_output=True)
                sizes[f"KenLM: {kind}"] = out.stat().st_size
    print(f"{n:,} n-grams; bytes of an n-gram: " + ", ".join(f"{k} {v / n:.1f}" for k, v in sizes.items()))


def compare(name: str, lm: Any, arpa: Path, lines: list[str], spelled: list[str], builder: Path) -> None:
    import kenlm

    peer = kenlm.Model(str(arpa))
    ours, theirs = pofx.log_probs(lm, lines), np.array([peer.score(s) * LN10 for s in spelled])
    by_table = np.array([s.total for s in pofx.score(lm, lines[:2000])])
    n_bytes = sum(len(line.encode()) for line in lines)
    print(f"\n{name}: {len(lines):,} lines, {n_bytes:,} bytes")
    print(f"log p differs from KenLM's by at most {np.abs(ours - theirs).max():.2g} nats a line")
    found = turns(
        {
            "pofx, columns of score -o DIR/": lambda: score_totals(lm, lines),
            "pofx.log_probs": lambda: pofx.log_probs(lm, lines),
            "KenLM, Model.score a line": lambda: [peer.score(s) for s in spelled],
        }
    )
    worst = np.abs(pofx.log_probs(lm, lines)[:2000] - by_table).max()
    print(f"log p with and without the automaton differs by at most {worst:.2g} nats a line")
    for tool, seconds in found.items():
        print(f"{tool:31} {seconds:.3f} CPU s  {n_bytes / seconds / 1e6:6.1f} MB/s")
    memory(lm, arpa, builder)


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=here.parent.parent / "shared" / "data" / "shakespeare.txt"
    )
    parser.add_argument("--lmplz", type=Path, default=here.parent / ".venv-kenlm" / "bin" / "lmplz")
    options = parser.parse_args()
    try:
        import kenlm  # noqa: F401
    except ModuleNotFoundError:
        raise SystemExit("kenlm is not installed; install it with: pip install kenlm") from None
    lines = [line for line in options.data.read_text(encoding="utf-8").split("\n") if line.split()]
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder) / "bytes.arpa"
        lm = pofx.fit(lines, pofx.NgramSpec(order=6))
        pofx.write_arpa(lm, arpa)
        spelled = [" ".join(BYTE_CHARACTERS[b] for b in line.encode("utf-8")) for line in lines]
        builder = options.lmplz.parent / "build_binary"
        compare("order 6 over bytes", lm, arpa, lines, spelled, builder)
        if not options.lmplz.is_file():
            print(f"\nno {options.lmplz}: the model of words is left out (make lmplz)")
            return
        words = [" ".join(line.split()) for line in lines]
        text, arpa = Path(folder) / "words.txt", Path(folder) / "words.arpa"
        text.write_text("\n".join(words) + "\n")
        command = [options.lmplz, "-o", "5", "-S", "200M", "-T", folder, "--text", text, "--arpa", arpa]
        subprocess.run(command, check=True, capture_output=True)
        compare("order 5 over words", pofx.load(arpa), arpa, words, words, builder)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
