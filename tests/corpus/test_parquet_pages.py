"""Sizes of pages by their own headers; right ones are the footer's of files that pyarrow wrote, less the headers."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.corpus.readers.parquet_pages import BadPage, _header, unpacked_size

WRITTEN = list(
    itertools.product(["none", "zstd", "gzip"], [True, False], ["1.0", "2.0"], [True, False], [1000, 1 << 20])
)


@pytest.mark.parametrize(("compression", "dictionary", "version", "statistics", "size"), WRITTEN)
def test_pages_unfold_to_what_an_honest_footer_says(
    compression: str, dictionary: bool, version: str, statistics: bool, size: int, tmp_path: Path
) -> None:
    texts = [None if k % 7 == 0 else "é" * (k * 37 % 1500) for k in range(1500)]
    table = pa.table(
        {"text": texts, "n": list(range(1500)), "s": [{"a": str(k), "b": [k]} for k in range(1500)]}
    )
    pq.write_table(
        table,
        tmp_path / "a.parquet",
        compression=compression,
        use_dictionary=dictionary,
        data_page_version=version,
        write_statistics=statistics,
        data_page_size=size,
        row_group_size=700,
    )
    with (tmp_path / "a.parquet").open("rb") as stream:
        metadata = pq.ParquetFile(stream).metadata
        for g, c in itertools.product(range(metadata.num_row_groups), range(metadata.num_columns)):
            chunk = metadata.row_group(g).column(c)
            found = unpacked_size(stream, chunk)
            # Headers are counted by the footer alone; one with long minima and maxima takes thousands of bytes.
            assert 0 < found <= chunk.total_uncompressed_size
            if not statistics and size > 1000:
                assert chunk.total_uncompressed_size - found < 200


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_header_are_refused_or_have_sizes(data: bytes) -> None:
    try:
        length, sizes = _header(io.BufferedReader(io.BytesIO(data)), 0)  # type: ignore[arg-type]
    except BadPage:
        return
    assert 0 < length <= len(data)
    assert min(sizes) >= 0
