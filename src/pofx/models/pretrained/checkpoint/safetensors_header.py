"""The header of a safetensors file, checked before any library maps the file.

n:u64 | n bytes of JSON: {name: {dtype, shape, data_offsets: [start, end]}, …} | data

`safe_open` gives shapes and dtypes, too, but maps a stranger's file first, and does not give the place of a tensor.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from pofx.errors import BadSource
from pofx.files.json_file import parse_object

MAX_HEADER = 100_000_000  # bytes, the limit of the safetensors library itself
MAX_DIMENSIONS = 8
MAX_NAME = 1 << 10
METADATA = "__metadata__"
# Bytes of an element. Only special kernels can read weights of types of less than a byte.
DTYPES: Mapping[str, int] = MappingProxyType(
    {"BOOL": 1, "U8": 1, "I8": 1, "U16": 2, "I16": 2, "U32": 4, "I32": 4, "U64": 8, "I64": 8, "F16": 2}
    | {"BF16": 2, "F32": 4, "F64": 8, "C64": 8, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}
)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: its name in the file, its dtype by its name in safetensors, its shape, and its place in bytes."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


def read_tensors(path: str | Path) -> Mapping[str, StoredTensor]:
    """Return the tensors of a safetensors file by name.

    Raises:
        BadSource: A tensor has an unknown type or another size than its shape, or the tensors leave a gap, or overlap.

    Right: `read_tensors("model.safetensors")["lm_head.weight"].shape`. Wrong: `read_tensors("config.json")`.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            _bad(path, "a directory or a device")
        with path.open("rb") as f:
            size = os.fstat(f.fileno()).st_size
            if size == 0:
                _bad(path, "an empty file")
            n = int.from_bytes(f.read(8), "little")
            if size < 8 or n > size - 8 or n > MAX_HEADER:
                _bad(path, f"{size} bytes, of which the header claims {n}")
            raw = f.read(n)
    except OSError as e:
        raise BadSource(
            f"{path}: expected a readable safetensors file, got: {e.strerror or e}", "check its permissions"
        ) from None
    table = parse_object(raw, str(path))
    table.pop(METADATA, None)
    data = size - 8 - n
    out = {name: _tensor(path, name, entry, data, 8 + n) for name, entry in table.items()}
    at = 8 + n
    for name, t in sorted(out.items(), key=lambda item: (item[1].start, item[1].size)):
        if t.start != at:
            _bad(path, f"{name[:60]!r} at byte {t.start}, where {at} is next")
        at += t.size
    if at != size:
        _bad(path, f"{size - at} bytes that belong to no tensor")
    return MappingProxyType(out)


def _tensor(path: Path, name: str, entry: Any, data: int, base: int) -> StoredTensor:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        _bad(path, f"the name {name[:60]!r} of a tensor")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        _bad(path, f"{name[:60]!r} without its dtype, shape and data_offsets alone")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _bad(path, f"{name[:60]!r} of dtype {dtype!r:.40}, which this version does not know")
    if not _sizes(shape) or len(shape) > MAX_DIMENSIONS:
        _bad(path, f"{name[:60]!r} of shape {shape!r:.60}")
    if not _sizes(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= data:
        _bad(path, f"{name[:60]!r} at {offsets!r:.60} of {data} bytes")
    size = DTYPES[dtype]
    for d in shape:
        size *= d
    if size != offsets[1] - offsets[0]:
        _bad(
            path,
            f"{name[:60]!r} of {offsets[1] - offsets[0]} bytes, where its shape {shape!r:.60} wants {size:.3g}",
        )
    return StoredTensor(path, name, dtype, tuple(shape), base + offsets[0], size)


def _sizes(found: Any) -> bool:
    """Return whether a value is a list of whole numbers of at most 64 bits, so that products of them stay exact."""
    return isinstance(found, list) and all(type(d) is int and 0 <= d < 1 << 63 for d in found)


def _bad(path: Path, found: str) -> NoReturn:
    raise BadSource(f"{path}: expected a whole safetensors file, got {found}", "copy or download it again")
