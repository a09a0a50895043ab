"""What a corpus of 10^6 to 10^12 tokens costs, on paper: rates that are measured here, times the size.

    python bench/scale_table.py                       measures, about five minutes of CPU, and prints the table
    python bench/scale_table.py --json rates.json     keeps the rates, too
    python bench/scale_table.py --rates rates.json    prints the table of rates that were kept

A rate is the difference between a larger and a smaller input, divided by the difference of their CPU seconds, so start and
imports do not count. CPU seconds are of all processes of the command. A token is one of SmolLM2, and a core hour is an hour
of one core at its measured rate; the table takes for granted that the time grows in proportion to the text.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fit_ngram_scale import measured
from scale import score, write_text
from serve import processor

UNIT = 60.0  # seconds of work in a unit
SIZES = tuple(10.0**k for k in (6, 8, 9, 10, 11, 12))


@dataclass(frozen=True)
class Rates:
    """What was measured, per core.

    Attributes:
        processor: The name of the processor.
        bytes_per_token: Bytes of text a token of SmolLM2.
        score_ngram: Bytes a CPU second that the built-in 6-gram scores.
        score_smollm2: Bytes a CPU second that SmolLM2-135M scores.
        filter: Bytes a CPU second that a filter of one language reads and parts.
        fit_ngram: Bytes a CPU second of a fit of order 5 in bounded memory.
        verify: Bytes of text a CPU second whose output `pofx verify` hashes.
        output: Bytes of output a byte of text, of `score -o DIR/ --no-text`.
        unit: CPU seconds that a unit costs by processes.
        ray_unit: Wall seconds that a unit costs on Ray, of `bench/scale_ray.py`.
    """

    processor: str
    bytes_per_token: float
    score_ngram: float
    score_smollm2: float
    filter: float
    fit_ngram: float
    verify: float
    output: float
    unit: float
    ray_unit: float


def slope(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Return the growth of the first number a unit of the second."""
    return (large[0] - small[0]) / (large[1] - small[1])


def pofx(*arguments: str) -> float:
    """Run a command; return its CPU seconds."""
    return measured([sys.executable, "-m", "pofx", *arguments])[0]


