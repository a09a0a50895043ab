"""JSON of strangers: what is refused, with which words, and at which byte."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, StrictBool, StrictInt, StrictStr

from pofx.server.incoming.errors import RequestError
from pofx.server.incoming.json_body import _validated
from pofx.server.incoming.strict_json.parse import parse
from pofx.server.incoming.strict_json.place import offset_of
from pofx.server.incoming.strict_json.structure import structural_fault
from pofx.server.settings import Settings


class Options(BaseModel):
    usage: StrictBool = False


class Shape(BaseModel):
    prompt: StrictStr | list[StrictStr] | list[StrictInt] | list[list[StrictInt]]
    top: Annotated[StrictInt, Field(ge=0, le=100)] = 0
    heat: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    kind: Literal["a", "b"] = "a"
    texts: Annotated[list[StrictStr], Field(max_length=2)] = []
    options: Options | None = None


# The body, the beginning of the message after "expected", and what stands at the byte that is named.
NO_JSON = [
    (b"", "JSON, got an empty body", b""),
    (b"  ", "JSON, got an empty body", b"  "),
    (b"{", "JSON, got its beginning alone", b""),
    (b'{"prompt":', "JSON, got its beginning alone", b""),
    (b"prompt=a&echo=true", "JSON, got 'prompt=a&e'", b"prompt="),
    (b'{"prompt":"a"} {}', "one JSON value, got more text after it", b"{}"),
    (b'{"prompt":"a"}}', "one JSON value", b"}"),
    (b'\xef\xbb\xbf{"prompt":"a"}', "JSON in UTF-8 without a byte order mark", b"\xef\xbb\xbf"),
    ('{"prompt":"a"}'.encode("utf-16-le"), "JSON, got", b"\x00"),
    (b'{"prompt":"\xff"}', "UTF-8, got the byte 0xff", b"\xff"),
    (b'{"prompt":"\xed\xa0\x80"}', "UTF-8, got the byte 0xed", b"\xed\xa0"),
    ('{"é":1,"prompt":"é\\ud800"}'.encode(), "Unicode text, got a lone surrogate", b"\\ud800"),
    (b'{"prompt":"\\udc00"}', "Unicode text, got a lone surrogate", b"\\udc00"),
    (b'{"prompt":"\n"}', "an escape, such as \\n, got a control character", b'\n"'),
    (b'{"prompt":"\\x"}', "JSON", b""),
    (b'{"heat":NaN}', "JSON, got NaN", b"NaN"),
    (b'{"heat":-Infinity}', "JSON, got -Infinity", b"-Infinity"),
    (b'{"heat":1e999}', "a number below 1.8e308", b"1e999"),
    (b'{"heat":1' + b"0" * 400 + b"}", "a number below 1.8e308", b"10000"),
    (b'{"heat":01}', "JSON", b""),
    (b'{"prompt":' + b"[" * 100_000, "at most 32 levels of lists and objects", b"[[["),
    (b'{"a":' * 40 + b"1" + b"}" * 40, "at most 32 levels of lists and objects", b'{"a":'),
    (b"[" + b"[]," * 2_700_000 + b"1]", "at most 4096 lists and objects in all", b"[],"),
    (b"[" + b"{}," * 5_000 + b"1]", "at most 4096 lists and objects in all", b"{},"),
    (b"{" + b",".join(b'"%d":1' % k for k in range(5000)) + b"}", "at most 4096 keys", b'"4096":1'),
    (b'{"prompt":"a","top":1,"prompt":"b"}', "each key once, got 'prompt' twice", b'"prompt":"b"'),
    (b'{"top":1,"\\u0074op":2}', "each key once, got 'top' twice", b'"\\u0074op"'),
    (b'{"options":{"usage":true,"usage":false}}', "each key once, got 'usage' twice", b'"usage":false'),
    (b'["prompt"]', "a JSON object, got a list of 1", b"["),
    (b'"prompt"', 'a JSON object, got "prompt"', b'"'),
    (b"null", "a JSON object, got null", b"null"),
    (b"7", "a JSON object, got 7", b"7"),
]
# The body, the message, and what stands at the byte that is named.
NOT_THIS_SHAPE = [
    (b"{}", "prompt: expected a value, got none", b"{}"),
    (b'{"prompt":null}', "prompt: expected a string or a list, got null", b"null"),
    (b'{"prompt":{"a":[1]}}', "prompt: expected a string or a list, got an object", b'{"a"'),
    (b'{"prompt":[1, 2, "x"]}', 'prompt.2: expected a whole number, got "x"', b'"x"'),
    (b'{"prompt":["a", true]}', "prompt.1: expected a string, got true", b"true"),
    (b'{"prompt":[[1],[2,1e30]]}', "prompt.1.1: expected a whole number, got 1e+30", b"1e30"),
    (b'{"prompt":[[1],[2, 3.5]]}', "prompt.1.1: expected a whole number, got 3.5", b"3.5"),
    (b'{"prompt":"a","top":-1}', "top: expected at least 0, got -1", b"-1"),
    (b'{"prompt":"a","top":101}', "top: expected at most 100, got 101", b"101"),
    (b'{"prompt":"a","top":"3"}', 'top: expected a whole number, got "3"', b'"3"'),
    (b'{"prompt":"a","top":true}', "top: expected a whole number, got true", b"true"),
    (b'{"prompt":"a","heat":[]}', "heat: expected a number, got a list of 0", b"[]"),
    (b'{"prompt":"a","kind":"c"}', "kind: expected 'a' or 'b', got \"c\"", b'"c"'),
    (b'{"texts":["{]","\\"",""],"prompt":"a"}', "texts: expected at most 2 items, got 3", b'["{]"'),
    ('{"é":{"a":[1,"]"]},"prompt":"a","options":{"usage": 1}}'.encode(), "options.usage: expected true or false, got 1", b"1}}"),
    (b'{"prompt":"a","options":[]}', "options: expected an object, got a list of 0", b"[]"),
]  # fmt: skip


def refusal(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        _validated(body, Shape, Settings())
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(("body", "words", "there"), NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_json_is_refused_with_its_byte(body: bytes, words: str, there: bytes) -> None:
    error = refusal(body)
    assert error.code == "invalid_json"
    assert error.message.startswith(f"expected {words}")
    assert error.offset is not None
    assert body[error.offset :].startswith(there)
    assert len(error.message) < 200


@pytest.mark.parametrize(("body", "words", "there"), NOT_THIS_SHAPE, ids=range(len(NOT_THIS_SHAPE)))
def test_a_wrong_value_is_named_with_its_byte(body: bytes, words: str, there: bytes) -> None:
    error = refusal(body)
    assert error.message == f"{words} at byte {error.offset}"
    assert error.code == "invalid_value"
    assert body[error.offset :].startswith(there)
    assert error.param == words.split(":")[0]


def test_a_list_that_no_request_needs_is_refused_before_it_is_validated() -> None:
    error = refusal(b'{"prompt":[' + b"0," * 4_000_000 + b"0]}")
    assert error.message == "prompt: expected at most 262144 items, got 4000001 at byte 10"


def test_an_unclosed_string_of_escapes_takes_linear_time() -> None:
    # Quadratic time would be an hour.
    assert refusal(b'{"a":"' + b'\\"' * 4_000_000).offset is not None
    assert refusal(b'{"a' * 2_000_000).offset is not None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.sampled_from(['"', "\\", "[", "}", ":", '\\"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\"\\:{é", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60)
@given(values, st.sampled_from([None, 1]), st.booleans())
def test_good_json_is_read_as_python_reads_it_and_places_are_right(
    value: object, indent: int | None, ascii: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii).encode()
    assert structural_fault(text) is None
    found, fault = parse(text)
    assert fault is None
    assert found == value

    def check(inner: object, path: tuple[int | str, ...]) -> None:
        there = text[offset_of(text, path) :].decode("utf-8")
        assert json.JSONDecoder().raw_decode(there)[0] == inner
        parts = (
            inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        )
        for key, part in parts:
            check(part, (*path, key))

    check(value, ())


@given(st.binary(max_size=40))
def test_no_bytes_but_json_are_read(body: bytes) -> None:
    value, fault = parse(body)
    if fault is None:
        assert json.loads(body) == value
    else:
        assert value is None
        assert 0 <= fault.offset <= len(body)
        assert re.search(r"\S", fault.got)
