"""pofx filter against CCNet's recipe on documents with known labels, from the manuals and translations on the machine.

    python bench/filter.py                      20,000 documents
    python bench/filter.py --documents 4000     fewer

The documents are prose in English, German and French, with exact copies, near copies, base64, lists of files and holders,
and 16 other languages (bench/filter_texts.py). Precision and recall are of prose that is no copy. The models of both sides
are fitted on the same other prose. CCNet's recipe (Wenzek et al. 2020) is: drop documents all of whose normalised
paragraphs were seen before; take the language; compute the perplexity of a 5-gram of subwords, by KenLM; keep the first
two thirds of each language (head and middle). Two parts differ: fastText's language model is not on the machine, so the
language is that of the largest p; and the 5-grams are fitted by pofx, on 8,000 subwords, and read by KenLM from ARPA.
KenLM is one of the peers (bench/peers.txt).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.dataset

import pofx
from filter_texts import LANGUAGES, Labelled, corpus
from pofx.filtering.normaliser import NORMALISERS
from pofx.vocab.spec import vocab_for
from pofx.vocab.words import WordVocab

HERE = Path(__file__).resolve().parent
PEERS = HERE.parent / ".venv-peers/bin/python"


def pofx_kept(
    documents: Sequence[Labelled], clean: dict[str, list[str]], how: Sequence[str], home: Path, workers: int
) -> tuple[set[int], dict[int, str], str]:
    """Return which documents `pofx filter` keeps, why it drops the others, and what that cost.

    Args:
        documents: The corpus.
        clean: The prose to fit on.
        how: The options that find the bounds.
        home: A directory for files.
        workers: How many processes.
    """
    home.mkdir()
    _lines(home / "web.jsonl", [d.text for d in documents])
    for language, texts in clean.items():
        _lines(home / f"{language}.jsonl", texts)
    languages = [w for n in clean for w in ("--language", f"{n}={home / n}.jsonl")]
    command = [sys.executable, "-m", "pofx", "filter"]
    fit = [*command, "fit", str(home / "sample.jsonl"), *languages, *how, "-o", str(home / "quality")]
    _lines(home / "sample.jsonl", [d.text for d in documents[: len(documents) // 10]])
    out = ["-o", f"{home / 'kept'}/", "--rest", f"{home / 'rest'}/", "--workers", str(workers), "--quiet"]
    cost = [_run(fit), _run([*command, "apply", str(home / "quality"), str(home / "web.jsonl"), *out])]
    sides = [
        {
            _place(r["id"]): r["reason"]
            for r in pyarrow.dataset.dataset(home / side / "parts").to_table().to_pylist()
        }
        for side in ("kept", "rest")
    ]
    told = "; ".join(f"{what} {c:.0f} CPU s, {w:.0f} s" for what, (c, w) in zip(("fit", "apply"), cost))
    return set(sides[0]), sides[1], told


def _lines(path: Path, texts: Sequence[str]) -> None:
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")


def _place(id: str) -> int:
    return int(id.rpartition(":")[2]) - 1


def _run(command: Sequence[str]) -> tuple[float, float]:
    """Return the CPU seconds and the wall seconds of a command."""
    before, clock = os.times(), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.monotonic() - clock


def ccnet_kept(
    documents: Sequence[Labelled], clean: dict[str, list[str]], home: Path
) -> tuple[set[int], dict[int, str]]:
    """Return which documents CCNet's recipe keeps, and why it drops the others."""
    home.mkdir()
    normal = NORMALISERS["ccnet"]
    lines = [[n for line in d.text.split("\n") if (n := normal(line))] for d in documents]
    seen: set[bytes] = set()
    why: dict[int, str] = {}
    for k, some in enumerate(lines):
        codes = [hashlib.sha1(line.encode()).digest()[:8] for line in some]  # noqa: S324  (the hash of CCNet)
        some[:] = [line for line, code in zip(some, codes) if code not in seen]
        seen.update(codes)
        if not some:
            why[k] = "copy"
    scores = np.full((len(documents), len(clean)), -np.inf)
    perplexity = np.full(scores.shape, np.inf)
    for c, (language, texts) in enumerate(clean.items()):
        fitted = [n for t in texts for line in t.split("\n") if (n := normal(line))]
        subwords = vocab_for("bpe:8000", fitted, True)
        tokens = [f"t{i}" for i in range(subwords.size)]
        spec = pofx.NgramSpec(order=5, vocab=WordVocab(tokens))
        pofx.write_arpa(pofx.fit([_spelled(t, subwords) for t in fitted], spec), home / f"{language}.arpa")
        with (home / "documents.jsonl").open("w") as f:
            f.writelines(json.dumps([_spelled(line, subwords) for line in some]) + "\n" for some in lines)
        ran = subprocess.run(
            [PEERS, HERE / "filter_ccnet.py", home / f"{language}.arpa", home / "documents.jsonl"],
            check=True,
            capture_output=True,
            text=True,
        )
        for k, line in enumerate(ran.stdout.splitlines()):
            if k not in why:
                log10, length = map(float, line.split())
                scores[k, c], perplexity[k, c] = log10, 10 ** min(300, -log10 / length)
    best = np.argmax(scores, axis=1)
    for c in range(len(clean)):
        mine = [k for k in np.flatnonzero(best == c).tolist() if k not in why]
        tail = np.quantile([perplexity[k, c] for k in mine], 2 / 3)
        why |= {k: "tail" for k in mine if perplexity[k, c] > tail}
    return set(range(len(documents))) - set(why), why


