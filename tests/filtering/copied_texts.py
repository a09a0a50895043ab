"""Random texts of which many are copies of earlier ones."""

from __future__ import annotations

import random

WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "ne", "pu", "ra") for b in ("t", "rn", "sk", "ll", "m", "xo")]


def corpus(seed: int, n: int = 60) -> list[str]:
    """Random texts, with exact copies, copies in other case and white space, and copies with some words changed."""
    rng = random.Random(seed)
    out: list[str] = []
    for _ in range(n):
        kind = rng.random()
        if not out or kind < 0.5:
            out.append(" ".join(rng.choices(WORDS, k=rng.randint(1, 60))))
            continue
        text = rng.choice(out)
        if kind < 0.7:
            out.append(text)
        elif kind < 0.75:
            out.append(f" {text.upper()}\n")
        else:
            words = text.split()
            for _ in range(rng.randint(1, 3)):
                words[rng.randrange(len(words))] = rng.choice(WORDS)
            out.append(" ".join(words))
    return out
