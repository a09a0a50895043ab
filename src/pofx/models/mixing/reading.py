"""Reading symbols: their probabilities, whole distributions, and learning. All three make the same decisions."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled
from pofx.models.mixing.contexts import CONTEXTS, END, begin, hashes, move
from pofx.models.mixing.deciding import INPUTS, LEFT, decide, decide_end
from pofx.models.mixing.learning import learn
from pofx.models.mixing.matching import expected_byte, slot_of, step_match, strength_of


@compiled
def path_to(byte, nodes):
    """Write the eight nodes of a byte, and their depths."""
    for b in range(len(nodes)):
        nodes[b, 0] = (256 | byte) >> (8 - b)
        nodes[b, 1] = b


@compiled
def p_of(symbol, q, ends):
    """Return p of a symbol: the product of its decisions, from the first one on."""
    byte = min(symbol, 255)
    p = 1.0
    for b in range(8):
        one = q[(256 | byte) >> (8 - b)]
        p *= (one if (byte >> (7 - b)) & 1 else 65536 - one) / 65536
    if byte == 255:
        p *= (ends if symbol == END else 65536 - ends) / 65536
    return p


@compiled
def append(memory, at, text, known, history, symbol):
    """Append a symbol to a history; after EOS another text begins."""
    if symbol == END:
        begin(history)
    else:
        move(history, symbol)
        step_match(memory, at, text, known, history, symbol)


@compiled
def extend_histories(memory, at, text, histories, symbols):
    """Append row i of `symbols` to row i of `histories`."""
    for i in range(len(symbols)):
        for j in range(symbols.shape[1]):
            append(memory, at, text, len(text), histories[i], np.int64(symbols[i, j]))


@compiled
def workspace():
    """Return the arrays that `decide` writes, but for the last."""
    return (
        np.zeros((2, CONTEXTS), dtype=np.int64),
        np.zeros((2, CONTEXTS, 2), dtype=np.int64),
        np.zeros(8, dtype=np.bool_),
        np.zeros((8, INPUTS), dtype=np.int32),
        np.zeros((8, LEFT), dtype=np.int64),
    )


@compiled
def distributions(memory, at, tables, text, every, histories, out):
    """Write p of all symbols after each history into `out`, `[histories, 257]`; `every` has all nodes, as `decide` does."""
    keys = np.zeros(CONTEXTS, dtype=np.uint64)
    slots, checks, foreseen, x, mixed = workspace()
    q = np.zeros(256, dtype=np.int64)
    for i in range(len(histories)):
        hashes(histories[i], keys)
        decide(memory, at, tables, text, histories[i], keys, every, slots, checks, foreseen, x, mixed, q)
        ends = decide_end(memory, at, histories[i])
        for v in range(out.shape[1]):
            out[i, v] = p_of(v, q, ends)


@compiled
def read(memory, at, tables, text, history, symbols, first, p, histories):
    """Read the symbols of texts that lie end to end, without learning.

    Args:
        memory: The memory, which stays as it is.
        at: The layout of the memory.
        tables: The tables of `decide`.
        text: The text of the fit.
        history: The history before the symbols, and afterwards the history behind them.
        symbols: The symbols.
        first: `[symbols]`, whether a text begins with the symbol.
        p: `[symbols]`, written: the probability of each symbol.
        histories: Written where it has rows: the history before each symbol.
    """
    keys = np.zeros(CONTEXTS, dtype=np.uint64)
    slots, checks, foreseen, x, mixed = workspace()
    q, nodes = np.zeros(256, dtype=np.int64), np.zeros((8, 2), dtype=np.int64)
    for step in range(len(symbols)):
        symbol = np.int64(symbols[step])
        if first[step]:
            begin(history)
        if len(histories):
            histories[step] = history
        hashes(history, keys)
        path_to(min(symbol, 255), nodes)
        decide(memory, at, tables, text, history, keys, nodes, slots, checks, foreseen, x, mixed, q)
        p[step] = p_of(symbol, q, decide_end(memory, at, history))
        append(memory, at, text, len(text), history, symbol)


@compiled
def study(memory, seen, at, tables, text, readable, known, history, symbols):
    """Read symbols, and learn from each after its probability is known.

    Args:
        memory: The memory, which changes.
        seen: The same memory as an array that cannot be written, for which `decide` is compiled.
        at: The layout of the memory.
        tables: The tables of `decide`.
        text: The bytes of the text so far, to which those of the symbols are appended; EOS is byte 255.
        readable: The same text as an array that cannot be written.
        known: The number of bytes of the text so far.
        history: The history before the symbols, and afterwards the history behind them.
        symbols: The symbols.
    """
    keys = np.zeros(CONTEXTS, dtype=np.uint64)
    slots, checks, foreseen, x, mixed = workspace()
    q, nodes = np.zeros(256, dtype=np.int64), np.zeros((8, 2), dtype=np.int64)
    for step in range(len(symbols)):
        symbol = np.int64(symbols[step])
        hashes(history, keys)
        path_to(min(symbol, 255), nodes)
        decide(seen, at, tables, readable, history, keys, nodes, slots, checks, foreseen, x, mixed, q)
        strength, expected = strength_of(history), expected_byte(readable, history)
        learn(memory, at, tables, history, strength, expected, symbol, slots, checks, foreseen, x, mixed)
        text[known + step] = min(symbol, 255)
        append(seen, at, readable, known + step + 1, history, symbol)
        if symbol != END:
            memory[slot_of(at, history)] = known + step + 1
