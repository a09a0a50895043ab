"""The file that `compress` makes: a header, and blocks, each with the hash of its code and of what it stands for.

    "pofx"  1 byte: format  header  8 bytes: hash of all before  codes of the blocks, in order

The header is numbers and one text: how many bytes the text (JSON: the model's identity, deflated) has, the text, how
many blocks, and of each its kind, bytes, tokens, lanes, bytes of code, and the two hashes. Numbers are LEB128, seven bits
a byte.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Literal

from pofx.errors import Undecodable
from pofx.units import count_noun

MAGIC = b"pofx"
FORMAT = 2
KINDS = ("raw", "adaptive", "model")
Kind = Literal["raw", "adaptive", "model"]
HASH = 6  # bytes: one damaged file in 2^48 would pass one of them
# What identities have in common, for deflate to refer to: an n-gram's takes 58 bytes in place of 180. Part of the format.
COMMON = (
    b'"}","machine":"aarch64","machine":"x86_64","numpy":"2.","torch":"2.","constriction":"0.","threads":"1"}{"model":"",'
    b'"x0":"<s> (trained), id 257","EOS":"id 256","window":"n-gram: the last 5 tokens","dtype":"float64","tokens":"","law":"'
)
LONGEST = 1 << 20  # bytes of an identity: a short text that stands for a huge one was made to fill memory


@dataclass(frozen=True)
class CodeBlock:
    """Some bytes of the data and their code: as they are, by the adaptive model, or by the model."""

    kind: Kind
    size: int
    code: bytes = field(repr=False)
    data_hash: bytes
    tokens: int = 0
    streams: int = 0


@dataclass(frozen=True)
class CompressedFile:
    """A file: which model's blocks it holds (empty without one), and the blocks."""

    identity: dict[str, str]
    blocks: tuple[CodeBlock, ...]

    def to_bytes(self) -> bytes:
        """As it is written."""
        identity_bytes = _deflate_identity(self.identity) if self.identity else b""
        out = bytearray(
            MAGIC
            + bytes([FORMAT])
            + _leb128(len(identity_bytes))
            + identity_bytes
            + _leb128(len(self.blocks))
        )
        for b in self.blocks:
            out.append(KINDS.index(b.kind))
            for n in (b.size, b.tokens, b.streams, len(b.code)):
                out += _leb128(n)
            out += b.data_hash + hash_block(b.code)
        out += hashlib.sha256(out).digest()[:8]
        return bytes(out) + b"".join(b.code for b in self.blocks)


def hash_block(data: bytes) -> bytes:
    """The hash of a block."""
    return hashlib.sha256(data).digest()[:HASH]


def read_compressed(blob: bytes) -> CompressedFile:
    """What `to_bytes` wrote, every hash of codes checked. `Undecodable` for anything else, or less, or more."""
    if blob[: len(MAGIC)] != MAGIC:
        found = f"{count_noun(len(blob), 'byte')} that begin otherwise" if blob else "nothing"
        raise Undecodable(
            f"expected what 'pofx compress' wrote, which begins with 'pofx', found {found}", "check the path"
        )
    reader = _Reader(blob, len(MAGIC))
    written = reader.take(1)[0]
    if written != FORMAT:
        raise Undecodable(
            f"expected a compressed file of format {FORMAT}, found format {written}",
            "another version of pofx wrote it",
        )
    identity_bytes = reader.take(reader.number())
    heads: list[tuple[int, int, int, int, int, bytes, bytes]] = []
    for _ in range(reader.number()):
        kind = reader.take(1)[0]
        n, tokens, streams, size = (reader.number() for _ in range(4))
        heads.append((kind, n, tokens, streams, size, reader.take(HASH), reader.take(HASH)))
    head = blob[: reader.at]
    if reader.take(8) != hashlib.sha256(head).digest()[:8]:
        raise _damaged("its header does not have the hash it should have")
    try:
        identity = _inflate_identity(identity_bytes) if identity_bytes else {}
        kinds = [KINDS[h[0]] for h in heads]
    except (ValueError, IndexError, RecursionError, zlib.error):
        raise _damaged("its header cannot be read") from None
    if not isinstance(identity, dict) or ("model" in kinds and not identity):
        raise _damaged("its header cannot be read")
    blocks = []
    for i, (_, n, tokens, streams, size, data_hash, code_hash) in enumerate(heads):
        code = reader.take(size)
        if hash_block(code) != code_hash:
            raise _damaged(f"block {i + 1} of {len(heads)} does not have the hash it should have")
        blocks.append(CodeBlock(kinds[i], n, code, data_hash, tokens, streams))  # type: ignore[arg-type]
    if reader.at != len(blob):
        raise _damaged(f"{count_noun(len(blob) - reader.at, 'byte')} too many")
    return CompressedFile({str(k): str(v) for k, v in identity.items()}, tuple(blocks))


class _Reader:
    def __init__(self, blob: bytes, at: int) -> None:
        self.blob, self.at = blob, at

    def take(self, n: int) -> bytes:
        if n > len(self.blob) - self.at:
            raise _damaged(f"it ends after {count_noun(len(self.blob), 'byte')}")
        self.at += n
        return self.blob[self.at - n : self.at]

    def number(self) -> int:
        out = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            out |= (byte & 0x7F) << shift
            if byte < 0x80:
                return out
        raise _damaged("its header cannot be read")


def _deflate_identity(identity: dict[str, str]) -> bytes:
    text = json.dumps(identity, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    to = zlib.compressobj(9, wbits=-15, zdict=COMMON)
    return to.compress(text) + to.flush()


def _inflate_identity(identity_bytes: bytes) -> object:
    """What `_deflated` was given. `ValueError` or `zlib.error` for what is no such text, or more than one."""
    of = zlib.decompressobj(wbits=-15, zdict=COMMON)
    text = of.decompress(identity_bytes, LONGEST)
    if not of.eof or of.unused_data:
        raise ValueError("expected one deflated text")
    return json.loads(text)


def _leb128(n: int) -> bytes:
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _damaged(what: str) -> Undecodable:
    return Undecodable(f"expected a whole compressed file, found a damaged one: {what}", "copy it again")
