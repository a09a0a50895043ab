"""The table of a record: its cells are the record's, and Arrow's readers take it as it is."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

import pofx
from pofx.report.json_records import scored_record, words_record
from small_models import BYTES, NO_END
from test_imports import python

WANT = pofx.Want(entropy=True, rank=True)


def test_cells_are_those_of_the_json() -> None:
    scored = pofx.score(BYTES, ["the cät"], want=WANT)[0]
    table = scored.to_arrow()
    tokens = scored_record(scored, tokens=True)["tokens"]
    assert set(table.column_names) == set(tokens[0])
    for name in set(table.column_names) - {"bytes"}:
        assert table[name].to_pylist() == [t[name] for t in tokens], name
    assert b"".join(b or b"" for b in table["bytes"].to_pylist()) == "the cät".encode()
    assert table["bytes"].to_pylist()[-1] is None


def test_words_too() -> None:
    worded = pofx.words(BYTES, ["the cät sat"])[0]
    assert worded.to_arrow().to_pylist() == words_record(worded)["words"]


def test_the_c_interface_and_pandas() -> None:
    scored = pofx.score(BYTES, ["the cat"])[0]
    assert pa.table(scored).equals(scored.to_arrow())
    frame = scored.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame.nats.sum() == pytest.approx(scored.total)
    assert "rank" not in frame
    assert len(pofx.score(NO_END, ["ab"])[0].to_pandas()) == 2


def test_several_records_are_one_table() -> None:
    texts = ["the cat", "", "a dog"]
    scored = pofx.score(BYTES, texts)
    frame = pofx.to_pandas(scored)
    assert frame.groupby("document").nats.sum().tolist() == pytest.approx([s.total for s in scored])
    mixed = [*scored, *pofx.score(BYTES, ["a"], want=WANT)]
    assert pofx.to_arrow(mixed)["rank"].null_count == sum(len(s.logp) for s in scored)
    assert set(pofx.to_pandas(pofx.words(BYTES, texts)).document) == {0, 1, 2}


def test_an_empty_text_has_the_types_of_others() -> None:
    empty = pofx.score(NO_END, [""])[0].to_arrow()
    assert empty.num_rows == 0
    assert empty.schema.equals(pofx.score(NO_END, ["ab"])[0].to_arrow().schema)


@pytest.mark.parametrize("records", [[], ["a"], 3, None])
def test_no_records_are_refused(records: object) -> None:
    with pytest.raises(pofx.BadValue, match="records: expected a list of Scored, or a list of Worded, got"):
        pofx.to_arrow(records)


def test_records_of_two_types_are_refused() -> None:
    with pytest.raises(pofx.BadValue, match="got Scored, Worded"):
        pofx.to_arrow([*pofx.score(BYTES, ["a"]), *pofx.words(BYTES, ["a"])])


def test_neither_library_is_needed_before() -> None:
    ran = python(
        "import sys\nsys.modules['pyarrow'] = sys.modules['pandas'] = None\n"
        "import pofx\nlm = pofx.fit(['ab'], pofx.NgramSpec(order=2))\nscored = pofx.score(lm, ['ab'])[0]\nprint(scored)\n"
        "for f in (scored.to_arrow, scored.to_pandas, scored.__arrow_c_stream__):\n"
        "    try:\n        f()\n    except pofx.MissingExtra as e:\n        print(e)"
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0].startswith("Scored(")
    assert [line.partition("'pofx")[2] for line in ran.stdout.splitlines()[1:]] == [
        "[data]'",
        "[pandas]'",
        "[data]'",
    ]
