"""`/v1/rows`: the columns of files that `score -o` writes, and what is no such file."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from native_requests import as_described

from pofx.cli.main import pofx as cli
from pofx.server.rows import parquet as reader
from served import CLIENT, Server

TYPE = {"Content-Type": "application/octet-stream"}


def posted(server: Server, data: bytes, **headers: str) -> Any:
    return CLIENT.post(server.url + "/v1/rows", content=data, headers={**TYPE, **headers})


def refused(server: Server, data: bytes, status: int = 400, **headers: str) -> dict[str, Any]:
    got = posted(server, data, **headers)
    assert got.status_code == status, got.text
    error: dict[str, Any] = as_described(server, "/v1/rows", got)["error"]
    return error


def file_of(**columns: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(arrow.table(columns), out)
    return out.getvalue()


def test_rows_are_those_of_the_file(server: Server, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("the cat\n<script>é\n\x00a\n")
    out = tmp_path / "rows.parquet"
    done = CliRunner().invoke(
        cli, ["score", "-m", server.models["own"], str(texts), "-o", str(out), "--quiet"]
    )
    assert done.exit_code == 0, done.output
    got = posted(server, out.read_bytes())
    assert got.status_code == 200, got.text
    found = as_described(server, "/v1/rows", got)
    rows = parquet.read_table(out).to_pydict()
    assert found["rows"] == 3 and found["left_out"] == []
    assert found["columns"] == rows and "<script>é" in found["columns"]["text"]


def test_cells_of_every_kind(server: Server) -> None:
    data = file_of(
        x=[1.5, float("-inf"), None],
        big=arrow.array([2**64 - 1, 0, None], arrow.uint64()),
        day=[datetime.date(2026, 1, 2), None, None],
        at=arrow.array([1, 2, 3], arrow.timestamp("ns")),
        money=[Decimal("1.50"), None, None],
        ok=[True, None, False],
        parts=[[1], [], None],
        raw=[b"\xff", b"", None],
    )
    found = as_described(server, "/v1/rows", posted(server, data))
    assert found["columns"]["x"] == [1.5, "-inf", None]
    assert found["columns"]["big"][0] == 2**64 - 1 and found["columns"]["ok"] == [True, None, False]
    assert found["columns"]["day"][0] == "2026-01-02" and found["columns"]["money"][0] == "1.50"
    assert found["columns"]["at"][0].startswith("1970-01-01")
    assert [c["name"] for c in found["left_out"]] == ["parts", "raw"]
    assert found["left_out"][1]["type"] == "binary"


def test_what_is_no_whole_file_is_refused(server: Server) -> None:
    whole = file_of(text=["the cat"] * 1000, bits_per_byte=[1.5] * 1000)
    assert "another beginning" in refused(server, b"{}\n" * 9)["message"]
    assert "another beginning" in refused(server, b"")["message"]
    assert "cut off" in refused(server, whole[:-9])["message"]
    damaged = bytearray(whole)
    for k in range(4, len(damaged) - 8):
        damaged[k] ^= 0x55
    assert "damaged" in refused(server, bytes(damaged))["message"]
    assert (
        refused(server, whole, 415, **{"Content-Type": "application/json"})["code"]
        == "unsupported_media_type"
    )
    assert refused(server, b"PAR1" + b"\0" * (8 << 20), 413)["code"] == "too_large"


def test_every_byte_may_be_wrong(server: Server) -> None:
    """A byte of the end, where the file says what it holds, is changed at a time; the server answers each."""
    whole = file_of(text=["a", "b"], x=[1.0, 2.0])
    for k in range(len(whole) - 300, len(whole), 7):
        data = bytearray(whole)
        data[k] ^= 0xFF
        assert posted(server, bytes(data)).status_code in (200, 400), k


@pytest.mark.thorough
def test_a_small_file_of_much_text_is_refused(server: Server) -> None:
    bomb = file_of(text=arrow.array(["x" * 100_000] * 5000).dictionary_encode().cast(arrow.string()))
    assert len(bomb) < 1 << 20
    assert "bytes in all" in refused(server, bomb)["message"]
    assert "at most 100000 rows" in refused(server, file_of(x=[None] * 100_001))["message"]


def test_a_file_that_says_that_it_unpacks_to_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "UNPACKED", 10)
    with pytest.raises(reader.BadSource, match="unpacked"):
        reader.read_parquet(file_of(x=[1.0, 2.0, 3.0]))
