"""The header of a safetensors file: what is let pass, and every way to be refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pofx.models.pretrained.checkpoint.safetensors_header import DTYPES, read_tensors
from refusals import refusal


def raw(table: Any, data: bytes = bytes(32), n: int | None = None) -> bytes:
    head = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(head) if n is None else n) + head + data


def one(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]} | changes}


def two(a: list[int], b: list[int]) -> dict[str, Any]:
    return {"a": {"dtype": "U8", "shape": [a[1] - a[0]], "data_offsets": a}} | {
        "b": {"dtype": "U8", "shape": [b[1] - b[0]], "data_offsets": b}
    }


SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "an empty file"),
    "seven bytes": (b"1234567", "7 bytes"),
    "header of 2^64 - 1": (raw(one(), n=(1 << 64) - 1), "claims"),
    "header after the end": (raw(one(), n=1000), "claims"),
    "header of 0": (raw(b""), "JSON"),
    "no JSON": (raw(b"{a}"), "JSON"),
    "a list": (raw(b"[]"), "an array"),
    "deep": (raw(b'{"a":' * 50_000), "deep"),
    "no UTF-8": (raw(b'{"\xff": 1}'), "no UTF-8"),
    "a name twice": (raw(b'{"a": {"dtype": 1}, "a": {}}'), "twice"),
    "no entry": (raw({"a": 3}), "without"),
    "no dtype": (raw({"a": {"shape": [8], "data_offsets": [0, 32]}}), "without"),
    "more than it should": (raw(one(more=1)), "without"),
    "dtype unknown": (raw(one(dtype="F13")), "F13"),
    "dtype a list": (raw(one(dtype=["F32"])), "dtype"),
    "dtype less than a byte": (raw(one(dtype="F4")), "F4"),
    "shape a text": (raw(one(shape="8")), "shape"),
    "shape of floats": (raw(one(shape=[8.0])), "shape"),
    "shape of truth": (raw(one(shape=[True, 8])), "shape"),
    "shape negative": (raw(one(shape=[-2, -4])), "shape"),
    "shape of another size": (raw(one(shape=[2, 3])), "wants"),
    "shape wraps": (raw(one(shape=[1 << 62, 1 << 62])), "wants"),
    "shape of 2^100": (raw(one(shape=[1 << 100])), "shape"),
    "shape of nine": (raw(one(shape=[1] * 8 + [8])), "shape"),
    "offsets swapped": (raw(one(data_offsets=[32, 0])), "of 32 bytes"),
    "offsets negative": (raw(one(data_offsets=[-32, 0])), "of 32 bytes"),
    "offsets of three": (raw(one(data_offsets=[0, 16, 32])), "of 32 bytes"),
    "offsets after the end": (raw(one(data_offsets=[8, 40])), "of 32 bytes"),
    "offsets of floats": (raw(one(data_offsets=[0.0, 32.0])), "of 32 bytes"),
    "overlap": (raw(two([0, 20], [10, 32])), "is next"),
    "same place": (raw(two([0, 32], [0, 32])), "is next"),
    "a gap": (raw(two([0, 8], [16, 32])), "is next"),
    "a gap at the start": (raw(one(shape=[7], data_offsets=[4, 32])), "is next"),
    "bytes left": (raw(one(shape=[7], data_offsets=[0, 28])), "belong to no tensor"),
    "data cut off": (raw(one(), bytes(31)), "of 31 bytes"),
    "more data": (raw(one(), bytes(33)), "belong to no tensor"),
    "name with NUL": (raw({"a\0": one()["a"]}), "name"),
    "name of no letters": (raw({"": one()["a"]}), "name"),
    "name of 2 KB": (raw({"a" * 2000: one()["a"]}), "name"),
    "name a lone surrogate": (raw(b'{"\\ud800": {}}'), "name"),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_malformed_safetensors(name: str, tmp_path: Path) -> None:
    content, why = SAFETENSORS[name]
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    assert why in refusal(path, read_tensors)


def test_safetensors_cut_off_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    matrices = {f"model.layers.{i}.weight": np.ones((8, 8), np.float32) for i in range(7)}
    save_file({**matrices, "model.norm.weight": np.ones(8, np.float16)}, path)
    whole = path.read_bytes()
    for n in range(0, len(whole), 3):
        path.write_bytes(whole[:n])
        refusal(path, read_tensors)


def test_empty_tensors_and_metadata_are_good(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    arrays = {"a": np.zeros((0, 4), np.float32), "b": np.zeros((), np.float64), "c": np.zeros(3, np.bool_)}
    save_file(arrays, path, metadata={"format": "pt"})
    assert {n: (t.shape, t.dtype) for n, t in read_tensors(path).items()} == {
        "a": ((0, 4), "F32"),
        "b": ((), "F64"),
        "c": ((3,), "BOOL"),
    }


def test_the_types_are_those_of_the_library() -> None:
    from safetensors.torch import _SIZE, _TYPES

    theirs = {name: _SIZE[dtype] for name, dtype in _TYPES.items() if dtype in _SIZE}
    assert {n: DTYPES[n] for n in theirs if n in DTYPES} == {n: s for n, s in theirs.items() if n in DTYPES}
    assert set(theirs) - set(DTYPES) <= {"F4", "F8_E5M2FNUZ", "F8_E4M3FNUZ"}