def measure(scale: float, ray_unit: float) -> Rates:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        text, out = home / "text.txt", home / "out"
        sample = home / "sample.txt"
        write_text(sample, 400_000)
        pofx("filter", "fit", str(sample), "-o", str(home / "quality"))
        jobs: dict[str, list[tuple[float, float]]] = {k: [] for k in ("score", "verify", "filter", "fit")}
        output = 0.0
        for megabytes in (0.5 * scale, 4 * scale):
            write_text(text, round(megabytes * 1e6))
            size = text.stat().st_size
            run = score(text, out, "builtin", None, 1, str(size // 4))
            jobs["score"].append((size, run.cpu))
            output = sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) / size
            jobs["verify"].append((size, pofx("verify", f"{out}/")))
            sides = [str(home / f"{side}-{megabytes}") + "/" for side in ("kept", "rest")]
            asked = [str(home / "quality"), str(text), "-o", sides[0], "--rest", sides[1], "--workers", "1"]
            jobs["filter"].append((size, pofx("filter", "apply", *asked)))
            model = str(home / f"model-{megabytes}")
            asked = [str(text), "-o", model, "--held-out", "0", "--order", "5", "--memory", "512M"]
            jobs["fit"].append((size, pofx("fit", *asked)))
        write_text(text, round(scale * 500_000))
        size = text.stat().st_size
        many = [score(text, out, "builtin", None, 1, f"{max(1000, size // n)}") for n in (4, 200)]
        network, bytes_per_token = measure_network(scale)
        return Rates(
            processor=processor(),
            bytes_per_token=bytes_per_token,
            score_ngram=slope(*jobs["score"]),
            score_smollm2=network,
            filter=slope(*jobs["filter"]),
            fit_ngram=slope(*jobs["fit"]),
            verify=slope(*jobs["verify"]),
            output=output,
            unit=slope(*((run.cpu, run.units) for run in many)),
            ray_unit=ray_unit,
        )


def measure_network(scale: float) -> tuple[float, float]:
    """Return bytes a CPU second that SmolLM2 scores, and bytes a token."""
    with tempfile.TemporaryDirectory() as folder:
        text, out = Path(folder, "text.txt"), Path(folder, "out")
        runs = []
        for kilobytes in (0.1, 10 * scale, 40 * scale):  # the first run converts the weights, and is left out
            write_text(text, round(kilobytes * 1e3))
            runs.append(score(text, out, "smollm2", "<|endoftext|>", 1, None))
        small, large = ((1e6 * run.megabytes, run.cpu) for run in runs[1:])
        return slope(small, large), 1e6 * runs[-1].megabytes / runs[-1].tokens


def number(value: float) -> str:
    """Return a number with two digits that count."""
    if value < 10:
        return f"{value:.2g}" if value >= 0.01 else f"{value:.1g}"
    power = 10 ** max(0, len(f"{value:.0f}") - 2)
    return f"{round(value / power) * power:,.0f}"


def size_of(n_bytes: float) -> str:
    for name, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{number(n_bytes / size)} {name}"
    return f"{number(n_bytes / 1e3)} kB"


def show(rates: Rates) -> None:
    jobs = {
        "score, n-gram": rates.score_ngram,
        "score, SmolLM2": rates.score_smollm2,
        "filter": rates.filter,
        "fit an n-gram": rates.fit_ngram,
        "verify": rates.verify,
    }
    print(f"{rates.processor}\n\n| input | measured |\n|---|---:|")
    for name, rate in jobs.items():
        print(f"| {name}: kB of text a CPU second | {rate / 1e3:,.1f} |")
    print(f"| bytes of text a token of SmolLM2 | {rates.bytes_per_token:.2f} |")
    print(f"| bytes of output a byte of text (`score --no-text`) | {rates.output:.4f} |")
    print(f"| ms a unit, processes | {1e3 * rates.unit:.1f} |")
    print(f"| ms a unit, Ray | {1e3 * rates.ray_unit:.1f} |\n")
    print("| tokens | text | output | " + " | ".join(f"{name}, core h" for name in jobs) + " |")
    print("|---:|" + "---:|" * (2 + len(jobs)))
    for tokens in SIZES:
        size = tokens * rates.bytes_per_token
        hours = " | ".join(number(size / rate / 3600) for rate in jobs.values())
        text, made = size_of(size), size_of(size * rates.output)
        print(f"| 10^{len(f'{tokens:.0f}') - 1} | {text} | {made} | {hours} |")
    print("\n| tokens | job | units of a minute | cores for a day | units' cost, core h | on Ray, core h |")
    print("|---:|---|---:|---:|---:|---:|")
    for tokens in SIZES:
        for name in ("score, n-gram", "score, SmolLM2"):
            seconds = tokens * rates.bytes_per_token / jobs[name]
            units = max(1.0, seconds / UNIT)
            costs = " | ".join(number(units * cost / 3600) for cost in (rates.unit, rates.ray_unit))
            cores = number(max(1.0, seconds / 86400))
            print(f"| 10^{len(f'{tokens:.0f}') - 1} | {name} | {number(units)} | {cores} | {costs} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rates", type=Path, metavar="FILE", help="rates that --json kept")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--scale", type=float, default=1.0, help="times as much text to measure")
    parser.add_argument("--ray-unit", type=float, default=0.017, help="seconds, of bench/scale_ray.py")
    parser.add_argument("--fit", type=float, help="bytes a CPU second of a fit, of bench/fit_ngram_scale.py")
    parser.add_argument("--network", action="store_true", help="with --rates: measure SmolLM2 again")
    options = parser.parse_args()
    if options.rates:
        rates = Rates(**json.loads(options.rates.read_text(encoding="utf-8")))
        if options.network:
            network, bytes_per_token = measure_network(options.scale)
            rates = replace(rates, score_smollm2=network, bytes_per_token=bytes_per_token)
    else:
        rates = measure(options.scale, options.ray_unit)
    if options.fit:
        rates = replace(rates, fit_ngram=options.fit)
    if options.json:
        options.json.write_text(json.dumps(asdict(rates), indent=1), encoding="utf-8")
    show(rates)


if __name__ == "__main__":
    main()
