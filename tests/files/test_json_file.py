"""The reader of a JSON object from a file: what it takes, and what it refuses in one line."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pofx.errors import BadSource
from pofx.files.json_file import find_object, parse_object, read_object

MOST = 1 << 10
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_json_writes_is_read(value: dict[str, object]) -> None:
    try:
        raw = json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raw = json.dumps(value).encode("ascii")
    assert parse_object(raw, "a.json") == value


@given(st.binary(max_size=40))
def test_any_bytes_are_an_object_or_one_line(raw: bytes) -> None:
    for infinite in (False, True):
        said = None
        try:
            found = parse_object(raw, "a.json", infinite=infinite)
        except BadSource as e:
            said = str(e)
        if said is None:
            assert json.loads(raw) == found
        else:
            assert said.startswith("a.json: expected a JSON object, got ")
            assert said.isprintable()


REFUSED = {
    "nothing": (b"", "got an empty file$"),
    "a space": (b" ", "got no JSON: Expecting value at line 1, column 2"),
    "cut off": (b'{"a": 1', "got no JSON: .*the file may be truncated"),
    "no UTF-8": (b'{"a": "\xff"}', "got no UTF-8: the byte 0xff at byte 8$"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "got no UTF-8: the byte 0x"),
    "lists too deep": (b'{"a": ' + b"[" * 200_000, "got JSON nested too deeply$"),
    "objects too deep": (b'{"a":' * 200_000, "got JSON nested too deeply$"),
    "a key twice": (b'{"a": {"b": 1, "c": 2, "b": 3}}', "got the key 'b' twice$"),
    "an array": (b"[]", "got an array$"),
    "a string": (b'"a"', "got a string$"),
    "a number": (b"7", "got a number$"),
    "null": (b"null", "got null$"),
    "true": (b"true", "got a boolean$"),
    "digits": (b'{"a": ' + b"9" * 5000 + b"}", "got a whole number of more than 4,300 digits$"),
    "NaN": (b'{"a": NaN}', "got NaN, which is no number of JSON$"),
    "Infinity": (b'{"a": -Infinity}', "got -Infinity, which is no number of JSON$"),
    "beyond a float": (b'{"a": 1e999}', "got the number 1e999, which no float holds$"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    raw, pattern = REFUSED[name]
    path = tmp_path / "a.json"
    path.write_bytes(raw)
    with pytest.raises(BadSource) as e:
        read_object(path, 1 << 22, "a card", "copy the card again")
    assert e.value.message.startswith(f"{path}: expected a card, got ")
    assert str(e.value).endswith("; copy the card again")
    with pytest.raises(BadSource, match=pattern):
        raise BadSource(e.value.message, None)


def test_numbers_that_are_no_json_are_read_where_python_wrote_them() -> None:
    raw = json.dumps({"a": math.inf, "b": math.nan, "c": [-math.inf]}).encode("ascii")
    found = parse_object(raw, "a.json", infinite=True)
    assert (found["a"], found["c"]) == (math.inf, [-math.inf])
    assert math.isnan(found["b"])


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"{}".ljust(MOST))
    assert read_object(path, MOST) == {}
    path.write_bytes(b"{}".ljust(MOST + 1))
    with pytest.raises(BadSource, match="expected a JSON object of at most 1 KiB, got more: 1,025 bytes"):
        read_object(path, MOST)


def test_a_missing_file_is_none_for_one_reader_and_refused_by_the_other(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path / "file" / "below.json"):
        (tmp_path / "file").touch()
        assert find_object(path, MOST) is None
        with pytest.raises(BadSource, match=f"{path}: expected a JSON object, got"):
            read_object(path, MOST)


def test_a_directory_a_pipe_and_a_loop_of_links_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "loop"):
        for read in (read_object, find_object):
            with pytest.raises(BadSource, match="expected a JSON object, got"):
                read(path, MOST)
