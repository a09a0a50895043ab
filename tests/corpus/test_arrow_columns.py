"""Columns made from buffers equal those of pyarrow, and a job makes them without pandas."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from pofx.corpus.arrow_columns import arrow_column

COLUMNS = [
    (pa.string(), ["a", None, "", "é\n", "x" * 300]),
    (pa.string(), []),
    (pa.int64(), [1, None, -(2**63), 2**63 - 1]),
    (pa.int64(), [3] * 9),
    (pa.float64(), [0.1, None, float("inf"), -0.0, float("-inf")]),
    (pa.bool_(), [True, None, False, True, True, False, False, True, None, True]),
    (pa.list_(pa.int64()), [[1], None, []]),
    (pa.date32(), [None, None]),
]


@pytest.mark.parametrize(("type_", "values"), COLUMNS, ids=lambda x: str(x)[:20])
def test_a_column_equals_that_of_pyarrow(type_, values):
    made = arrow_column(values, type_)
    made.validate(full=True)
    assert made.type == type_
    assert made.equals(pa.array(values, type=type_))
    assert made.null_count == values.count(None)


def test_a_job_does_not_import_pandas(tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    code = (
        "import sys; from pofx.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "sys.exit('pandas' in sys.modules)"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", code, "score", str(tmp_path / "a.txt"), "-o", f"{out}/", "--quiet"]
    subprocess.run([*command, "--workers", "1"], check=True)
    assert pa.parquet.read_table(out / "parts/part-0000000.parquet")["total_nats"].null_count == 0
