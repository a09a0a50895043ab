"""The law of texts given a condition by the definition: every sequence of tokens, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.vocab.vocabulary import NotText, Vocab
from toy import log_prefix, log_string, texts


class Pieces(Vocab):
    """Any byte strings as tokens, then EOS; a text is cut greedily, the longest token first."""

    def __init__(self, *tokens: bytes) -> None:
        self.size, self.end = len(tokens) + 1, len(tokens)
        self.token_bytes = (*tokens, None)

    def encode(self, text: str | bytes) -> list[int]:
        data = text.encode() if isinstance(text, str) else text
        out, at = [], 0
        while at < len(data):
            fits = [(len(b), i) for i, b in enumerate(self.token_bytes) if b and data.startswith(b, at)]
            if not fits:
                raise NotText(f"expected a text of these tokens, got {data[at:]!r}")
            length, i = max(fits)
            out.append(i)
            at += length
        return out


class Forgetful(LM):
    """The same law, of which nobody knows that it remembers little."""

    def __init__(self, lm: LM) -> None:
        self.lm, self.vocab, self.begin = lm, lm.vocab, lm.begin

    def start(self, n: int) -> State:
        return self.lm.start(n)

    def extend(self, state: State, ids: object) -> State:
        return self.lm.extend(state, ids)  # type: ignore[arg-type]


def complete(
    lm: LM, most: int, inside: Callable[[bytes], bool], behind: Sequence[int] = ()
) -> dict[bytes, float]:
    """p of every string of at most `most` tokens that is inside, summed over its tokenisations."""
    out: dict[bytes, float] = {}
    for path in texts(lm.vocab, most):
        data = b"".join(lm.vocab.token_bytes[i] or b"" for i in path)
        if inside(data):
            out[data] = out.get(data, 0.0) + math.exp(log_string(lm, path, behind))
    return out


def open_ended(
    lm: LM, most: int, inside: Callable[[bytes], bool], behind: Sequence[int] = ()
) -> dict[bytes, float]:
    """P of the first beginning of a text that is inside, of texts that have one among their first `most` tokens."""
    out: dict[bytes, float] = {}

    def walk(path: tuple[int, ...], data: bytes) -> None:
        for k in range(len(data) + 1):
            if inside(data[:k]):
                out[data[:k]] = out.get(data[:k], 0.0) + math.exp(log_prefix(lm, path, behind))
                return
        if len(path) < most:
            for i, b in enumerate(lm.vocab.token_bytes):
                if b is not None:
                    walk((*path, i), data + b)

    walk((), b"")
    return out


def covered(lm: LM, data: bytes, behind: tuple[int, ...] = ()) -> float:
    """P(a text begins with `data`): every sequence of tokens whose last one reaches its end."""
    if not data:
        return math.exp(log_prefix(lm, behind))
    return sum(
        covered(lm, data[len(b) :], (*behind, i))
        for i, b in enumerate(lm.vocab.token_bytes)
        if b and (b.startswith(data) or data.startswith(b))
    )


def variation(p: dict[bytes, float], q: dict[bytes, float]) -> float:
    """Total variation between two laws, normalised here."""
    z, w = math.fsum(p.values()), math.fsum(q.values())
    return 0.5 * math.fsum(abs(p.get(x, 0.0) / z - q.get(x, 0.0) / w) for x in {*p, *q})
