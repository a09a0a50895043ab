"""`pofx stimuli` beside minicons and psycholing-metrics on the same stimuli: which definitions agree, and by how much.

    python3.11 -m venv .venv-peers && .venv-peers/bin/pip install -c constraints.txt -r bench/peers.txt
    .venv-peers/bin/pip install --no-deps psycholing-metrics==2.2.6
    python bench/stimuli.py

Each tool has a definition of the surprisal of a word. Here s is `surprisal_nats` and b is `boundary_nats`, −log of the
mass of all tokens with which a word may end: EOS and every token that begins with white space.

    pofx                      s(k): the word and a boundary, given the words before and a boundary
    sums of tokens            s(k) + b(k−1) − b(k): the space before a word counts for the word, the space after it does not
    minicons                  s(k) with the tokens that begin with a space as the only boundary
    psycholing, corrected     as minicons, with EOS in the boundary; the first word is divided by the mass of
                              the tokens that may begin a text
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np

import pofx
from score import checkpoint_of

HOME = Path(__file__).parent.parent
CLOSE = 1e-3  # nats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument(
        "--begin", default="<|im_start|>", help="the BOS that the tokenizer declares, which the peers take"
    )
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--peers-python", type=Path, default=HOME / ".venv-peers" / "bin" / "python")
    options = parser.parse_args()
    rows = read(options.texts)
    lm = pofx.load(options.model, begin=options.begin)
    found = pofx.measure_stimuli(lm, rows).to_arrow().to_pydict()
    texts = [
        [k for k, row in enumerate(rows) if row["item"] == item]
        for item in dict.fromkeys(r["item"] for r in rows)
    ]
    sentences = [" ".join(rows[k]["word"] for k in own) for own in texts]
    told = peers(options.peers_python, str(checkpoint_of(options.model)), sentences)
    first = np.array([k for own in texts for k in own[:1]])
    last = np.array([k for own in texts for k in own[-1:]])
    s, b = np.array(found["surprisal_nats"]), np.array(found["boundary_nats"], dtype=float)
    before = np.append(0.0, b[:-1])
    before[first] = 0.0
    inner = np.ones(len(s), dtype=bool)
    inner[first] = inner[last] = False
    space, space_eos = (behind_spaces(lm, sentences, eos) for eos in (False, True))
    print(f"{len(s)} words of {len(texts)} texts, {options.model}, x0 {options.begin}; {told['versions']}")
    print("| tool | pofx's column | words | mean difference | largest | within 0.001 nats | correlation |")
    print("|---|---|---|---|---|---|---|")
    for name, answers in told["tools"].items():
        theirs = np.array([x for words in answers for x in words])
        if theirs.shape != s.shape:
            print(f"| {name} | | expected {len(s)} words, got {len(theirs)} | | | | |")
            continue
        for what, ours in (
            ("s", s),
            ("s + b(k−1) − b(k)", s + before - b),
            ("s behind spaces alone", space),
            ("s behind spaces and EOS", space_eos),
        ):
            for part, which in (("all", np.ones(len(s), dtype=bool)), ("inner", inner)):
                print(line(name, what, part, ours[which], theirs[which]))


def behind_spaces(lm, texts: list[str], eos: bool) -> np.ndarray:
    """pofx's formula with another boundary: the tokens that begin with a space, and EOS or not."""
    vocab = lm.vocab
    opens = np.array([bool(b) and b.startswith(b" ") for b in vocab.token_bytes])
    ends = opens.copy()
    ends[vocab.end] = eos
    ids = [vocab.encode(t) for t in texts]
    trace = lm.forward([[*row, vocab.end] for row in ids], pofx.Want(masses=ends[None]))
    out = []
    for row, logp, masses in zip(ids, trace.logp, trace.masses):
        starts = [k for k, t in enumerate(row) if k == 0 or opens[t]] + [len(row)]
        behind = [0.0, *(float(masses[k, 0]) for k in starts[1:])]
        out += [
            -float(logp[lo:hi].sum()) - behind[k + 1] + behind[k]
            for k, (lo, hi) in enumerate(pairwise(starts))
        ]
    return np.array(out)


def line(name: str, what: str, part: str, ours: np.ndarray, theirs: np.ndarray) -> str:
    gaps = np.abs(ours - theirs)
    close = 100 * float((gaps <= CLOSE).mean())
    r = np.corrcoef(ours, theirs)[0, 1]
    return f"| {name} | {what} | {len(gaps)} ({part}) | {gaps.mean():.1e} | {gaps.max():.1e} | {close:.1f} % | {r:.4f} |"


def read(n: int) -> list[dict[str, str]]:
    """The words of the first texts of docs/jobs/reading.csv, each once."""
    with (HOME / "docs" / "jobs" / "reading.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    once = {(r["item"], r["zone"]): {k: r[k] for k in ("item", "zone", "word")} for r in rows}
    items = list(dict.fromkeys(r["item"] for r in rows))[:n]
    return [r for r in once.values() if r["item"] in items]


def peers(python: Path, directory: str, texts: list[str]) -> dict:
    if not python.exists():
        raise SystemExit(f"--peers-python: expected a Python with bench/peers.txt, found none at {python}")
    script = Path(__file__).with_name("stimuli_peers.py")
    ran = subprocess.run(
        [python, script, directory], input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(ran.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
