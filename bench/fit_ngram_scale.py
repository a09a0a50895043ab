"""Fits n-grams of texts of growing size: in memory, and in bounded memory by one and two processes.

    python bench/fit_ngram_scale.py --sizes 1 10 100 --memory 512M
    python bench/fit_ngram_scale.py --sizes 1000 --memory 2G --most-in-memory 100 --workers 2

The text is made of the lines of the Python files and documentation on the machine: distinct lines, shuffled by a seed, and
shuffled again for as long as the text is too short. Each fit is a process of its own, `pofx fit`. The figures are those of
the whole tree of processes: CPU seconds, wall seconds, the peak of the resident memory, and the peak of its anonymous part,
which the system cannot give back. The last column says whether the model has the bytes of the first fit. Bits per byte are
those of 2,000 lines that the text does not have, if the text has not used up all lines.

If lmplz of KenLM is there (`make lmplz`), it fits the same n-grams of the same bytes with the same bound, `-S`: each byte is
spelled as a word. The spelling is not measured. Its result is an ARPA file, whose size is shown.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PLACES = ("/usr/share/doc", "/usr/lib/python3", sys.prefix, sys.base_prefix)
ENDINGS = (".py", ".txt", ".md", ".rst", ".html", ".pyi", ".h", ".js")
SEED = 1
LMPLZ = Path(__file__).parents[1] / ".venv-kenlm/bin/lmplz"
HELD_OUT = 2000  # lines


def lines() -> list[bytes]:
    """Return the distinct lines of the texts on the machine, in one order for all runs on it."""
    found: set[bytes] = set()
    for place in PLACES:
        for root, folders, names in os.walk(place):
            folders.sort()
            for name in sorted(names):
                if name.endswith(ENDINGS):
                    try:
                        text = Path(root, name).read_bytes()
                        text.decode("utf-8")
                    except (OSError, UnicodeDecodeError):
                        continue
                    found.update(
                        line for line in text.splitlines() if 20 <= len(line) <= 2000 and line.strip()
                    )
    return sorted(found)


def held_out(source: list[bytes]) -> list[str]:
    """Return the last lines of the first shuffle, which a text has only if all others are used up."""
    some = source.copy()
    random.Random(SEED).shuffle(some)
    return [line.decode("utf-8") for line in some[-HELD_OUT:]]


def spell(text: Path, out: Path) -> None:
    """Write each line as the bytes of the line, spelled as words that lmplz can tell apart."""
    names = {byte: f"{byte:02x}" for byte in range(256)}
    with text.open("rb") as lines, out.open("w", encoding="ascii") as spelled:
        for line in lines:
            spelled.write(" ".join(map(names.__getitem__, line[:-1])) + "\n")


def bits_per_byte(model: Path, lines: list[str]) -> float:
    """Return −log2 p of lines, EOS counted, over their bytes."""
    import pofx

    total = sum(s.total for s in pofx.score(pofx.load(model), lines))
    return -total / math.log(2) / sum(len(line.encode("utf-8")) for line in lines)


def write_text(path: Path, megabytes: float, source: list[bytes]) -> float:
    """Write so many megabytes of shuffled lines, and return how often the lines were used."""
    rng, left, turns = random.Random(SEED), megabytes * 1e6, 0.0
    with path.open("wb") as out:
        while left > 0:
            some = source.copy()
            rng.shuffle(some)
            for n, line in enumerate(some):
                out.write(line + b"\n")
                left -= len(line) + 1
                if left <= 0:
                    return turns + (n + 1) / len(some)
            turns += 1
    return turns


def tree(pid: int) -> Iterator[int]:
    """Yield the ids of a process and of its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from tree(int(child))


def memory(pid: int) -> tuple[int, int]:
    """Return the resident and the anonymous bytes of a tree of processes."""
    resident = anonymous = 0
    for one in list(tree(pid)):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
        resident += int(fields["VmRSS"].split()[0]) << 10
        anonymous += int(fields["RssAnon"].split()[0]) << 10
    return resident, anonymous


def measured(command: list[str]) -> tuple[float, float, int, int]:
    """Run a command; return CPU seconds, wall seconds, and the peaks of resident and anonymous bytes."""
    started = time.perf_counter()
    # lmplz tells its progress on standard error; the messages of a fit that fails are needed.
    said = subprocess.DEVNULL if command[0] == str(LMPLZ) else None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
    peaks = (0, 0)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        with suppress(OSError, KeyError):  # a process that ends while it is read
            peaks = tuple(map(max, peaks, memory(process.pid)))
        time.sleep(0.05)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started, *peaks


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 10, 100], help="MB of text")
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument(
        "--most-in-memory", type=float, default=100, help="largest text for the fit in memory"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    processor = next(
        (
            s.split(":")[1].strip()
            for s in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in s
        ),
        "",
    )
    print(f"{processor or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    source = lines()
    print(f"{len(source):,} distinct lines, {sum(map(len, source)) / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory() as home:
        text, model = Path(home, "text.txt"), Path(home, "model")
        base = [sys.executable, "-m", "pofx", "fit", str(text), "-o", str(model), "--held-out", "0", "--json"]
        base += ["--order", str(options.order)]
        for size in options.sizes:
            turns = write_text(text, size, source)
            print(f"\n{size:g} MB, the lines {turns:.2f} times")
            print(f"{'fit':28} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'anon MB':>8}  model")
            ways = [["--memory", options.memory, "--workers", str(n)] for n in options.workers]
            if size <= options.most_in_memory:
                ways.insert(0, [])
            expected = ""
            for way in ways:
                cpu, wall, resident, anonymous = measured(base + way)
                found = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
                expected = expected or found
                size_of = (model / "model.safetensors").stat().st_size
                same = "same bytes" if found == expected else "OTHER BYTES"
                figures = f"{cpu:8.1f} {wall:8.1f} {resident / 1e6:8.0f} {anonymous / 1e6:8.0f}"
                print(
                    f"{' '.join(way) or 'in memory':28} {figures}  {size_of / 1e6:.0f} MB {same}", flush=True
                )
                if way == ways[-1] and turns < 0.99:
                    print(
                        f"{bits_per_byte(model, held_out(source)):.4f} bits per byte of {HELD_OUT:,} other lines"
                    )
                shutil.rmtree(model)
            if LMPLZ.is_file():
                spelled, arpa = Path(home, "spelled.txt"), Path(home, "lm.arpa")
                spell(text, spelled)
                peer = [str(LMPLZ), "-o", str(options.order), "-S", options.memory, "-T", home]
                peer += ["--text", str(spelled), "--arpa", str(arpa), "--discount_fallback"]
                cpu, wall, resident, anonymous = measured(peer)
                figures = f"{cpu:8.1f} {wall:8.1f} {resident / 1e6:8.0f} {anonymous / 1e6:8.0f}"
                print(
                    f"{'lmplz -S ' + options.memory:28} {figures}  {arpa.stat().st_size / 1e6:.0f} MB ARPA",
                    flush=True,
                )
                spelled.unlink()
                arpa.unlink()


if __name__ == "__main__":
    main()
