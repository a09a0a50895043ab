"""Fits n-grams of texts of growing size: in memory, and in bounded memory by one and two processes.

    python bench/fit_ngram_scale.py --sizes 1 10 100 --memory 512M
    python bench/fit_ngram_scale.py --sizes 1000 --memory 1500M --most-in-memory 100 --workers 2 --most-lmplz 0

The second command takes about ten minutes on two idle cores.

The text is made of the lines of the Python files and documentation on the machine: distinct lines, shuffled by a seed, and
shuffled again for as long as the text is too short. Each fit is a process of its own, `pofx fit`. The figures are those of
the whole tree of processes: CPU seconds, wall seconds, the peak of the resident memory, and the peak of its anonymous part,
which the system cannot give back. The last column says whether the model has the bytes of the first fit. Bits per byte are
those of 2,000 lines that no text has, EOS counted.

If lmplz of KenLM is there (`make lmplz`), it fits the same n-grams of the same bytes with the same bound, `-S`: each byte is
spelled as a word. The spelling is not measured. Its result is an ARPA file, whose size is shown.
pofx reads this file for the bits per byte; this reading takes longer than the fit, so `--most-read-back` bounds the size of
the text. The 256 bytes are the outcomes of pofx, and the bytes of the text those of lmplz, so the last digits differ.
`POFX_LMPLZ_TEXT=FILE pytest tests/models/ngram/test_lmplz.py` compares every number over the same words.
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

from serve import processor

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


def parts(source: list[bytes]) -> tuple[list[bytes], list[str]]:
    """Return the lines that the texts are made of, and the lines that are held out of all texts."""
    some = source.copy()
    random.Random(SEED).shuffle(some)
    return some[:-HELD_OUT], [line.decode("utf-8") for line in some[-HELD_OUT:]]


def spell(text: Path, out: Path) -> None:
    """Write each line as the bytes of the line, spelled as words that lmplz can tell apart."""
    names = {byte: f"{byte:02x}" for byte in range(256)}
    with text.open("rb") as lines, out.open("w", encoding="ascii") as spelled:
        for line in lines:
            spelled.write(" ".join(map(names.__getitem__, line[:-1])) + "\n")


def bits_per_byte(model: Path, lines: list[str], as_words: bool = False) -> float:
    """Return −log2 p of lines, EOS counted, over their bytes; `as_words` for a model of spelled bytes."""
    import pofx

    texts = (
        [" ".join(f"{byte:02x}" for byte in line.encode("utf-8")) for line in lines] if as_words else lines
    )
    lm = pofx.load(model, unknown="class") if as_words else pofx.load(model)
    total = sum(s.total for s in pofx.score(lm, texts))
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
    """Return the resident and the anonymous bytes of a tree of processes.

    The resident bytes are at least the highest that one process has had, since looks come too late for a short peak. The
    system's `ru_maxrss` is no such figure: it begins with the memory of this script, which holds 950 MB of lines.
    """
    resident = anonymous = highest = 0
    for one in list(tree(pid)):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
        resident += int(fields["VmRSS"].split()[0]) << 10
        anonymous += int(fields["RssAnon"].split()[0]) << 10
        highest = max(highest, int(fields["VmHWM"].split()[0]) << 10)
    return max(resident, highest), anonymous


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


def show(name: str, figures: tuple[float, float, int, int], bits: float | None, result: str) -> None:
    cpu, wall, resident, anonymous = figures
    loss = "" if bits is None else f"{bits:.4f}"
    print(
        f"{name:28} {cpu:8.1f} {wall:8.1f} {resident / 1e6:8.0f} {anonymous / 1e6:8.0f} {loss:>9}  {result}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 10, 100], help="MB of text")
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument(
        "--most-in-memory", type=float, default=100, help="largest text for the fit in memory, MB"
    )
    parser.add_argument("--most-lmplz", type=float, default=1000, help="largest text for lmplz, MB")
    parser.add_argument(
        "--most-read-back", type=float, default=10, help="largest text whose ARPA file is read, MB"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    load = Path("/proc/loadavg").read_text().split()[0] if Path("/proc/loadavg").exists() else "unknown"
    print(f"{processor()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}")
    source, other = parts(lines())
    print(f"{len(source):,} distinct lines, {sum(map(len, source)) / 1e6:.0f} MB; {HELD_OUT:,} held out")
    with tempfile.TemporaryDirectory() as home:
        for size in options.sizes:
            text = Path(home, "text.txt")
            turns = write_text(text, size, source)
            print(f"\n{size:g} MB, the lines {turns:.2f} times")
            print(
                f"{'fit':28} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'anon MB':>8} {'bits/byte':>9}  model"
            )
            ours(Path(home), text, options, size <= options.most_in_memory, other)
            if LMPLZ.is_file() and size <= options.most_lmplz:
                theirs(Path(home), text, options, size <= options.most_read_back, other)


def ours(home: Path, text: Path, options: argparse.Namespace, in_memory: bool, other: list[str]) -> None:
    """Fit by pofx in each way; models with the same bytes have the same bits per byte."""
    model = home / "model"
    base = [sys.executable, "-m", "pofx", "fit", str(text), "-o", str(model), "--held-out", "0", "--json"]
    base += ["--order", str(options.order)]
    ways = [["--memory", options.memory, "--workers", str(n)] for n in options.workers]
    found: dict[str, float] = {}
    for way in [*([[]] if in_memory else []), *ways]:
        figures = measured(base + way)
        file = model / "model.safetensors"
        with file.open("rb") as opened:
            code = hashlib.file_digest(opened, "sha256").hexdigest()
        same = "same bytes" if not found or code in found else "OTHER BYTES"
        if code not in found:
            found[code] = bits_per_byte(model, other)
        show(" ".join(way) or "in memory", figures, found[code], f"{file.stat().st_size / 1e6:.0f} MB {same}")
        shutil.rmtree(model)


def theirs(home: Path, text: Path, options: argparse.Namespace, read: bool, other: list[str]) -> None:
    """Fit by lmplz."""
    spelled, arpa = home / "spelled.txt", home / "lm.arpa"
    spell(text, spelled)
    peer = [str(LMPLZ), "-o", str(options.order), "-S", options.memory, "-T", str(home)]
    peer += ["--text", str(spelled), "--arpa", str(arpa), "--discount_fallback"]
    figures = measured(peer)
    bits = bits_per_byte(arpa, other, as_words=True) if read else None
    show("lmplz -S " + options.memory, figures, bits, f"{arpa.stat().st_size / 1e6:.0f} MB ARPA")
    spelled.unlink()
    arpa.unlink()


if __name__ == "__main__":
    main()
