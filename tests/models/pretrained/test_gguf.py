"""The header of a GGUF file, against every way to break one."""

from __future__ import annotations

import math
import os
import re
import struct
import time
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pofx.errors import BadSource
from pofx.models.pretrained.checkpoint.gguf.architecture import check_architecture
from pofx.models.pretrained.checkpoint.gguf.header import BLOCKS, GgufHeader, GgufTensor, read_header
from pofx.models.pretrained.checkpoint.gguf.tokenizer import read_tokens
from refusals import decided, refusal
from tiny_gguf import Raw, pair, row, text

U32, U64 = struct.Struct("<I"), struct.Struct("<Q")


def put(tmp_path: Path, raw: bytes | Raw) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.bytes())
    return path


def test_a_good_header(tmp_path: Path) -> None:
    raw = Raw()
    header = read_header(put(tmp_path, raw))
    start = len(raw.head()) + -len(raw.head()) % 32
    assert dict(header.metadata) == {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "tokenizer.ggml.tokens": ("a", "é"),
        "some.scores": (0.5, -1.0),
    }
    assert header.tensors == (
        GgufTensor("token_embd.weight", (2, 4), 0, start, 32),
        GgufTensor("blk.0.x", (32,), 8, start + 32, 34),
    )
    assert (header.version, header.alignment, header.data, header.size) == (3, 32, start, start + 66)
    a, b = header.spans["llama.block_count"]
    assert raw.bytes()[a:b] == raw.pairs[1]


