"""The lines of R and Python name the columns as they are written, whatever their names are; the lines of Python run."""

from __future__ import annotations

import contextlib
import io
import random
import re
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from pofx.stimuli.regression_lines import Regression, python_lines, r_lines, regression_of
from pofx.stimuli.stimulus_fields import find_fields

HOSTILE = """my "odd" name's `tick` \\ ~ a+b"""


def test_columns_are_found_by_their_names() -> None:
    names = ["Word", "item", "zone", "WorkerId", "RT", "length", "a_surprisal_nats", "b_surprisal_nats"]
    found = regression_of([*names, "a_previous_1_surprisal_nats"], find_fields(names))
    assert found == Regression(
        "RT",
        "WorkerId",
        "item",
        ("length",),
        (("a_surprisal_nats", "a_previous_1_surprisal_nats"), ("b_surprisal_nats",)),
    )
    bare = regression_of(["word", "item", "surprisal_nats"], find_fields(["word", "item"]))
    assert (bare.time, bare.reader) == ("TIME", None)


def test_lines_of_r_quote_names_and_files() -> None:
    found = Regression("RT", "who", "item", ("length",), ((HOSTILE,),))
    lines = r_lines('my "file".csv', found)
    assert 'd <- read.csv("my \\"file\\".csv", check.names = FALSE)' in lines
    odd = '`my "odd" name\'s \\`tick\\` \\\\ ~ a+b`'
    assert f"summary(lmer(`RT` ~ {odd} + `length` + (1 | `who`) + (1 | `item`), d))" in lines
    assert (
        f'summary(bam(`RT` ~ s({odd}) + `length` + s(`who`, bs = "re") + s(`item`, bs = "re"), data = d))'
        in lines
    )
    assert "arrow::read_parquet" in " ".join(r_lines("x.parquet", found))
    assert "arrow::read_json_arrow" in " ".join(r_lines("x.jsonl.gz", found))
    assert 'read.delim("x.tsv.gz"' in " ".join(r_lines("x.tsv.gz", found))


def table(name: str) -> list[dict[str, Any]]:
    rng = random.Random(3)
    out = []
    for who in range(6):
        pace = rng.gauss(0, 40)
        for i in range(40):
            nats = rng.gammavariate(2, 2)
            rt = 300 + pace + 10 * nats + rng.gauss(0, 20)
            out.append(
                {
                    "item": f"i{i % 5}",
                    "who's": f"p{who}",
                    "class": rt,
                    name: nats,
                    "length": rng.randrange(2, 9),
                }
            )
    out[0]["class"] = None
    return out


@pytest.mark.parametrize("ending", ["csv", "tsv.gz", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize("name", ["surprisal_nats", "gpt-2_surprisal_nats", HOSTILE])
def test_lines_of_python_run(tmp_path: Path, ending: str, name: str) -> None:
    pytest.importorskip("statsmodels")
    pandas = pytest.importorskip("pandas")
    rows, file = table(name), str(tmp_path / f"it's.{ending}")
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif ending == "arrow":
        pyarrow.feather.write_feather(pa.Table.from_pylist(rows), file, compression="uncompressed")
    elif ending == "jsonl":
        pandas.DataFrame(rows).to_json(file, orient="records", lines=True)
    else:
        pandas.DataFrame(rows).to_csv(file, index=False, sep="\t" if "tsv" in ending else ",")
    lines = python_lines(file, Regression("class", "who's", "item", ("length",), ((name,),)))
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of other libraries
        exec("\n".join(lines), {})  # noqa: S102
    told = out.getvalue()
    assert re.search(r"No. Observations: +239\b", told)
    (slope,) = re.findall(r"^(?:Q\(.*\)|\w*nats) +(\d+\.\d+)", told, re.M)
    assert float(slope) == pytest.approx(10, abs=1.5)
