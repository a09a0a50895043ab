"""How much an estimate of P(condition) varies: particles thinned, as pofx does it, beside particles resampled.

    python bench/condition.py              64 particles a run, as many as there are by default; 60 runs
    python bench/condition.py --n 16 256   other numbers

Both ways ask the same questions of the same models with the same twisting function, and read as many next-token
distributions: n a step. Resampling is the usual way (tests/resampled.py): one draw a particle, and all particles are drawn
again where the effective number falls below n / 2. The script prints the standard deviation of one run's estimate, divided
by the probability, and the ratio of the variances. The probability is exact for the n-grams; for the transformer it is the
mean of 8 runs of 1,024 particles.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pofx
from pofx import Contains, Length, Matches, NgramSpec, TransformerSpec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from resampled import relative_errors, two_ways  # noqa: E402

MOST = 40
QUESTIONS = (Contains("love"), Matches(r"[A-Z][a-z]+ and .*\."), Length(12))


def models() -> dict[str, pofx.LM]:
    texts = list(pofx.documents(ROOT / "docs" / "proverbs.txt"))
    small = TransformerSpec(layers=2, width=64, heads=2, context=64, vocab="bytes", epochs=4, seed=0)
    return {
        "bytes, order 4": pofx.fit(texts, NgramSpec(order=4)),
        "400 subwords, order 2": pofx.fit(texts, NgramSpec(order=2, vocab="bpe:400")),
        "transformer": pofx.fit(texts, small),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, nargs="+", default=[64], help="particles of a run")
    parser.add_argument("--runs", type=int, default=60)
    asked = parser.parse_args()
    print("| model | the text | log P | n | thinned | resampled | variances |\n|---|---|---|---|---|---|---|")
    for name, lm in models().items():
        for on in QUESTIONS:
            found = pofx.condition(lm, on, n=8 * 1024, max_tokens=MOST)
            ways = two_ways(lm, on, MOST)
            for n in asked.n:
                ours, theirs = (relative_errors(run, n, asked.runs, found.log_evidence)[1] for run in ways)
                print(
                    f"| {name} | {on} | {found.log_evidence:.2f} | {n} | {ours:.3f} | {theirs:.3f} | "
                    f"{(theirs / ours) ** 2:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