def test_every_type_of_value(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    w = gguf.GGUFWriter(path, "llama")
    values: dict[str, tuple[Any, Any]] = {
        "u8": (w.add_uint8, 255),
        "i8": (w.add_int8, -128),
        "u16": (w.add_uint16, 65535),
        "i16": (w.add_int16, -5),
        "u32": (w.add_uint32, 1 << 31),
        "i32": (w.add_int32, -7),
        "u64": (w.add_uint64, 1 << 63),
        "i64": (w.add_int64, -(1 << 62)),
        "f32": (w.add_float32, 0.5),
        "f64": (w.add_float64, 1e300),
        "bool": (w.add_bool, True),
        "text": (w.add_string, "a\nbé"),
        "bools": (w.add_array, [True, False]),
        "ints": (w.add_array, [1, -2, 3]),
        "floats": (w.add_array, [0.25, -1.5]),
        "texts": (w.add_array, ["", "a", "\0", "語"]),
    }
    for key, (add, value) in values.items():
        add(key, value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    found = read_header(path).metadata
    for key, (_, value) in values.items():
        want = tuple(value) if isinstance(value, list) else value
        assert found[key] == want
        assert type(found[key]) is type(want), key


def test_the_table_of_types_is_that_of_gguf() -> None:
    assert {t.value: sizes for t, sizes in gguf.GGML_QUANT_SIZES.items()} == dict(BLOCKS)


def test_an_empty_model_has_a_header(tmp_path: Path) -> None:
    assert read_header(put(tmp_path, Raw(rows=[], pairs=[], data=b""))).tensors == ()


def test_cut_off_anywhere(tmp_path: Path) -> None:
    whole = Raw().bytes()
    assert read_header(put(tmp_path, whole))
    for n in range(len(whole)):
        refusal(put(tmp_path, whole[:n]), read_header)


BIG = 1 << 63
PAIRS, ROWS = Raw().pairs, Raw().rows
MALFORMED: dict[str, tuple[Raw | bytes, str]] = {
    "empty": (b"", "an empty file"),
    "magic": (Raw(magic=b"GGML"), "magic|GGUF"),
    "version 1": (Raw(version=1), "version 1"),
    "version 4": (Raw(version=4), "version 4"),
    "big endian": (Raw(version=3 << 24), "big-endian"),
    # 43 bytes that keep gguf 0.19 busy for minutes.
    "43 bytes": (
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<I", 9)[:4] + b"\0" * 6,
        "announced|its end",
    ),
    "2^63 tensors": (Raw(n_tensors=BIG), "2\\^63 tensors"),
    "2^63 pairs": (Raw(n_pairs=BIG), "2\\^63 pairs"),
    "one tensor too many": (Raw(n_tensors=3), "name|its end|dimensions"),
    "one pair too many": (Raw(n_pairs=5), "name of a tensor"),
    "more pairs than bytes": (Raw(n_pairs=60_000), "60000 pairs"),
    "key of 2^63 bytes": (Raw(pairs=[U64.pack(BIG) + b"x" * 40]), "key"),
    "key of no bytes": (Raw(pairs=[pair("", 4, U32.pack(1))]), "a key of 0"),
    "key twice": (Raw(pairs=[PAIRS[1], PAIRS[1]]), "twice"),
    "key no UTF-8": (Raw(pairs=[pair(b"\xff\xfe", 4, U32.pack(1))]), "UTF-8"),
    "key with NUL": (Raw(pairs=[pair("a\0b", 4, U32.pack(1))]), "control characters"),
    "key with an escape": (Raw(pairs=[pair("a\x1b[2Jb", 4, U32.pack(1))]), "control characters"),
    "type 13": (Raw(pairs=[pair("a", 13, bytes(8))]), "type 13"),
    "type 2^32 - 1": (Raw(pairs=[pair("a", (1 << 32) - 1, bytes(8))]), "type 4294967295"),
    "truth value 2": (Raw(pairs=[pair("a", 7, b"\x02")]), "truth value 2"),
    "text of 2^63 bytes": (Raw(pairs=[pair("a", 8, U64.pack(BIG) + bytes(64))]), "2\\^63"),
    "text no UTF-8": (Raw(pairs=[pair("a", 8, text(b"\xc3\x28"))]), "UTF-8"),
    "array of 2^63": (Raw(pairs=[pair("a", 9, U32.pack(4) + U64.pack(BIG))]), "2\\^63 values"),
    "array of 2^61 float64": (Raw(pairs=[pair("a", 9, U32.pack(12) + U64.pack(1 << 61))]), "2\\^61 values"),
    "array of 2^63 texts": (Raw(pairs=[pair("a", 9, U32.pack(8) + U64.pack(BIG))]), "2\\^63 texts"),
    "array of type 77": (Raw(pairs=[pair("a", 9, U32.pack(77) + U64.pack(1))]), "type 77"),
    "array of arrays": (
        Raw(pairs=[pair("a", 9, U32.pack(9) + U64.pack(1) + U32.pack(4))]),
        "array of arrays",
    ),
    "a long text in an array": (
        Raw(pairs=[pair("a", 9, U32.pack(8) + U64.pack(2) + text("a") + U64.pack(BIG - 1))]),
        "a text of about",
    ),
    "a text of an array no UTF-8": (
        Raw(pairs=[pair("a", 9, U32.pack(8) + U64.pack(1) + text(b"\xff"))]),
        "UTF-8",
    ),
    "alignment 0": (Raw(pairs=[pair("general.alignment", 4, U32.pack(0))]), "alignment 0"),
    "alignment 3": (Raw(pairs=[pair("general.alignment", 4, U32.pack(3))]), "alignment 3"),
    "alignment 48": (Raw(pairs=[pair("general.alignment", 4, U32.pack(48))]), "alignment 48"),
    "alignment 2^31": (Raw(pairs=[pair("general.alignment", 4, U32.pack(1 << 31))]), "alignment 2147483648"),
    "alignment a text": (Raw(pairs=[pair("general.alignment", 8, text("32"))]), "type 8"),
    "alignment 64-bit": (Raw(pairs=[pair("general.alignment", 10, U64.pack(32))]), "type 10"),
    "name of no bytes": (Raw(rows=[row("", (4,), 0, 0)]), "name of a tensor of 0"),
    "name with NUL": (Raw(rows=[row("a\0b", (4,), 0, 0)]), "control characters"),
    "name of 300 bytes": (Raw(rows=[row("n" * 300, (4,), 0, 0)]), "300 bytes"),
    "name twice": (Raw(rows=[row("a", (4,), 0, 0), row("a", (4,), 0, 32)]), "'a' twice"),
    "no dimensions": (Raw(rows=[row("a", (), 0, 0) + bytes(16)]), "0 dimensions"),
    "five dimensions": (Raw(rows=[row("a", (1,) * 5, 0, 0)]), "5 dimensions"),
    "2^32 - 1 dimensions": (Raw(rows=[row("a", (1,), 0, 0, n=(1 << 32) - 1)]), "4294967295 dimensions"),
    "a dimension of 0": (Raw(rows=[row("a", (0, 4), 0, 0)]), "shape"),
    # 2^62 * 4 * ... wraps to 0 or to something small in 64 bits.
    "product wraps to 0": (Raw(rows=[row("a", (1 << 32, 1 << 32), 0, 0)]), "2\\^66 bytes"),
    "product wraps to 4": (Raw(rows=[row("a", (4, (1 << 62) + 1), 0, 0)]), "2\\^66 bytes"),
    "four dimensions of 2^63": (Raw(rows=[row("a", (BIG,) * 4, 0, 0)]), "2\\^254 bytes"),
    "no whole block": (Raw(rows=[row("a", (31,), 8, 0)]), "blocks of 32"),
    "no whole block a row": (Raw(rows=[row("a", (16, 2), 8, 0)]), "blocks of 32"),
    "a type ggml gave up": (Raw(rows=[row("a", (32,), 4, 0)]), "type 4"),
    "an unknown type": (Raw(rows=[row("a", (32,), 999, 0)]), "type 999"),
    "not aligned": (Raw(rows=[row("a", (4,), 0, 1)]), "multiple"),
    "starts after the end": (Raw(rows=[row("a", (4,), 0, 1 << 20)]), "beyond the end"),
    "place wraps": (Raw(rows=[row("a", (4,), 0, (1 << 64) - 32)]), "beyond the end"),
    "ends after the end": (Raw(rows=[row("a", (17,), 0, 0)]), "beyond the end"),
    "overlap": (Raw(rows=[row("a", (16,), 0, 0), row("b", (4,), 0, 32)]), "same bytes"),
    "same place": (Raw(rows=[row("a", (4,), 0, 0), row("b", (4,), 0, 0)]), "same bytes"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str, tmp_path: Path) -> None:
    raw, why = MALFORMED[name]
    message = refusal(put(tmp_path, raw), read_header)
    assert re.search(why, message), message


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.gguf", read_header)
    assert "directory" in refusal(tmp_path, read_header)
    os.mkfifo(tmp_path / "pipe.gguf")
    assert "device" in refusal(tmp_path / "pipe.gguf", read_header)  # and it does not wait for a writer


@pytest.mark.parametrize(
    "raw",
    [
        Raw(n_pairs=65_536, pairs=[b"".join(pair(f"{i:06}", 0, b"\1") for i in range(50_000))], rows=[]),
        Raw(rows=[row(f"{i:06}", (4,), 0, 0) for i in range(20_000)]),
        Raw(
            pairs=[pair("a", 9, U32.pack(8) + U64.pack(125_000) + bytes(1_000_000))], rows=[], data=b"\0" * 9
        ),
        Raw(pairs=[pair("a", 9, U32.pack(8) + U64.pack(125_001) + bytes(1_000_000))], rows=[], data=b""),
    ],
    ids=["pairs", "tensors", "texts", "one text too many"],
)
def test_a_megabyte_is_decided_at_once(raw: Raw, tmp_path: Path) -> None:
    """By work done, not by the clock: no more steps than bytes. The clock only guards against a hang."""
    start = time.process_time()
    try:
        header = read_header(put(tmp_path, raw))
        assert len(header.metadata) == 1
    except BadSource:
        pass
    assert time.process_time() - start < 20


@pytest.mark.thorough
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_mutation_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    raw = bytearray(Raw().bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        new = data.draw(
            st.sampled_from([b"\0", b"\xff", b"\x80", b"\xff" * 8, bytes(8), U64.pack(BIG), U32.pack(9)])
        )
        raw[at : at + len(new)] = new
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    path = put(tmp_path, bytes(raw))
    header = decided(lambda: read_header(path))
    if header is not None:
        _within(header, len(raw))
        decided(lambda: read_tokens(header))
        decided(lambda: check_architecture(header))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=200), tensors=st.integers(0, 3), pairs=st.integers(0, 3))
def test_any_bytes_are_read_or_refused(tail: bytes, tensors: int, pairs: int, tmp_path: Path) -> None:
    path = put(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, tensors, pairs) + tail)
    header = decided(lambda: read_header(path))
    if header is not None:
        _within(header, 24 + len(tail))


def _within(header: GgufHeader, size: int) -> None:
    """What was let pass is what libraries rely on."""
    last = header.data
    for t in sorted(header.tensors, key=lambda t: t.start):
        block, block_bytes = BLOCKS[t.type]
        assert t.start >= last
        assert t.start % header.alignment == 0
        assert t.size == math.prod(t.shape) // block * block_bytes
        last = t.start + t.size
    assert last <= max(size, header.data)
