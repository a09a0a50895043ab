"""The header of a GGUF file, whose numbers are all checked against the file before they are used.

    "GGUF" version:u32 tensors:u64 pairs:u64 | (key type value)* | (name dims… type offset)* | padding | data

Other readers believe the numbers: 43 bytes with the number "two billion" keep them busy for minutes, and other files crash
them. So this reader reads a file first.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import numpy as np

from pofx.errors import BadSource

Value = str | bool | int | float | tuple[str, ...] | tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]

# The advice about a file that cannot be read as it is.
ELSE = "download or copy it again, or use the model's safetensors"

VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_ALIGNMENT = 1 << 20
MAX_PAIRS = 1 << 16  # real files have 20 to 60
MAX_TENSORS = 1 << 20
MAX_ARRAY = 1 << 24  # the largest vocabularies have 2^18 tokens
MAX_KEY = 1 << 10
MAX_NAME = 1 << 8  # ggml itself takes 64 bytes
MAX_DIMENSIONS = 4
ALIGNMENT_KEY = "general.alignment"

# ggml type -> (elements a block, bytes a block). ggml no longer has the types in the gaps.
BLOCKS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40)}
    | {10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)}
    | {16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110)}
    | {22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8)}
    | {29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18)}
)

_STRING, _ARRAY, _BOOL, _UINT32 = 8, 9, 7, 4
_SCALARS: Mapping[int, np.dtype[np.generic]] = MappingProxyType(
    {
        i: np.dtype(name)
        for i, name in {0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "u1"}.items()
    }
    | {10: np.dtype("<u8"), 11: np.dtype("<i8"), 12: np.dtype("<f8")}
)
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


@dataclass(frozen=True)
class GgufTensor:
    """A tensor: its shape in numpy's order (the last index runs fastest), and its bytes `start : start + size`."""

    name: str
    shape: tuple[int, ...]
    type: int
    start: int
    size: int


@dataclass(frozen=True)
class GgufHeader:
    """The header of a GGUF file.

    `metadata` has a text, a number, a truth value or a tuple of them for each key; `spans` has the bytes (start, end) of
    each pair. `data` is the byte at which the data of tensors begin, and `size` the bytes of the whole file.
    """

    path: Path
    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[GgufTensor, ...]
    alignment: int
    data: int
    size: int
    spans: Mapping[str, tuple[int, int]]


