"""pofx filter on documents that a seed alone makes, so that every machine has the same ones and the same exact copies.

    python bench/filter_copies.py                    20,000 documents, of which 5,379 are exact copies
    python bench/filter_copies.py --documents 2000   fewer, with the same share of copies

The documents are paragraphs of two made languages, base64, and lists of files and holders. No two of the documents are
equal before the copies are added, and each copy is equal to one of them. The script ends with an error if any copy stays,
if any other document is called a copy, or if a copy names another document than the first equal one.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.dataset

COPIES, ALL = 5379, 20_000
# The share of each kind among the distinct documents; prose takes what is left.
SHARES = {"base64": 0.05, "boilerplate": 0.1, "other language": 0.12}
OTHER = [
    "sch",
    "tzu",
    "pfa",
    "vry",
    "ght",
    "xol",
    "qir",
    "zhe",
    "wex",
    "jyn",
    "ork",
    "ulf",
    "yst",
    "eng",
    "oaz",
]
SYLLABLES = {"prose": [c + v for c in "bdklmn" for v in "aeiou"], "other language": OTHER}


def words(kind: str, rng: random.Random, n: int) -> list[str]:
    """Return the words of a made language."""
    return ["".join(rng.choices(SYLLABLES[kind], k=rng.randint(1, 3))) for _ in range(n)]


def document(kind: str, rng: random.Random, lexicon: dict[str, list[str]]) -> str:
    """Return a document of a kind; words of the lexicon are the commoner the earlier they stand."""
    if kind == "base64":
        return base64.encodebytes(rng.randbytes(rng.randint(80, 200))).decode("ascii").strip()
    if kind == "boilerplate":
        names = [f"Files: {rng.choice(lexicon['prose'])}/{rng.randrange(10**6)}.c" for _ in range(5)]
        return "\n".join([*names, f"Copyright: {rng.randint(1980, 2026)} {rng.choice(lexicon['prose'])}"])
    some = lexicon[kind]
    sentences = (
        " ".join(some[min(int(rng.expovariate(0.03)), len(some) - 1)] for _ in range(rng.randint(5, 12)))
        for _ in range(rng.randint(2, 4))
    )
    return " ".join(f"{s.capitalize()}." for s in sentences)


def corpus(n: int, n_copies: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return n documents in a random order, of which `n_copies` are equal to an earlier one, and other prose to fit on."""
    rng = random.Random(seed)
    lexicon = {kind: words(kind, rng, 400) for kind in SYLLABLES}
    seen: set[str] = set()

    def distinct(kind: str, count: int) -> list[str]:
        out: list[str] = []
        while len(out) < count:
            text = document(kind, rng, lexicon)
            if text not in seen:
                seen.add(text)
                out.append(text)
        return out

    made = [t for kind, share in SHARES.items() for t in distinct(kind, int((n - n_copies) * share))]
    made += distinct("prose", n - n_copies - len(made))
    fitted = distinct("prose", 2000)
    documents = [*made, *rng.choices(made, k=n_copies)]
    rng.shuffle(documents)
    return documents, fitted


def lines(path: Path, texts: list[str]) -> None:
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=ALL)
    parser.add_argument("--dedupe", choices=["near", "exact"], default="exact")
    parser.add_argument("--workers", default="1")
    options = parser.parse_args()
    n = options.documents
    n_copies = n * COPIES // ALL
    documents, fitted = corpus(n, n_copies)
    code = hashlib.sha256("\0".join(documents).encode()).hexdigest()
    print(f"{n:,} documents, {sum(map(len, documents)) / 1e6:.1f} M characters, SHA-256 {code[:16]}…")
    print(f"{n_copies:,} exact copies by construction, {len(documents) - len(set(documents)):,} counted")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        lines(home / "web.jsonl", documents)
        lines(home / "fitted.jsonl", fitted)
        pofx = [sys.executable, "-m", "pofx", "filter"]
        fit = [
            str(home / "fitted.jsonl"),
            "--quantiles",
            "0",
            "0.99",
            "--order",
            "4",
            "-o",
            str(home / "quality"),
        ]
        subprocess.run([*pofx, "fit", *fit], check=True, stdout=subprocess.DEVNULL)
        sides = ["-o", f"{home / 'kept'}/", "--rest", f"{home / 'rest'}/", "--workers", options.workers]
        how = ["--dedupe", options.dedupe, "--quiet"]
        began = time.monotonic()
        subprocess.run(
            [*pofx, "apply", str(home / "quality"), str(home / "web.jsonl"), *sides, *how], check=True
        )
        wall = time.monotonic() - began
        rows = {
            side: pyarrow.dataset.dataset(home / side / "parts")
            .to_table(["id", "text", "copy_of", "reason"])
            .to_pylist()
            for side in ("kept", "rest")
        }
    first: dict[str, str] = {}
    place = {r["id"]: int(r["id"].rpartition(":")[2]) for some in rows.values() for r in some}
    every = sorted([*rows["kept"], *rows["rest"]], key=lambda r: place[r["id"]])
    found = 0
    for row in every:
        of = first.setdefault(row["text"], row["id"])
        is_copy = of != row["id"]
        found += is_copy and row["copy_of"] == of
        if options.dedupe == "exact" and not is_copy and row["copy_of"] is not None:
            raise SystemExit(f"{row['id']}: a document that is no copy is called one")
    kept = [r["text"] for r in rows["kept"]]
    print(f"{found:,} copies name the first equal document; {len(kept) - len(set(kept)):,} copies are kept")
    print(f"{len(kept):,} documents kept, {len(rows['rest']):,} not; apply took {wall:.0f} s")
    if found != n_copies or len(kept) != len(set(kept)):
        raise SystemExit("some copies were not found")


if __name__ == "__main__":
    main()
