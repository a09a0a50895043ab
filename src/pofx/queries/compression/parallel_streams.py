"""Arithmetic coding of tokens in parallel streams: the parts of one text side by side, in equal steps for both sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.coding.adaptive import Tell, silent
from pofx.algorithms.coding.range_coder import Decoder, Encoder, cost, floor_bits, frequencies
from pofx.errors import BadValue, Undecodable
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.lm.trace import Ints
from pofx.units import bits, count_noun

# The numbers of parts to try, the largest first, and the most bits a token that parts may cost. A model of short memory
# predicts a part nearly as well without the text before, and n parts are n times as fast.
STREAM_COUNTS = (64, 16, 4)
MOST_LOST = 0.02
BOUND = 0.03  # the most bits a token that parts and frequencies together may cost
MAX_STREAMS = 1024
# The bits that symbols may cost beyond the length of the code, whose last word of 32 bits may be left off. Without this
# bound a few bytes that claim a huge text could keep a decoder busy.
SLACK = 128


def encode(lm: LM, path: Ints, streams: int, tell: Tell = silent) -> bytes:
    """Code a path in parallel streams, one step a token of the longest part.

    Args:
        lm: The model.
        path: Token ids, EOS last where the model has it.
        streams: The number of parts of the path.
        tell: A function that is called with the share of steps that is done.

    Returns:
        The code.
    """
    parts = np.array_split(path, _part_starts(len(path), streams))
    out = Encoder()

    def turn(t: int, g: NDArray[np.float32]) -> Ints:
        now = np.array([part[t] for part in parts[: len(g)]], dtype=np.int64)
        out.put(now, g)
        return now

    _code_steps(lm, [len(p) for p in parts], turn, tell)
    return out.done()


def decode(lm: LM, payload: bytes, n: int, streams: int, tell: Tell = silent) -> Ints:
    """Invert `encode`.

    Args:
        lm: The model.
        payload: The code.
        n: The number of tokens of the path.
        streams: The number of parts of the path.
        tell: A function that is called with the share of steps that is done.

    Returns:
        The path, `[n]`.

    Raises:
        Undecodable: The payload is no code of such a path.
    """
    code = Decoder(payload)
    columns: list[Ints] = []
    left = 8.0 * len(payload) + SLACK

    def turn(t: int, g: NDArray[np.float32]) -> Ints:
        nonlocal left
        now = code.get(g)
        left -= cost(g, now)
        if left < 0:
            raise Undecodable(
                f"expected the code of {count_noun(n, 'token')}, got a code that ends after some {t:,}",
                "copy the file again",
            )
        columns.append(now)
        return now

    lengths = [hi - lo for lo, hi in zip([0, *_part_starts(n, streams)], [*_part_starts(n, streams), n])]
    _code_steps(lm, lengths, turn, tell)
    parts = [np.array([c[k] for c in columns[: lengths[k]]], dtype=np.int64) for k in range(len(lengths))]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def encode_path(lm: LM, data: bytes) -> Ints:
    """Return the tokens of a text, and EOS where the model has it."""
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    return np.append(lm.vocab.encode_array(data), end).astype(np.int64)


def ideal_bits(lm: LM, path: Ints, streams: int = 1) -> float:
    """Return −log2 p of a path, or the sum of −log2 p over its parts."""
    trace = lm.forward(np.array_split(path, _part_starts(len(path), streams)))
    return bits(-sum(float(np.sum(logp)) for logp in trace.logp))


def choose_stream_count(lm: LM, path: Ints, whole: float) -> int:
    """Choose the number of parts of a path.

    Args:
        lm: The model; a model without a known memory gets one part.
        path: The path.
        whole: −log2 p of the path.

    Returns:
        The largest number of parts whose cost is within `MOST_LOST`.
    """
    if lm.memory is None:
        return 1
    spare = min(MOST_LOST, 0.99 * (BOUND - floor_bits(lm.vocab.size)))
    for most in STREAM_COUNTS:
        streams = part_count(most, len(path))
        # The beginning of each part costs some 10 bits, too much for parts below 512 tokens.
        if len(path) >= 512 * streams and ideal_bits(lm, path, streams) <= whole + spare * len(path):
            return streams
    return 1


def part_count(streams: int, n: int) -> int:
    """Return the number of parts of n tokens, at most `streams`; parts are equally long, but the last may be shorter."""
    return -(-n // -(-n // streams)) if n else 1


def _part_starts(n: int, streams: int) -> list[int]:
    """Return the places where the parts after the first begin; `Undecodable` for a number of parts that is impossible."""
    if not 1 <= streams <= MAX_STREAMS or streams != part_count(streams, n):
        raise Undecodable(
            f"expected {count_noun(n, 'token')} in parts that are not empty, got {count_noun(streams, 'part')}",
            "copy the file again",
        )
    return [-(-n // streams) * k for k in range(1, streams)]


def _code_steps(
    lm: LM, lengths: list[int], turn: Callable[[int, NDArray[np.float32]], Ints], tell: Tell
) -> None:
    """Extend all unfinished parts by a token a step: `turn` takes the frequencies, and returns the tokens.

    Encoder and decoder both run this loop, so that a model in floats does the same sums in the same order for both.
    """
    portable = lm.portable()
    state = lm.start(len(lengths))
    for t in range(max(lengths, default=0)):
        going = sum(n > t for n in lengths)  # the last part may be shorter than the others
        if going < state.n:
            state = state.take(np.arange(going))
        p = portable.distributions(state) if portable is not None else _renormalised(state)
        ids = turn(t, frequencies(p))
        tell((t + 1) / lengths[0])
        if any(n > t + 1 for n in lengths):
            state = lm.extend(state, ids[:, None])


def _renormalised(state: State) -> NDArray[np.float64]:
    p = np.exp(state.logp.astype(np.float64))
    total = p.sum(axis=1, keepdims=True)
    # A distribution in float32 sums to 1 up to 1e-5.
    if not np.all(np.abs(total - 1) < 1e-3):
        raise BadValue(
            "expected distributions that sum to 1 to code with, got a sum that differs", "audit the model"
        )
    p /= total
    return p
