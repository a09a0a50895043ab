"""Loss and speed of the mixing model beside n-grams on one text: the first 90 % is fitted, the last 10 % is scored.

    python bench/mixing.py TEXT    such as tiny-shakespeare; about a minute

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


def measure(name: str, path: Path) -> dict[str, float]:
    import pofx

    text = path.read_bytes()
    cut = int(len(text) * 0.9)
    train, held_out = text[:cut], text[cut:]
    orders = {"order 6": 6, "order 8": 8, "unbounded": None}
    spec = pofx.MixingSpec() if name in ("mixing", "adaptive") else pofx.NgramSpec(order=orders[name])
    clock = time.process_time()
    warm = pofx.fit(["word"], spec)
    if name == "adaptive":
        warm = pofx.adapt(warm)
    warm.forward([warm.vocab.encode("word")])
    warmed = time.process_time() - clock
    clock = time.process_time()
    lm = pofx.fit([train], spec)
    fitted = time.process_time() - clock
    if name == "adaptive":
        lm = pofx.adapt(lm)
    clock = time.process_time()
    nats = -math.fsum(lm.forward([lm.vocab.encode(held_out)]).logp[0].tolist())
    scored = time.process_time() - clock
    rates = {"fit_kb_s": len(train) / fitted / 1e3, "score_kb_s": len(held_out) / scored / 1e3}
    loss = {"nats_per_character": nats / len(held_out.decode("utf-8", "replace"))}
    bits = {"bits_per_byte": nats / len(held_out) / math.log(2)}
    return {"warm_s": warmed, "fit_s": fitted, **rates, **loss, **bits}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument(
        "--only", choices=CONTENDERS, help="measure one model in this process, and print JSON"
    )
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.text)))
        return
    print("model       first use s   fit s   fit kB/s   score kB/s   nats/char   bits/byte")
    for name in CONTENDERS:
        command = [sys.executable, __file__, str(options.text), "--only", name]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        r = json.loads(done.stdout)
        print(
            f"{name:<10} {r['warm_s']:>12.1f} {r['fit_s']:>7.1f} {r['fit_kb_s']:>10,.0f} {r['score_kb_s']:>12,.0f} "
            f"{r['nats_per_character']:>11.4f} {r['bits_per_byte']:>11.4f}"
        )


if __name__ == "__main__":
    main()
