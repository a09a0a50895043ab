"""A mixing model by the formulas alone: Python's integers, one decision after another, nothing compiled.

The oracle of the family. It shares no code and no table with it: the tables are made anew from their formulas. It is some
thousand times slower.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

WORD = 2**64
SEEDS = (0x9E3779B97F4A7C15, 0x632BE59BD9B4E019, 0xBF58476D1CE4E5B9)
EOS = 256
MATCH_LEAST = 6


def squash(d: int) -> int:
    """σ(d / 256) in 65,536ths, between 32 and 65,504."""
    return min(max(round(65536 / (1 + math.exp(-d / 256))), 32), 65504)


SQUASH = [squash(d) for d in range(-2048, 2048)]
# The least d whose σ reaches the middle of each 4,096th.
STRETCH = [min(bisect_left(SQUASH, 16 * i + 8), 4095) - 2048 for i in range(4096)]


def sigma(d: int) -> int:
    return SQUASH[d + 2048]


def within(d: int) -> int:
    return min(max(d, -2047), 2047)


def after(bits: int, y: int) -> int:
    """A history of bits followed by y: two counts up to 7, and the last two bits."""
    counts = [bits >> 5, bits >> 2 & 7]
    counts[y] = min(counts[y] + 1, 7)
    if counts[1 - y] > 2:
        counts[1 - y] = min((counts[1 - y] + 3) // 2, 4)
    return counts[0] << 5 | counts[1] << 2 | (bits & 1) << 1 | y


def moved(mean: int, n: int, y: int) -> int:
    """The mean of n + 1 bits, where n + 1/2 bits of weight have this mean: a step of 1/(n + 3/2)."""
    return mean + (((65535 * y - mean) * (2 * 65536 // (2 * n + 3))) >> 16)


@dataclass
class Cell:
    """What is known of one node after one context."""

    mean: int = 32768
    n: int = 0
    bits: int = 0


@dataclass
class Slot:
    """One line of a hash table: the check of the context that owns it, and its nodes."""

    check: int = 0
    nodes: list[Cell] = field(default_factory=lambda: [Cell(0) for _ in range(16)])


@dataclass
class Reader:
    """All that the model knows of the bytes before: text, word, line, match."""

    last: list[int] = field(default_factory=lambda: [255] * 8)
    word: int = 0
    before: int = 0
    column: int = 0
    opening: int = 0
    place: int = 0
    length: int = 0

    def keys(self) -> list[int]:
        """One number a context: orders 1 to 6, word, two words, sparse, column, word before."""
        number = int.from_bytes(bytes(self.last))
        raw = [number % 256**n for n in range(1, 7)]
        raw.append(self.word * 0x2F0B4C47 + self.last[-1])
        raw.append(self.word * 0x2F0B4C47 + self.before * 0x9E3779B1 + 1)
        raw.append(number % 2**24 - self.last[-1])
        raw.append(min(self.column, 255) * 0x10001 + self.opening * 0x3D4D51CB + (self.last[-1] << 32))
        raw.append(self.before * 0x9E3779B1 + number % 2**16 * 77)
        return [(key + (i + 1) * SEEDS[1]) * SEEDS[0] % WORD for i, key in enumerate(raw)]

    def strength(self) -> int:
        return self.length if self.length < 16 else min(16 + (self.length - 16) // 8, 31)

    def six(self) -> int:
        return int.from_bytes(bytes(self.last[-6:])) * SEEDS[0] % WORD

    def read(self, byte: int) -> None:
        self.last = [*self.last[1:], byte]
        letter = byte + 32 if 65 <= byte <= 90 else byte
        if 97 <= letter <= 122 or letter == 39 or letter >= 128:
            self.word = (self.word + letter) * 0x2F0B4C4759E1 % WORD
        elif self.word:
            self.before, self.word = self.word, 0
        if byte == 10:
            self.column = self.opening = 0
        else:
            self.column += 1
            if self.column == 1:
                self.opening = byte


@dataclass
class Decision:
    """One decision as it was predicted: what learning needs."""

    node: int
    inputs: list[int]
    rows: list[tuple[int, ...]]
    odds: list[int]
    mixer: tuple[int, int, bool]
    mixed: int
    near: list[tuple[int, int, int]]
    foreseen: bool
    q: int


class PlainMixing:
    """The model: `fit` reads documents, `terms` scores a text.

    Args:
        bits: log2 of the number of slots a context.
    """

    def __init__(self, bits: int) -> None:
        self.bits, self.fine, self.recent = bits, min(bits + 2, 16), min(bits + 2, 20)
        self.slots: dict[tuple[int, int], Slot] = {}
        self.maps: dict[tuple[int, int], tuple[int, int]] = {}
        self.order0: dict[int, int] = {}
        self.matched: dict[int, tuple[int, int]] = {}
        self.ended: dict[int, tuple[int, int]] = {}
        self.weights: dict[tuple[int, ...], list[int]] = {}
        self.final: dict[tuple[int, int, bool], list[int]] = {}
        self.refined: dict[tuple[int, int, int], int] = {}
        self.latest: dict[int, int] = {}
        self.text: list[int] = []
        self.replaced = 0

    # The tables before the first byte.

    def map_of(self, i: int, bits: int) -> tuple[int, int]:
        zeros, ones = bits >> 5, bits >> 2 & 7
        return self.maps.get((i, bits), (65536 * (2 * ones + 1) // (2 * (zeros + ones) + 2) << 4, 0))

    def refining(self, which: int, row: int, place: int) -> int:
        return self.refined.get((which, row, place), SQUASH[min((4096 * place + 15) // 31, 4095)])

    def lookup(self, i: int, key: int) -> tuple[int, int]:
        key ^= key >> 29
        key = key * SEEDS[2] % WORD
        return (key >> 20) % 2**self.bits, key >> 42 | 1

    def owned(self, i: int, at: int, check: int) -> Slot | None:
        for place in (at, at ^ 1):
            slot = self.slots.get((i, place))
            if slot is not None and slot.check == check:
                return slot
        return None

    def claim(self, i: int, at: int, check: int) -> Slot:
        found = self.owned(i, at, check)
        if found is None:
            here, beside = (self.slots.setdefault((i, k), Slot()) for k in (at, at ^ 1))
            found = beside if beside.nodes[1].n < here.nodes[1].n else here
            self.replaced += found.check != 0
            found.check, found.nodes = check, [Cell() for _ in range(16)]
        return found

    # Predicting.

    def decide(self, reader: Reader, byte: int) -> tuple[list[Decision], list[tuple[int, int]]]:
        """The eight decisions of a byte, and where each half of it is looked up."""
        keys = reader.keys()
        upper = [self.lookup(i, key) for i, key in enumerate(keys)]
        top = 16 | byte >> 4
        lower = [self.lookup(i, (key ^ top) * SEEDS[0] % WORD) for i, key in enumerate(keys)]
        where = upper + lower
        owned = [self.owned(j % 11, *w) for j, w in enumerate(where)]
        return [self.decision(reader, byte, b, owned[11 * (b // 4) :][:11]) for b in range(8)], where

    def decision(self, reader: Reader, byte: int, b: int, owned: list[Slot | None]) -> Decision:
        node = (256 | byte) >> (8 - b)
        inner = inner_of(byte, b)
        inputs, seen, counts = [], 0, [0] * len(owned)
        for i, slot in enumerate(owned):
            cell = slot.nodes[inner] if slot else Cell()
            if cell.bits == 0:
                inputs += [0, 0, 0]
                continue
            p = self.map_of(i, cell.bits)[0]
            inputs += [STRETCH[p >> 10], STRETCH[cell.mean >> 4], ((p >> 4) - 131072) >> 7]
            seen = i + 1 if i < 6 else seen
            counts[i] = cell.n if cell.n < 2 else 2 if cell.n < 4 else 3
        inputs.append(STRETCH[self.order0.get(node, 32768) >> 4])
        expected = self.text[reader.place] | 256 if reader.length else 0
        foreseen, length, strength = bool(expected) and expected >> (8 - b) == node, 0, reader.strength()
        if foreseen:
            sign = 1 if expected >> (7 - b) & 1 else -1
            inputs += [sign * STRETCH[self.matched.get(strength, (40000, 0))[0] >> 4]]
            inputs += [sign * min(reader.length, 32) * 16]
            length = 1 + strength // 8 if strength < 16 else 3 + (strength - 16) // 4
        else:
            inputs += [0, 0]
        inputs.append(256)
        c1, c2 = reader.last[-1], reader.last[-2] * 256 + reader.last[-1]
        rows: list[tuple[int, ...]] = [(0, node), (1, length, seen, b), (2, c1), (3, *counts[2:6])]
        mixer = b, seen, foreseen
        odds = [within(sum(x * w for x, w in zip(inputs, self.row(row))) >> 16) for row in rows]
        mixed = within(sum(d * u for d, u in zip(odds, self.finals(mixer))) >> 16)
        place, part = divmod((mixed + 2048) * 31 // 32, 128)
        tables = (c1 * 256 + node) % 2**self.fine, ((c2 * 256 + node) * 0x2F0B4C47 >> 13) % 2**self.fine
        refined = [
            (self.refining(k, row, place) * (128 - part) + self.refining(k, row, place + 1) * part) >> 7
            for k, row in enumerate(tables)
        ]
        q = (sigma(mixed) + refined[0] + 2 * refined[1] + 2) >> 2
        near = [(k, row, place + part // 64) for k, row in enumerate(tables)]
        return Decision(node, inputs, rows, odds, mixer, mixed, near, foreseen, min(max(q, 32), 65504))

    def row(self, row: tuple[int, ...]) -> list[int]:
        return self.weights.setdefault(row, [9000] * 37)

    def finals(self, mixer: tuple[int, int, bool]) -> list[int]:
        return self.final.setdefault(mixer, [65536 // 4] * 4)

    def ends(self, reader: Reader) -> int:
        return min(max(self.ended.get(reader.last[-1], (32768, 0))[0], 32), 65504)

    # Reading.

    def append(self, reader: Reader, symbol: int, known: int) -> Reader:
        """The reader behind a symbol, where the first `known` bytes of the text may be matched."""
        if symbol == EOS:
            return Reader()
        going_on = reader.length > 0 and self.text[reader.place] == symbol
        reader.read(symbol)
        if going_on:
            reader.place, reader.length = reader.place + 1, reader.length + 1
        else:
            place, length = self.latest.get(reader.six() >> (64 - self.recent), 0), 0
            while length < min(8, place) and self.text[place - 1 - length] == reader.last[-1 - length]:
                length += 1
            reader.place, reader.length = (place, length) if length >= MATCH_LEAST else (0, 0)
        if reader.place >= known:
            reader.place = reader.length = 0
        return reader

    def terms(self, symbols: list[int]) -> list[float]:
        """p of each symbol of a text."""
        reader, out = Reader(), []
        for symbol in symbols:
            byte = min(symbol, 255)
            p = 1.0
            for b, decision in enumerate(self.decide(reader, byte)[0]):
                p *= (decision.q if byte >> (7 - b) & 1 else 65536 - decision.q) / 65536
            if byte == 255:
                p *= (self.ends(reader) if symbol == EOS else 65536 - self.ends(reader)) / 65536
            out.append(p)
            reader = self.append(reader, symbol, len(self.text))
        return out

    def fit(self, documents: list[list[int]]) -> PlainMixing:
        """Read each document once, and EOS behind it; learn from each symbol after it is predicted."""
        reader = Reader()
        for symbol in [s for document in documents for s in [*document, EOS]]:
            byte = min(symbol, 255)
            self.learn(reader, symbol, byte, *self.decide(reader, byte))
            self.text.append(byte)
            reader = self.append(reader, symbol, len(self.text))
            if symbol != EOS:
                self.latest[reader.six() >> (64 - self.recent)] = len(self.text)
        return self

    # Learning.

    def learn(
        self,
        reader: Reader,
        symbol: int,
        byte: int,
        decisions: list[Decision],
        where: list[tuple[int, int]],
    ) -> None:
        expected = self.text[reader.place] | 256 if reader.length else 0
        owned = [self.owned(j % 11, *w) for j, w in enumerate(where)]
        for b, decision in enumerate(decisions):
            y = byte >> (7 - b) & 1
            self.learn_weights(decision, y)
            for near in decision.near:
                found = self.refining(*near)
                self.refined[near] = found + ((65535 * y - found) >> 7)
            found = self.order0.get(decision.node, 32768)
            self.order0[decision.node] = found + ((65535 * y - found) >> 9)
            for i in range(11):
                j = 11 * (b // 4) + i
                slot = owned[j] = owned[j] or self.claim(i, *where[j])
                self.learn_cell(i, slot.nodes[inner_of(byte, b)], y)
            if decision.foreseen:
                right = (expected >> (7 - b) & 1) == y
                mean, n = self.matched.get(reader.strength(), (40000, 0))
                self.matched[reader.strength()] = moved(mean, n, right), min(n + 1, 255)
        if byte == 255:
            mean, n = self.ended.get(reader.last[-1], (32768, 0))
            self.ended[reader.last[-1]] = moved(mean, n, symbol == EOS), min(n + 1, 255)

    def learn_weights(self, decision: Decision, y: int) -> None:
        final = self.finals(decision.mixer)
        for s, (row, d) in enumerate(zip(decision.rows, decision.odds)):
            final[s] += (d * (65536 * y - sigma(decision.mixed)) + 2**17) >> 18
            weights, error = self.row(row), 65536 * y - sigma(d)
            for k, x in enumerate(decision.inputs):
                weights[k] += (x * error + 2**17) >> 18

    def learn_cell(self, i: int, cell: Cell, y: int) -> None:
        if cell.bits:
            mean, m = self.map_of(i, cell.bits)
            step = (2 * 65536 // (2 * m + 3)) * ((2**22 * y - y - mean) >> 3) >> 13
            self.maps[i, cell.bits] = mean + step, min(m + 1, 255)
        cell.mean, cell.n, cell.bits = (
            moved(cell.mean, cell.n, y),
            min(cell.n + 1, 255),
            after(cell.bits, y),
        )


def inner_of(byte: int, b: int) -> int:
    """The node of decision b within its half of the byte, from 1 to 15."""
    half = byte >> 4 if b < 4 else byte & 15
    return (16 | half) >> (4 - b % 4)
