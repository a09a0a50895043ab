"""Loss and speed of the mixing model beside n-grams.

    python bench/mixing.py         the built-in documents, which the demo splits: nine tenths are fitted, a tenth is scored
    python bench/mixing.py TEXT    the first 90 % of a text, such as tiny-shakespeare, is fitted, the last 10 % is scored

About a minute each.

The adaptive model learns along the scored text, from the numbers of the fit. Each model is fitted and scores in a process
of its own, on one thread. Times are CPU seconds. The compilation of the mixing model is measured apart, by a fit of one
word before the clock starts; it is near 0 where an earlier process has compiled.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

CONTENDERS = ("order 6", "order 8", "unbounded", "mixing", "adaptive")


def parts(path: Path | None) -> tuple[list[bytes], list[bytes], bool]:
    """Return the documents that are fitted, those that are scored, and whether EOS is scored behind each."""
    from pofx.corpus.builtin import builtin_documents
    from pofx.corpus.split import split_documents

    if path is None:
        fitted, held_out = split_documents(builtin_documents(), held_out=0.1)
        return [d.encode() for d in fitted], [d.encode() for d in held_out], True
    text = path.read_bytes()
    cut = int(len(text) * 0.9)
    return [text[:cut]], [text[cut:]], False


def measure(name: str, path: Path | None) -> dict[str, float]:
    import pofx

    train, held_out, ends = parts(path)
    orders = {"order 6": 6, "order 8": 8, "unbounded": None}
    spec = pofx.MixingSpec() if name in ("mixing", "adaptive") else pofx.NgramSpec(order=orders[name])
    clock = time.process_time()
    warm = pofx.fit(["word"], spec)
    if name == "adaptive":
        warm = pofx.adapt(warm)
    warm.forward([warm.vocab.encode("word")])
    warmed = time.process_time() - clock
    clock = time.process_time()
    lm = pofx.fit(train, spec)
    fitted = time.process_time() - clock
    if name == "adaptive":
        lm = pofx.adapt(lm)
    clock = time.process_time()
    paths = [[*lm.vocab.encode(d), *([lm.vocab.end] if ends else [])] for d in held_out]
    nats = -math.fsum(math.fsum(terms.tolist()) for terms in lm.forward(paths).logp)
    scored = time.process_time() - clock
    read, size = sum(map(len, train)), sum(map(len, held_out))
    rates = {"fit_kb_s": read / fitted / 1e3, "score_kb_s": size / scored / 1e3}
    loss = {"nats_per_character": nats / sum(len(d.decode("utf-8", "replace")) for d in held_out)}
    bits = {"bits_per_byte": nats / size / math.log(2)}
    return {"warm_s": warmed, "fit_s": fitted, **rates, **loss, **bits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, nargs="?")
    parser.add_argument(
        "--only", choices=CONTENDERS, help="measure one model in this process, and print JSON"
    )
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.text)))
        return
    print("model       first use s   fit s   fit kB/s   score kB/s   nats/char   bits/byte")
    for name in CONTENDERS:
        text = [str(options.text)] if options.text else []
        command = [sys.executable, __file__, *text, "--only", name]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        r = json.loads(done.stdout)
        print(
            f"{name:<10} {r['warm_s']:>12.1f} {r['fit_s']:>7.1f} {r['fit_kb_s']:>10,.0f} {r['score_kb_s']:>12,.0f} "
            f"{r['nats_per_character']:>11.4f} {r['bits_per_byte']:>11.4f}"
        )


if __name__ == "__main__":
    main()
