"""Jobs of pofx beside DataTrove and KenLM: documents a second, CPU seconds and memory, on the same documents.

    make .venv-datatrove/.installed lmplz      the peers' Python (bench/datatrove.txt), and KenLM's build_binary
    python bench/scale_peers.py                10 MB of documents, three turns
    python bench/scale_peers.py --quick        1 MB, one turn

A document is a paragraph of the Python files on the machine, of 200 to 2,000 bytes: normalised as CCNet does, words and
signs with one space between, in four files of JSON lines. Other paragraphs are fitted, in two ways. The model of words
has order 5. pofx reads it as a saved model, and KenLM as an ARPA file, or as KenLM's binary file if build_binary is
there. The model of bytes has order 6, and is pofx's usual n-gram. A word that occurs in the fitted paragraphs once or
never is written as "unk", so that every word of a document is a word of the model. DataTrove runs its own reader,
`KenlmModel.get_perplexity` and writer, one task a worker. Neither tool writes texts: pofx writes Parquet, DataTrove
JSON lines without compression.

Each run is a process of its own, and the runs take turns. The CPU seconds are those of all processes of a run. A run of four
documents tells what the start costs. "CPU a document" is what the other documents add. The peaks are sums over all processes
of a run, sampled ten times a second: of resident memory, in which a page that two processes share counts twice, and of
proportional memory (PSS), in which the page counts once.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow.dataset

import pofx
from fit_ngram_scale import tree
from pofx.filtering.normaliser import NORMALISERS
from pofx.units import LN10
from pofx.vocab.words import WordVocab
from serve import processor

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".venv-datatrove/bin/python"
BUILD = ROOT / ".venv-kenlm/bin/build_binary"
FILES = 4
LEAST, MOST = 200, 2000
WORD_ORDER, BYTE_ORDER = 5, 6
RARE = "unk"
PR_SET_CHILD_SUBREAPER = 36
NORMALISED, BYTES = "the same, CCNet's normalisation", "pofx, bytes"
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Run:
    """What a run took.

    Attributes:
        cpu: CPU seconds of all processes.
        wall: Seconds.
        resident: Peak of the resident megabytes of all processes.
        proportional: Peak of their proportional megabytes.
    """

    cpu: float
    wall: float
    resident: float
    proportional: float


@dataclass(frozen=True)
class Way:
    """A way to score the documents.

    Attributes:
        name: What the table calls it.
        workers: How many processes score.
        command: The command line, of an input directory and an output directory.
    """

    name: str
    workers: int
    command: Callable[[Path, Path], Sequence[str]]


def paragraphs() -> Iterator[str]:
    """Yield distinct normalised paragraphs of the Python files on the machine, in an order that a seed decides."""
    files = sorted(Path(p) for base in {sys.base_prefix, sys.prefix} for p in Path(base, "lib").rglob("*.py"))
    random.Random(0).shuffle(files)
    clean, seen = NORMALISERS["ccnet"], set()
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        for paragraph in text.split("\n\n"):
            words = " ".join(WORD.findall(clean(" ".join(paragraph.split()))))
            if LEAST <= len(words.encode("utf-8")) <= MOST and words not in seen:
                seen.add(words)
                yield words


def take(source: Iterator[str], n_bytes: float) -> list[str]:
    """Return the next documents, of so many bytes in all."""
    taken: list[str] = []
    while n_bytes > 0:
        document = next(source, None)
        if document is None:
            raise SystemExit("the Python files on this machine are too few; name a smaller size")
        taken.append(document)
        n_bytes -= len(document.encode("utf-8"))
    return taken


def write(folder: Path, documents: Sequence[str]) -> Path:
    """Write documents into files of JSON lines, in turn, and return the directory."""
    folder.mkdir()
    for n in range(FILES):
        rows = (
            json.dumps({"text": text, "id": str(i)}) for i, text in enumerate(documents) if i % FILES == n
        )
        (folder / f"{n}.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return folder


def fit_models(documents: Sequence[str], home: Path) -> tuple[Path, Path, Path]:
    """Fit both models; return the model of words for pofx and for KenLM, and the model of bytes."""
    words = sorted({w for text in documents for w in text.split(" ")})
    arpa, kenlm = home / "words.arpa", home / "words.arpa"
    # KenLM wants an entry <unk>, as files of lmplz have it; no document has such a word.
    of_words = pofx.fit(documents, pofx.NgramSpec(WORD_ORDER, vocab=WordVocab([*words, None])))
    pofx.write_arpa(of_words, arpa)
    pofx.save(of_words, home / "words")
    pofx.save(pofx.fit(documents, pofx.NgramSpec(BYTE_ORDER)), home / "bytes")
    if BUILD.is_file():
        kenlm = home / "words.bin"
        subprocess.run([BUILD, arpa, kenlm], check=True, capture_output=True)
    else:
        print(
            "no build_binary of KenLM (`make lmplz`): KenLM reads the ARPA file, and its start takes longer"
        )
    return home / "words", kenlm, home / "bytes"


def memory(pid: int) -> tuple[float, float]:
    """Return the resident and the proportional megabytes of a process and of its descendants."""
    resident = proportional = 0
    for one in list(tree(pid)):
        with suppress(OSError, ValueError):  # a process that ends while it is read
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]
            fields = dict(line.split(":", 1) for line in lines)
            resident += int(fields["Rss"].split()[0])
            proportional += int(fields["Pss"].split()[0])
    return resident / 1e3, proportional / 1e3


def run(way: Way, source: Path, out: Path) -> Run:
    """Run a command to its end."""
    shutil.rmtree(out, ignore_errors=True)
    command = way.command(source, out)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    errors = out.with_name("errors")
    started = time.perf_counter()
    with errors.open("w") as told:
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=told)
    peaks: tuple[float, ...] = (0, 0)
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        with suppress(OSError, KeyError):
            peaks = tuple(map(max, peaks, memory(child.pid)))
        time.sleep(0.1)
    wall = time.perf_counter() - started
    cpu = used.ru_utime + used.ru_stime
    with suppress(ChildProcessError):  # until no process is left
        while True:
            used = os.wait4(-1, 0)[2]
            cpu += used.ru_utime + used.ru_stime
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(
            f"{' '.join(map(str, command))}: exit code {child.returncode}\n{errors.read_text()[-2000:]}"
        )
    return Run(cpu, wall, *peaks)


def by_pofx(model: Path, workers: int, unit: int) -> Callable[[Path, Path], Sequence[str]]:
    def command(source: Path, out: Path) -> Sequence[str]:
        asked = ["-m", str(model), "--id", "id", "--no-text", "--quiet", "--unit-size", str(unit)]
        return [
            *(sys.executable, "-m", "pofx", "score", str(source), "-o", f"{out}/"),
            *(*asked, "--workers", str(workers)),
        ]

    return command


def by_datatrove(model: Path, workers: int, normalise: bool) -> Callable[[Path, Path], Sequence[str]]:
    def command(source: Path, out: Path) -> Sequence[str]:
        script = str(HERE / "scale_datatrove.py")
        return [str(PEERS), script, str(source), str(out), str(model), str(workers), str(int(normalise))]

    return command


def pofx_scores(out: Path) -> dict[str, float]:
    """Return log p in nats by id."""
    rows = pyarrow.dataset.dataset(out / "parts").to_table(columns=["id", "total_nats"]).to_pylist()
    return {r["id"]: r["total_nats"] for r in rows}


def datatrove_scores(out: Path) -> dict[str, float]:
    """Return log p in nats by id."""
    rows: Iterable[dict] = (
        json.loads(line) for path in (out / "rows").iterdir() for line in path.read_text().splitlines()
    )
    return {r["id"]: r["log10"] * LN10 for r in rows}


def agreement(ours: dict[str, float], theirs: dict[str, float], tokens: int) -> str:
    """Say how far the scores of two tools are apart."""
    assert ours.keys() == theirs.keys(), (len(ours), len(theirs))
    worst = max(abs(ours[i] - theirs[i]) for i in ours)
    total = abs(sum(ours.values()) - sum(theirs.values())) / tokens
    return (
        f"{len(ours):,} documents: log p differs by at most {worst:.1g} nats a document, "
        f"{total:.1g} nats a token on average"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size", type=float, default=10, metavar="MB", help="of documents to score, and to fit"
    )
    parser.add_argument("--turns", type=int, default=3, help="runs of each kind; the median counts")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers")
    parser.add_argument("--quick", action="store_true", help="1 MB, one turn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.quick:
        options.size, options.turns = 1, 1
    if not PEERS.is_file():
        raise SystemExit("DataTrove is not installed; install it with: make .venv-datatrove/.installed")
    # DataTrove does not wait for the server that forks its workers. This process does, so that their CPU seconds count.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    n_bytes = options.size * 1e6
    source = paragraphs()
    documents, fitted = take(source, n_bytes), take(source, n_bytes)
    counts = Counter(w for text in fitted for w in text.split(" "))
    documents, fitted = (
        [" ".join(w if counts[w] > 1 else RARE for w in text.split(" ")) for text in texts]
        for texts in (documents, fitted)
    )
    tokens = sum(text.count(" ") + 2 for text in documents)
    rare = sum(text.split(" ").count(RARE) for text in documents) / tokens
    print(f"{processor()}, {len(os.sched_getaffinity(0))} cores")
    print(
        f"{len(documents):,} documents, {options.size:g} MB, {tokens:,} words and EOS, {rare:.1%} of them {RARE}"
    )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        words, kenlm, of_bytes = fit_models(fitted, home)
        whole, few = write(home / "documents", documents), write(home / "few", documents[:FILES])
        # Sixteen units, as many for each number of workers.
        unit = max(65536, round(n_bytes / 16))
        ways = [
            Way(name, workers, command(workers))
            for name, command in (
                ("pofx, words", lambda n: by_pofx(words, n, unit)),
                ("DataTrove + KenLM, words", lambda n: by_datatrove(kenlm, n, False)),
                (NORMALISED, lambda n: by_datatrove(kenlm, n, True)),
                (BYTES, lambda n: by_pofx(of_bytes, n, unit)),
            )
            for workers in options.workers
        ]
        runs: dict[Way, list[tuple[Run, Run]]] = {way: [] for way in ways}
        scores: dict[Way, dict[str, float]] = {}
        for _ in range(options.turns):
            for way in ways:
                start = run(way, few, home / "out")
                runs[way].append((start, run(way, whole, home / "out")))
                read = pofx_scores if way.name.startswith("pofx") else datatrove_scores
                scores[way] = read(home / "out")
    for way in (w for w in ways[1:] if w.name not in (NORMALISED, BYTES)):
        print(f"{way.name}, {way.workers} workers: {agreement(scores[ways[0]], scores[way], tokens)}")
    show(ways, runs, len(documents))
    if options.json:
        told = [
            {"name": w.name, "workers": w.workers, "runs": [list(map(asdict, r)) for r in runs[w]]}
            for w in ways
        ]
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


def median(runs: Sequence[Run]) -> Run:
    """Return the median of each figure."""
    columns = zip(*(asdict(r).values() for r in runs))
    return replace(runs[0], **dict(zip(asdict(runs[0]), map(statistics.median, columns))))


def show(ways: Sequence[Way], runs: dict[Way, list[tuple[Run, Run]]], n: int) -> None:
    """Print the table and the ratios."""
    print(
        "\n| tool | workers | documents/s | documents/CPU s | start, CPU s | CPU a document | resident MB | PSS MB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    each: dict[Way, float] = {}
    for way in ways:
        start, whole = (median(r) for r in zip(*runs[way]))
        each[way] = (whole.cpu - start.cpu) / (n - FILES)
        print(
            f"| {way.name} | {way.workers} | {n / whole.wall:,.0f} | {n / whole.cpu:,.0f} | {start.cpu:.1f} | "
            f"{1e6 * each[way]:.0f} µs | {whole.resident:.0f} | {whole.proportional:.0f} |"
        )
    print()
    for workers in sorted({w.workers for w in ways}):
        ours, *others = (w for w in ways if w.workers == workers)
        mine = median([whole for _, whole in runs[ours]])
        for way in others:
            whole = median([r for _, r in runs[way]])
            print(
                f"{way.name}, {workers} workers, over pofx, words: CPU {whole.cpu / mine.cpu:.2f}, CPU a document "
                f"{each[way] / each[ours]:.2f}, wall {whole.wall / mine.wall:.2f}, "
                f"PSS {whole.proportional / mine.proportional:.2f}"
            )


if __name__ == "__main__":
    main()
