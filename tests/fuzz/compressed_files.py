"""Compressed files, damaged and forged: what comes out is what went in, or one line of refusal, and soon."""

from __future__ import annotations

import functools
import hashlib
import random
from dataclasses import replace

import pofx
from pofx.errors import Undecodable
from pofx.lm.model import LM
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block, read_compressed
from pofx.queries.compression.compress import compress
from pofx.queries.compression.decompress import decompress

CASES = 100
TEXTS = (
    b"",
    b"to be or not to be",
    b"to be \xff or not \x00",
    b"aaaaaaaa" * 40,
    "na\u00efve \U0001f600".encode(),
)
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 1 << 14, 10**6, 10**7, 1 << 31, 1 << 40, (1 << 62) - 1)


@functools.cache
def model() -> LM:
    """An n-gram that is nearly sure of what comes, so that a few bytes stand for many tokens."""
    return pofx.fit(["to be or not to be", "a" * 300], pofx.NgramSpec(order=3))


@functools.cache
def made(which: int, by_model: bool) -> bytes:
    """One file of ours."""
    return compress(model() if by_model else None, TEXTS[which])


def damaged(rng: random.Random, blob: bytes) -> bytes:
    """Bits flipped, bytes inserted, left out, repeated or moved; now and then with the right hash of the header."""
    data = bytearray(blob)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.randbytes(rng.randint(1, 9))
        elif kind == 2:
            del data[at : at + rng.randint(1, 9)]
        elif kind == 3:
            data[at:at] = data[max(at - 16, 0) : at]
        else:
            data[at:] = data[at:][::-1]
    cut = rng.randrange(len(data) + 1)
    return (
        bytes(data)
        if rng.random() < 0.7
        else bytes(data[:cut]) + hashlib.sha256(data[:cut]).digest()[:8] + bytes(data[cut:])
    )


def forged(rng: random.Random, blob: bytes) -> bytes:
    """Every hash is right, and numbers, kinds, codes and names are others."""
    packed = read_compressed(blob)
    blocks = list(packed.blocks) or [CodeBlock("raw", 0, b"", hash_block(b""))]
    at = rng.randrange(len(blocks))
    code = bytearray(blocks[at].code)
    if code and rng.random() < 0.5:
        code[rng.randrange(len(code))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        code = code[: rng.randrange(len(code) + 1)] + rng.randbytes(rng.choice((0, 1, 4, 400)))
    changes = {"size": NUMBERS, "tokens": NUMBERS, "streams": NUMBERS, "kind": ("raw", "adaptive", "model")}
    some = {name: rng.choice(changes[name]) for name in rng.sample(sorted(changes), rng.randint(0, 3))}
    blocks[at] = replace(blocks[at], code=bytes(code), **some)
    blocks = blocks * rng.choice((1, 1, 1, 2))
    names = dict(packed.identity)
    for name in rng.sample(sorted(names), min(len(names), rng.choice((0, 0, 0, 1)))):
        names[name] = rng.choice(("", "x" * 300, "\u2028\n", "1"))
    return CompressedFile(names, tuple(blocks)).to_bytes()


def once(rng: random.Random) -> None:
    """One file, damaged or forged."""
    which, by_model = rng.randrange(len(TEXTS)), rng.random() < 0.6
    blob = (damaged if rng.random() < 0.5 else forged)(rng, made(which, by_model))
    refusal = ""
    try:
        data = decompress(model() if by_model else None, blob)
    except Undecodable as e:
        refusal = str(e)
    if refusal:
        assert refusal.isprintable() and "expected" in refusal, refusal
    else:  # blocks have hashes of what they stand for, so that what comes out is made of them
        assert TEXTS[which].startswith(data) or data == TEXTS[which] * 2, (blob.hex(), data)