def read_header(path: str | Path) -> GgufHeader:
    """Return the header of a GGUF file (version 2 or 3, little endian); raise `BadSource` for any other file.

    262,144 tokens take 0.3 s. Any file of 1 MB takes less, since every item takes at least one byte, and each count is first
    compared with the bytes that are left.

    Right: `read_header("model.gguf").metadata["general.architecture"]`. Wrong: a library's reader on a file that
    `read_header` has not checked.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise BadSource(
                f"{path}: expected a GGUF file, got a directory or a device", "name a file that ends in .gguf"
            )
        with path.open("rb") as f:
            size = f.seek(0, 2)
            if size == 0:
                _bad(path, "an empty file")
            if size < 24:
                _bad(path, f"{size} bytes, less than its fixed part of 24")
            with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data, size).header()
    except OSError as e:
        raise BadSource(
            f"{path}: expected a readable GGUF file, got: {e.strerror or e}", "check its permissions"
        ) from None


def _bad(path: Path, found: str) -> NoReturn:
    raise BadSource(f"{path}: expected a whole GGUF file, got {found}", "download or copy it again")


class _Reader:
    """A place in the file, which only moves forward and never beyond the end."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self.path, self.data, self.size, self.at = path, data, size, 0

    def bad(self, found: str) -> NoReturn:
        _bad(self.path, found)

    def header(self) -> GgufHeader:
        if self.take(4, "its magic") != b"GGUF":
            self.bad(f"{self.data[:4]!r} where 'GGUF' should stand")
        version = self.u32("its version")
        if version not in VERSIONS:
            big = " (a big-endian file)" if int.from_bytes(_U32.pack(version), "big") in VERSIONS else ""
            self.bad(f"version {version}{big}, where 2 and 3 are known")
        n_tensors, n_pairs = self.u64("the number of tensors"), self.u64("the number of pairs")
        # A pair takes at least 8 + 1 + 4 + 1 bytes, and a tensor at least 8 + 1 + 4 + 8 + 4 + 8 bytes.
        self.count("pairs", n_pairs, 14, MAX_PAIRS)
        self.count("tensors", n_tensors, 33, MAX_TENSORS)
        metadata, spans = self.pairs(n_pairs)
        alignment = self.alignment(metadata)
        found = [self.tensor() for _ in range(n_tensors)]
        start = -(-self.at // alignment) * alignment
        tensors = tuple(self.placed(t, start, alignment) for t in found)
        self.disjoint(tensors)
        return GgufHeader(
            self.path,
            version,
            MappingProxyType(metadata),
            tensors,
            alignment,
            start,
            self.size,
            MappingProxyType(spans),
        )

    def take(self, n: int, what: str) -> bytes:
        if n > self.size - self.at:
            self.bad(f"its end at byte {self.size}, in {what}, which wants {_big(n)} bytes from {self.at}")
        self.at += n
        return self.data[self.at - n : self.at]

    def u32(self, what: str) -> int:
        return int(_U32.unpack(self.take(4, what))[0])

    def u64(self, what: str) -> int:
        return int(_U64.unpack(self.take(8, what))[0])

    def count(self, what: str, n: int, least: int, most: int) -> None:
        """Refuse a number of items that takes more bytes than are left."""
        if n > most or n * least > self.size - self.at:
            self.bad(
                f"{_big(n)} {what} announced with {self.size - self.at} bytes left (and at most {most} known)"
            )

    def text(self, what: str, most: int | None = None) -> str:
        n = self.u64(what)
        if most is not None and not 0 < n <= most:
            self.bad(f"{what} of {_big(n)} bytes, where 1 to {most} are known")
        raw = self.take(n, what)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.bad(f"{what} at byte {self.at - n} that is no UTF-8: {raw[:16]!r}")
        # Other modules make files, keys and attributes of names, and messages show the names.
        if most is not None and not text.isprintable():
            self.bad(f"{what} with control characters: {text[:40]!r}")
        return text

    def pairs(self, n: int) -> tuple[dict[str, Value], dict[str, tuple[int, int]]]:
        metadata: dict[str, Value] = {}
        spans: dict[str, tuple[int, int]] = {}
        for _ in range(n):
            start = self.at
            key = self.text("a key", MAX_KEY)
            if key in metadata:
                self.bad(f"the key {key[:60]!r} twice")
            kind = self.u32(f"the type of {key[:60]!r}")
            if key == ALIGNMENT_KEY and kind != _UINT32:
                self.bad(f"{ALIGNMENT_KEY} of type {kind}, where uint32 ({_UINT32}) is meant")
            metadata[key] = self.value(key[:60], kind)
            spans[key] = (start, self.at)
        return metadata, spans

    def value(self, key: str, kind: int) -> Value:
        if kind == _STRING:
            return self.text(f"the value of {key!r}")
        if kind != _ARRAY:
            return self.scalars(key, kind, 1)[0]
        kind, n = self.u32(f"the type of {key!r}"), self.u64(f"the length of {key!r}")
        if kind == _ARRAY:
            self.bad(f"an array of arrays in {key!r}, which no model needs")
        if kind == _STRING:
            self.count(f"texts in {key!r}", n, 8, MAX_ARRAY)
            return self.texts(key, n)
        return self.scalars(key, kind, n)

    def scalars(self, key: str, kind: int, n: int) -> tuple[bool, ...] | tuple[int, ...] | tuple[float, ...]:
        dtype = _SCALARS.get(kind)
        if dtype is None:
            self.bad(f"{key!r} of type {kind}, which is none")
        self.count(f"values in {key!r}", n, dtype.itemsize, MAX_ARRAY)
        raw = np.frombuffer(self.take(n * dtype.itemsize, f"the value of {key!r}"), dtype)
        if kind != _BOOL:
            return tuple(raw.tolist())
        if n and raw.max() > 1:
            self.bad(f"the truth value {raw.max()} in {key!r}")
        return tuple(map(bool, raw.tolist()))

    def texts(self, key: str, n: int) -> tuple[str, ...]:
        """Read n texts without n calls of `text`: a vocabulary of 262,144 tokens takes 0.2 s in place of 0.5 s."""
        data, size, at, out = self.data, self.size, self.at, []
        read = _U64.unpack_from
        for _ in range(n):
            if at + 8 > size:
                self.bad(f"its end at byte {size}, in the texts of {key!r}")
            (length,) = read(data, at)
            at += 8
            if length > size - at:
                self.bad(f"a text of {_big(length)} bytes in {key!r} with {size - at} bytes left")
            try:
                out.append(data[at : at + length].decode("utf-8"))
            except UnicodeDecodeError:
                self.bad(
                    f"a text in {key!r} at byte {at} that is no UTF-8: {data[at : at + min(length, 16)]!r}"
                )
            at += length
        self.at = at
        return tuple(out)

    def alignment(self, metadata: Mapping[str, Value]) -> int:
        a = metadata.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT)
        if not isinstance(a, int) or not 8 <= a <= MAX_ALIGNMENT or a & (a - 1):
            self.bad(f"the alignment {a!r:.40}, where a power of two from 8 to {MAX_ALIGNMENT} is known")
        return a

    def tensor(self) -> GgufTensor:
        """Return one row of the table of tensors, whose place is still counted from the start of the data."""
        name = self.text("the name of a tensor", MAX_NAME)
        n = self.u32(f"the dimensions of {name!r}")
        if not 1 <= n <= MAX_DIMENSIONS:
            self.bad(f"{_big(n)} dimensions of {name!r}, where 1 to {MAX_DIMENSIONS} are known")
        dims = struct.unpack(f"<{n}Q", self.take(8 * n, f"the dimensions of {name!r}"))
        kind, offset = self.u32(f"the type of {name!r}"), self.u64(f"the place of {name!r}")
        if kind not in BLOCKS:
            self.bad(f"{name!r} of type {kind}, which this version does not know")
        block, block_bytes = BLOCKS[kind]
        elements = 1
        for d in dims:
            elements *= d  # Python's whole numbers do not overflow, and there are four at most
        if not elements or dims[0] % block:
            self.bad(f"{name!r} of shape {dims} in blocks of {block} along its first dimension")
        return GgufTensor(name, tuple(reversed(dims)), kind, offset, elements // block * block_bytes)

    def placed(self, t: GgufTensor, data: int, alignment: int) -> GgufTensor:
        if t.start % alignment:
            self.bad(f"{t.name!r} at {_big(t.start)}, which is no multiple of the alignment {alignment}")
        if data + t.start + t.size > self.size:
            self.bad(
                f"{t.name!r} with {_big(t.size)} bytes at {_big(data + t.start)}, beyond the end at {self.size}"
            )
        return GgufTensor(t.name, t.shape, t.type, data + t.start, t.size)

    def disjoint(self, tensors: tuple[GgufTensor, ...]) -> None:
        if len({t.name for t in tensors}) < len(tensors):
            names = sorted(t.name for t in tensors)
            self.bad(f"the tensor {next(a for a, b in pairwise(names) if a == b)!r} twice")
        for a, b in pairwise(sorted(tensors, key=lambda t: t.start)):
            if a.start + a.size > b.start:
                self.bad(f"{a.name!r} and {b.name!r} in the same bytes")


def _big(n: int) -> str:
    return str(n) if n < 1 << 40 else f"about 2^{n.bit_length() - 1}"
