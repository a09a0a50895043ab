"""Write the data of the pages in docs/jobs from docs/proverbs.txt: `python docs/jobs/make_data.py`.

Every fifth proverb is held out: it is in no training text. The reading times are made up, from the lengths of words and
from the surprisals of a model of order 6.
"""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pofx

HERE = Path(__file__).parent
READERS = 4


def main() -> None:
    """Write all files beside this one."""
    rng = random.Random(1)
    proverbs = [p for p in (HERE.parent / "proverbs.txt").read_text().splitlines() if len(p.split()) > 3]
    held_out, training = proverbs[::5][:40], [p for i, p in enumerate(proverbs) if i % 5]
    (HERE / "training.txt").write_text("".join(p + "\n" for p in training))
    (HERE / "held_out.txt").write_text("".join(p + "\n" for p in held_out))
    ends = [p.split()[-1] for p in held_out]
    questions, pairs = [], []
    for text in held_out:
        *before, end = text.split()
        choices = [end, *rng.sample([e for e in dict.fromkeys(ends) if e != end], 3)]
        rng.shuffle(choices)
        questions.append({"context": " ".join(before), "choices": choices, "label": choices.index(end)})
        k = rng.randrange(1, len(before))
        swapped = [*before[: k - 1], before[k], before[k - 1], *before[k + 1 :], end]
        where = "beginning" if k == 1 else "middle"
        pairs.append({"good": text, "bad": " ".join(swapped), "where": where})
    for name, rows in (("questions", questions), ("pairs", pairs)):
        (HERE / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lm = pofx.fit(training, pofx.NgramSpec())
    words = [
        {"item": i, "zone": k, "word": w}
        for i, t in enumerate(held_out, 1)
        for k, w in enumerate(t.split(), 1)
    ]
    nats = pofx.measure_stimuli(lm, words).to_arrow()["surprisal_nats"].to_pylist()
    with (HERE / "reading.csv").open("w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["reader", "item", "zone", "word", "RT"])
        for reader in range(1, READERS + 1):
            pace = rng.gauss(0, 40)
            for row, s in zip(words, nats):
                time = 250 + pace + 8 * s + 9 * len(row["word"]) + rng.gauss(0, 40)
                writer.writerow([reader, row["item"], row["zone"], row["word"], round(time)])


if __name__ == "__main__":
    main()
