"""Objects as documents: in lines, in one array, one inside another; and fields that no row has."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pofx.corpus.bad_rows import BadRow
from pofx.corpus.documents import documents, records
from pofx.corpus.readers import json_array
from pofx.corpus.readers.fields import FieldSearch
from pofx.corpus.readers.layout import DocumentLayout
from pofx.errors import BadSource
from pofx.files.limits import Limits

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def read(path: Path, data: str, **options: Any) -> tuple[list[str], list[BadRow]]:
    path.write_bytes(data.encode())
    told: list[BadRow] = []
    return list(documents(path, report=told.append, **options)), told


# ------------------------------------------------------------------------------------------------------------ arrays

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text('a",[]{}:\\\n é\0', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
ROWS = st.lists(
    st.fixed_dictionaries({"text": st.text('a"[]{},\\\n\r\u2028é\0', max_size=6), "x": VALUES}), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, indent=st.sampled_from([None, 0, 2, "\t"]), ascii=st.booleans(), chunk=st.integers(1, 40))
def test_arrays_by_definition(rows: list[Any], indent: Any, ascii: bool, chunk: int) -> None:
    """What `json.loads` of the whole text gives, whatever the chunks are, each at the line where it begins."""
    data = json.dumps(rows, indent=indent, ensure_ascii=ascii)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_CHUNK", chunk)
        stream = io.BufferedReader(io.BytesIO(data.encode()), 16)  # type: ignore[arg-type]
        found: list[Any] = list(
            json_array.array_rows("x", stream, DocumentLayout(keep=("x",)), FieldSearch({}))
        )
    assert [(text, kept) for _, text, _, _, kept in found] == [(r["text"], (r["x"],)) for r in rows]
    assert all(data.split("\n")[line - 1].lstrip(" \t[").startswith("{") for line, *_ in found)


def test_a_json_file_may_hold_an_object_a_line(tmp_path: Path) -> None:
    lines = '{"text": "a"}\n{"text": "b"}\n'
    assert read(tmp_path / "a.json", lines) == (["a", "b"], [])
    assert read(tmp_path / "a.json", '\n [{"text": "a"},\n {"text": "b"}]\n') == (["a", "b"], [])
    assert read(tmp_path / "a.json", "[]") == ([], [])
    assert read(tmp_path / "a.json", " \n") == ([], [])
    assert read(tmp_path / "a.txt", '[{"text": "a"}]', format="json") == (["a"], [])
    with pytest.raises(BadSource, match="got one object over several lines"):
        read(tmp_path / "a.json", '{\n "data": [{"text": "a"}]\n}')


def test_an_array_under_another_name_is_told(tmp_path: Path) -> None:
    for data in ('[{"text": "a"}]', '[\n{"text": "a"}\n]', '[ {"text": "a"},\n{"text": "b"}]'):
        with pytest.raises(BadSource, match=r"got an array of objects; name the format \(format='json'\)"):
            read(tmp_path / "a.jsonl", data)
    assert read(tmp_path / "a.jsonl", '["x"]\n{"text": "a"}')[0] == ["a"]  # a row that is none


@pytest.mark.parametrize(
    ("data", "found", "words"),
    [
        ('[{"text": "a"}', ["a"], "its end missing"),
        ('[{"text": "a"},\n{"text": "b"', ["a"], "a.json:2: .*no JSON"),
        ('[{"text": "a"} {"text": "b"}]', ["a"], "'{' after an element"),
        ('[{"text": "a"},]', ["a"], "no JSON"),
        ('[{"text": "a"}] x', ["a"], "more after the array"),
        ('[{"text": nonsense}, {"text": "b"}]', [], "no JSON"),
        ("[" + "[" * 100_000, [], "nested too deep"),
        ("[" + "9" * 5000 + "]", [], "a whole number of more than 4,300 digits"),
    ],
)
def test_a_broken_array_ends_behind_what_is_whole(
    tmp_path: Path, data: str, found: list[str], words: str
) -> None:
    (tmp_path / "a.json").write_text(data)
    got: list[str] = []
    with pytest.raises(BadSource, match=words) as e:
        got.extend(documents(tmp_path / "a.json"))
    assert got == found
    assert str(e.value).isprintable()


def test_a_broken_array_is_told_at_once(tmp_path: Path) -> None:
    """Not when all that follows has been read, and taken for one long element."""
    (tmp_path / "a.json").write_text('[{"text": oops},' + " " * 10**6)
    with pytest.raises(BadSource, match="a.json:1: .*no JSON"):
        list(documents(tmp_path / "a.json", max_document=10**5))


def test_what_is_no_object_is_a_bad_row(tmp_path: Path) -> None:
    found, told = read(
        tmp_path / "a.json", '[1, {"text": "a"},\n null, "x", {"text": 2}, [], {"text": "b"}, 1e5]'
    )
    assert found == ["a", "b"]
    assert [b.line for b in told] == [1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_key_twice_is_a_bad_row(tmp_path: Path, kind: str) -> None:
    """As a column twice is refused in a table: which of the two values is meant nobody knows."""
    rows = [
        '{"text": "a"}',
        '{"text": "x", "text": "y"}',
        '{"text": "b", "meta": {"k": 1}}',
        '{"text": "x", "meta": [{"key one": 1, "key one": 1}]}',
        '{"text": "x", "te\\u0078t": "y"}',
        '{"text": "c"}',
    ]
    data = "[" + ",\n".join(rows) + "]" if kind == "json" else "\n".join(rows)
    found, told = read(tmp_path / f"a.{kind}", data)
    assert found == ["a", "b", "c"]
    assert [(bad.line, bad.why) for bad in told] == [
        (2, "expected a JSON object with each key once, got the key 'text' twice"),
        (4, "expected a JSON object with each key once, got the key 'key one' twice"),
        (5, "expected a JSON object with each key once, got the key 'text' twice"),
    ]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_number_of_too_many_digits_is_told_in_the_words_of_the_reader(tmp_path: Path, kind: str) -> None:
    data = '{"text": "a", "n": ' + "9" * 10**5 + "}"
    told: list[BadRow] = []
    why = ""
    try:
        (tmp_path / f"a.{kind}").write_text(f"[{data}]" if kind == "json" else data)
        list(documents(tmp_path / f"a.{kind}", report=told.append))
    except BadSource as e:
        why = str(e)
    why += "".join(str(bad) for bad in told)
    assert "got a whole number of more than 4,300 digits" in why
    assert "sys." not in why


@pytest.mark.parametrize("indent", [None, 1])
def test_elements_are_named_by_their_place(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps([{"text": "a"}, 5, {"text": "b", "key": "mine"}, {"text": "c"}], indent=indent)
    )
    told: list[BadRow] = []
    assert [d.id for d in records(path, report=told.append)] == [f"{path}#1", f"{path}#3", f"{path}#4"]
    assert [b.id for b in told] == [f"{path}#2"]
    told.clear()
    assert next(d.id for d in records(path, id="key", report=told.append)) == "mine"


def test_memory_holds_one_element(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=r"max_document=10\*\*9"):
        read(tmp_path / "a.json", '[{"text": "' + "x" * 300_000 + '"}]', max_document=100_000)
    rows = [{"text": "x" * 50_000} for _ in range(40)]
    assert len(read(tmp_path / "a.json", json.dumps(rows), max_document=100_000)[0]) == 40
    assert Limits().document >= 10**7


# ------------------------------------------------------------------------------------------------------------ fields


def test_fields_inside_objects(tmp_path: Path) -> None:
    row = {"m": {"text": "a", "id": 7, "deep": {"er": "b"}}, "m.text": "literal", "n": {"x.y": "c"}}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (found,) = records(path, field="m.deep.er", id="m.id", given="m.text", keep=["m.deep"])
    assert (found.text, found.id, found.given, found.kept) == ("b", "7", "literal", ({"er": "b"},))
    pq.write_table(pa.table({"m": [row["m"]], "m.text": ["literal"]}), tmp_path / "a.parquet")
    (found,) = records(tmp_path / "a.parquet", field="m.deep.er", given="m.text", keep=["m.id"])
    assert (found.text, found.given, found.kept) == ("b", "literal", (7,))
    for wanted, meant in (
        ("m.txt", "in column 'm.txt', got .*; did you mean 'text'"),
        ("m.deep.err", "did you mean 'er'"),
        ("mm", "only 'm'"),
    ):
        with pytest.raises(BadSource, match=meant):
            list(documents(tmp_path / "a.parquet", field=wanted))


@pytest.mark.parametrize("kind", ["jsonl", "json"])
@pytest.mark.parametrize("option", ["field", "id", "given", "keep"])
def test_a_field_that_no_row_has_is_refused_with_what_is_meant(
    tmp_path: Path, kind: str, option: str
) -> None:
    rows = [{"body": "a", "key": k, "meta": {"lang": "en"}} for k in range(2500)]
    data = json.dumps(rows) if kind == "json" else "".join(json.dumps(r) + "\n" for r in rows)
    path = tmp_path / f"a.{kind}"
    path.write_text(data)
    options: dict[str, Any] = {"field": "body"}
    options[option] = ["bdoy"] if option == "keep" else "bdoy"
    met: list[BadRow] = []
    with pytest.raises(BadSource) as e:
        next(iter(records(path, report=met.append, **options)))
    assert str(e.value) == (
        f"{path}: expected a field 'bdoy' in any of the first 1,000 rows, got only 'body', 'key', 'meta', "
        f"'meta.lang'; did you mean 'body'? ({option}=…)"
    )
    assert met == []
    with pytest.raises(BadSource, match="did you mean 'meta.lang'"):
        list(records(path, field="meta.lnag"))


def test_a_field_that_some_row_has_is_none_in_the_others(tmp_path: Path) -> None:
    rows = [{"text": str(k), **({"late": k} if k == 900 else {})} for k in range(1200)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = list(records(path, keep=["late"]))
    assert [d.text for d in found] == [str(k) for k in range(1200)]
    assert [d.kept for d in found if d.kept[0] is not None] == [(900,)]
    # The first thousand of the input: a short file of many may lack what the next one has.
    (tmp_path / "b.jsonl").write_text('{"text": "x"}\n')
    assert next(d.kept for d in records(tmp_path / "b.jsonl", path, keep=["late"])) == (None,)
    with pytest.raises(BadSource, match="in the only row"):
        list(records(tmp_path / "b.jsonl", keep=["late"]))


def test_rows_that_are_no_objects_are_held_back_for_a_thousand_rows_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("nonsense\n" * 1500 + '{"text": "x"}\n')
    told: list[BadRow] = []
    assert list(documents(path, report=told.append)) == ["x"]
    assert len(told) == 1500
    path.write_text("\n" * 1500 + '{"text": "x"}\n')
    files = documents(path)
    assert (list(files), files.n_blank) == (["x"], 1500)


def test_the_order_of_rows_is_that_of_the_file(tmp_path: Path) -> None:
    random_ = random.Random(0)
    lines = [random_.choice(['{"text": "%d"}', '{"other": "%d"}', "no %d"]) % k for k in range(3000)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    met: list[tuple[int, bool]] = []
    for d in records(path, report=lambda bad: met.append((bad.line, False))):
        met.append((d.line, True))
    assert met == [(k, '"text"' in line) for k, line in enumerate(lines, 1)]


@pytest.mark.parametrize("names", [["x" * 10**6], [f"k{i}" for i in range(10**5)], ["\x1b[31m", "\u202e"]])
def test_hostile_names_make_a_short_message(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(dict.fromkeys(names, 1)) + "\n")
    with pytest.raises(BadSource) as e:
        list(documents(path))
    assert str(e.value).isprintable()
    assert len(str(e.value)) < 800 + len(str(path))
