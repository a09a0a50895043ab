"""Reading a document and learning from each symbol, with a note of each line of memory that changed."""

# mypy: ignore-errors
# numba infers the types here. A signed and an unsigned integer of 64 bits would make a float, so unsigned integers are
# marked as such.

from __future__ import annotations

import numpy as np

from pofx.models.mixing.compiled import compiled
from pofx.models.mixing.contexts import CONTEXTS, END, hashes
from pofx.models.mixing.deciding import FINAL, INPUTS, NEAR, SETS, decide, decide_end
from pofx.models.mixing.learning import learn
from pofx.models.mixing.matching import expected_byte, slot_of, strength_of
from pofx.models.mixing.reading import append, p_of, path_to, workspace


@compiled
def note(changed, lines, noted, line):
    """Note a line that changed, unless the line is noted."""
    if not changed[line]:
        changed[line] = True
        lines[noted[0]] = line
        noted[0] += 1


@compiled
def note_learned(at, changed, lines, noted, slots, mixed):
    """Note the lines that `learn` has changed, but for the small parts of the memory, which `restore` copies as a whole."""
    for half in range(len(slots)):
        for i in range(slots.shape[1]):
            note(changed, lines, noted, slots[half, i] >> 4)
    for b in range(len(mixed)):
        left = mixed[b]
        for s in range(SETS):
            row = at.weights + left[s] * INPUTS
            for line in range(row >> 4, (row + INPUTS + 15) >> 4):
                note(changed, lines, noted, line)
        note(changed, lines, noted, left[FINAL] >> 4)
        for k in range(2):
            note(changed, lines, noted, left[NEAR + k] >> 4)


@compiled
def follow(memory, seen, at, tables, text, readable, known, history, symbols, changed, lines, noted, p):
    """Read symbols of one document, and learn from each after its probability is known.

    Args:
        memory: The memory, which changes.
        seen: The same memory as an array that cannot be written, for which `decide` is compiled.
        at: The layout of the memory.
        tables: The tables of `decide`.
        text: The bytes of the text so far, to which those of the symbols are appended; EOS is byte 255.
        readable: The same text as an array that cannot be written.
        known: The number of bytes of the text so far.
        history: The history before the symbols, and afterwards the history behind them.
        symbols: The symbols; EOS is the last symbol, or none.
        changed: `[lines of the memory]`, whether a line is noted.
        lines: `[lines of the memory]`, the lines that are noted, in the order in which they changed.
        noted: `[1]`, the number of lines that are noted.
        p: `[symbols]`, written: the probability of each symbol, before it is learned.
    """
    keys = np.zeros(CONTEXTS, dtype=np.uint64)
    slots, checks, foreseen, x, mixed = workspace()
    q, nodes = np.zeros(256, dtype=np.int64), np.zeros((8, 2), dtype=np.int64)
    for step in range(len(symbols)):
        symbol = np.int64(symbols[step])
        hashes(history, keys)
        path_to(min(symbol, 255), nodes)
        decide(seen, at, tables, readable, history, keys, nodes, slots, checks, foreseen, x, mixed, q)
        p[step] = p_of(symbol, q, decide_end(seen, at, history))
        strength, expected = strength_of(history), expected_byte(readable, history)
        learn(memory, at, tables, history, strength, expected, symbol, slots, checks, foreseen, x, mixed)
        note_learned(at, changed, lines, noted, slots, mixed)
        text[known + step] = min(symbol, 255)
        append(seen, at, readable, known + step + 1, history, symbol)
        if symbol != END:
            place = slot_of(at, history)
            note(changed, lines, noted, place >> 4)
            memory[place] = known + step + 1


@compiled
def restore(memory, frozen, at, changed, lines, noted):
    """Copy the lines that are noted, and the small parts of the memory, from the frozen memory."""
    for k in range(noted[0]):
        line = lines[k]
        changed[line] = False
        for j in range(16 * line, 16 * line + 16):
            memory[j] = frozen[j]
    noted[0] = 0
    for j in range(at.maps, at.weights):
        memory[j] = frozen[j]
