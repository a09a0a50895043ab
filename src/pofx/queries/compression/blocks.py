"""The file that `compress` makes: a header, and blocks, each with the hashes of its code and of its data.

    "pofx"  1 byte: format  header  8 bytes: hash of all before  codes of the blocks, in order

The header holds the model's identity and a row for each block. The identity is a JSON text, deflated, with its length
before it. A block's row holds its kind, bytes, tokens, parallel streams, bytes of code, and the two hashes. Numbers are
LEB128: seven bits a byte.
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
HASH = 6  # bytes of a hash: one damaged block in 2^48 would pass
# Text that identities share, to which deflate refers: an n-gram's identity has 58 bytes in place of 180. The text is a part
# of the format.
COMMON = (
    b'"}","machine":"aarch64","machine":"x86_64","numpy":"2.","torch":"2.","constriction":"0.","threads":"1"}{"model":"",'
    b'"x0":"<s> (trained), id 257","EOS":"id 256","window":"n-gram: the last 5 tokens","dtype":"float64","tokens":"","law":"'
)
LONGEST = 1 << 20  # the most bytes of an identity, since a short deflated text could fill the memory


@dataclass(frozen=True)
class CodeBlock:
    """A piece of the data, and its code.

    Attributes:
        kind: "raw" for the data itself; "adaptive" for data coded by adaptive counts; "model" for data coded by the model.
        size: The number of bytes of data.
        code: The code.
        data_hash: The hash of the data.
        tokens: The number of tokens that the model coded, EOS counted; else 0.
        streams: The number of parts of the text that are coded side by side; 0 without the model.
    """

    kind: Kind
    size: int
    code: bytes = field(repr=False)
    data_hash: bytes
    tokens: int = 0
    streams: int = 0


@dataclass(frozen=True)
class CompressedFile:
    """The parsed content of a compressed file.

    Attributes:
        identity: The identity of the model, part by part; empty without a model.
        blocks: The blocks, in the order of the data.
    """

    identity: dict[str, str]
    blocks: tuple[CodeBlock, ...]

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
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
    """Hash the data or the code of a block, 6 bytes."""
    return hashlib.sha256(data).digest()[:HASH]


def read_compressed(blob: bytes) -> CompressedFile:
    """Parse the bytes that `to_bytes` wrote, and check the hash of the header and of every code.

    Args:
        blob: The bytes of the file.

    Returns:
        The parsed file.

    Raises:
        Undecodable: The bytes are no compressed file, or are damaged, too few or too many.
    """
    if blob[: len(MAGIC)] != MAGIC:
        found = f"{count_noun(len(blob), 'byte')} that begin otherwise" if blob else "an empty file"
        raise Undecodable(
            f"expected a file of 'pofx compress', which begins with 'pofx', got {found}", "check the path"
        )
    reader = _Reader(blob, len(MAGIC))
    written = reader.take(1)[0]
    if written != FORMAT:
        raise Undecodable(
            f"expected a compressed file of format {FORMAT}, got format {written}",
            "decompress it with the version of pofx that wrote it",
        )
    identity_bytes = reader.take(reader.number())
    heads: list[tuple[int, int, int, int, int, bytes, bytes]] = []
    for _ in range(reader.number()):
        kind = reader.take(1)[0]
        n, tokens, streams, size = (reader.number() for _ in range(4))
        heads.append((kind, n, tokens, streams, size, reader.take(HASH), reader.take(HASH)))
    head = blob[: reader.at]
    if reader.take(8) != hashlib.sha256(head).digest()[:8]:
        raise _damaged("the header does not have its hash")
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
            raise _damaged(f"block {i + 1} of {len(heads)} does not have its hash")
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
    """Invert `_deflate_identity`; `ValueError` or `zlib.error` for other bytes, or for a text that is too long."""
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
    return Undecodable(f"expected a whole compressed file, got a damaged one: {what}", "copy it again")
