"""Every causal type of the installed transformers, tiny and random: what reads it, and how far from a plain forward.

    python bench/architectures.py [TYPE …]

Without types: all of them, a process each with a time limit, and the table is written into docs/models.md.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from pofx.errors import PofxError
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.body import DecoderBody
from pofx.models.pretrained.library.model import read_model

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from tiny_architectures import write  # noqa: E402
from tiny_checkpoints import BOS, ROWS  # noqa: E402

PAGE = HERE.parent / "docs" / "models.md"
BEGIN, END = "<!-- architectures: written by bench/architectures.py -->", "<!-- end of architectures -->"
WORKERS = 2
SECONDS, IDLE = 60, 20  # of a core; and how many times that without an answer


@dataclass(frozen=True)
class Row:
    """reader: what reads the type, or why nothing does. off: nats a token, the worst of all; None where nothing does.

    forward: from the library's plain float32 forward of each text alone. extend: from token by token. batch: of texts
    together from each alone. note: one line.
    """

    kind: str
    reader: str
    forward: float | None = None
    extend: float | None = None
    batch: float | None = None
    note: str = ""


def tried(kind: str) -> Row:
    """One type: written, read, and compared."""
    with tempfile.TemporaryDirectory() as home:
        try:
            directory = write(Path(home), kind)
        except Exception as e:  # the library's own constructors; it is not about pofx
            return Row(kind, "not built", note=" ".join(f"{type(e).__name__}: {e}".split())[:120])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                checkpoint = check_checkpoint(directory)
                lm = read_pretrained(checkpoint, None, "float32", None)
        except PofxError as e:
            return Row(kind, "refused", note=str(e).replace(str(directory), "…").replace(home, "…")[:240])
        rng = np.random.default_rng(1)
        sizes = (1, 2, 5, 9, 9, 20, min(lm.context or 62, 62) - 2)
        paths = [[BOS, *rng.integers(4, ROWS, n).tolist()] for n in sizes]
        model = read_model(checkpoint, torch.float32)
        together = lm.forward(paths, skip=1).logp
        slow = forward_by_extension(lm, paths, Want(), 1).logp
        alone = [lm.forward([p], skip=1).logp[0] for p in paths]
        plain = []
        for p in paths:
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([p[:-1]]), use_cache=False).logits[0].double()
            law = torch.log_softmax(logits, -1)
            plain.append(law[torch.arange(len(p) - 1), torch.tensor(p[1:])].numpy())
    if isinstance(lm.body, DecoderBody):
        reader = "own decoder"
    else:
        reader = "library, whole logits" if getattr(lm.body, "whole", False) else "library"
    context = "no bound" if lm.context is None else ""
    return Row(
        kind, reader, _worst(together, plain), _worst(together, slow), _worst(together, alone), context
    )


def _worst(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


def _send(kind: str, to: Connection, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    torch.set_num_threads(1)
    to.send(tried(kind))


def row(kind: str, seconds: int = SECONDS) -> Row:
    """One type in a process of its own, so that a crash or a stall of it ends nothing else.

    The limit is on seconds of a core, so that what else runs on the machine decides nothing.
    """
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_send, args=(kind, there, seconds))
    process.start()
    there.close()
    stopped = Row(kind, "stopped", note=f"more than {seconds} s of a core")
    try:
        found = here.recv() if here.poll(IDLE * seconds) else stopped
    except EOFError:
        process.join()
        late = process.exitcode in (-signal.SIGXCPU, -signal.SIGKILL)
        found = stopped if late else Row(kind, "crashed", note=f"exit code {process.exitcode}")
    if process.is_alive():
        process.kill()
    process.join()
    return found


def table(rows: list[Row]) -> str:
    """The rows as Markdown, and above them how many there are of each kind."""
    count: dict[str, int] = {}
    for r in rows:
        count[r.reader] = count.get(r.reader, 0) + 1
    read = [r for r in rows if r.forward is not None and r.extend is not None and r.batch is not None]
    worst = max(read, key=lambda r: r.forward or 0.0)
    counted = ", ".join(f"{n} {name}" for name, n in sorted(count.items(), key=lambda c: -c[1]))
    lines = [
        f"{len(rows)} types of `transformers` {version('transformers')}, each with random weights of a few thousand "
        f"numbers: {counted}.",
        f"The worst of those read is {worst.forward:.1e} nats a token from the library's forward ({worst.kind}).",
        "",
        "| type | read by | from a forward | one by one | alone | |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        numbers = ["" if x is None else f"{x:.1e}" for x in (r.forward, r.extend, r.batch)]
        note = r.note.replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {r.kind} | {r.reader} | {' | '.join(numbers)} | {note} |")
    return "\n".join(lines)


def main(kinds: list[str]) -> None:
    """The types asked for, on the screen; all of them, into the page."""
    rows = []
    torch.set_num_threads(1)
    # The library imports itself bit by bit, and each process takes over what this one has imported.
    tried("gpt2")
    with ThreadPoolExecutor(WORKERS) as pool:
        for found in pool.map(row, kinds or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)):
            rows.append(found)
            print(found, flush=True)
    if kinds:
        return
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