def _spelled(line: str, subwords: pofx.Vocab) -> str:
    """Return a line as its subwords, each as a word of KenLM."""
    return " ".join(f"t{i}" for i in subwords.encode(line))


def report(
    name: str, documents: Sequence[Labelled], kept: set[int], why: dict[int, str], told: str = ""
) -> None:
    """Print precision, recall, and what became of each kind."""
    prose = {k for k, d in enumerate(documents) if d.kind == "prose"}
    good = len(kept & prose)
    precision, recall = good / max(1, len(kept)), good / len(prose)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    assert len(kept) + len(why) == len(documents)
    cost = f" ({told})" if told else ""
    print(f"\n{name}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f}; {len(kept):,} kept{cost}")
    for kind in dict.fromkeys(d.kind for d in documents):
        of = [k for k, d in enumerate(documents) if d.kind == kind]
        reasons = Counter(why[k] for k in of if k in why)
        shown = ", ".join(f"{n:,} {r}" for r, n in reasons.most_common())
        print(f"  {kind:15} {len(of):6,}  kept {sum(k in kept for k in of) / len(of):6.1%}  {shown}")
    every, names = (Counter(documents[k].language for k in some) for some in (prose, prose & kept))
    print("  kept of " + ", ".join(f"{n}: {names[n] / max(1, every[n]):.1%}" for n in LANGUAGES))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    documents, clean = corpus(options.documents, options.seed)
    sizes = ", ".join(f"{n} {len(t):,}" for n, t in clean.items())
    print(
        f"{len(documents):,} documents, {sum(len(d.text) for d in documents) / 1e6:.1f} M characters; to fit on: {sizes}"
    )
    print(", ".join(f"{n:,} {kind}" for kind, n in Counter(d.kind for d in documents).most_common()))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        # Labelled documents of another draw, none of which is in the corpus.
        known = {re.sub(r"\s+", " ", d.text.casefold()) for d in documents}
        others, _ = corpus(options.documents // 4, options.seed + 1)
        labelled = [d for d in others if re.sub(r"\s+", " ", d.text.casefold()) not in known][:1500]
        _lines(home / "good.jsonl", [d.text for d in labelled if d.kind == "prose"])
        _lines(
            home / "bad.jsonl",
            [d.text for d in labelled if d.kind in ("base64", "boilerplate", "other language")],
        )
        ways = {
            "pofx filter, quantiles 0 and 0.9": ["--quantiles", "0", "0.9"],
            "pofx filter, good and bad files": ["--good", f"{home}/good.jsonl", "--bad", f"{home}/bad.jsonl"],
        }
        for k, (name, how) in enumerate(ways.items()):
            report(name, documents, *pofx_kept(documents, clean, how, home / str(k), options.workers))
        if PEERS.exists():
            report("CCNet's recipe by KenLM", documents, *ccnet_kept(documents, clean, home / "ccnet"))


if __name__ == "__main__":
    main()
