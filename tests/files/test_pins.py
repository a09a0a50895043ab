"""Verdicts that are kept, and what of them, of the tokenizer and of the caller decides on x0."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pofx.errors import BadSource, BadValue
from pofx.files.pins import Pin, check_pin, data_dir, find_pin, pin, unpin
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.models.begin_evidence import begin_evidence
from pofx.transforms.with_begin import with_begin
from pofx.vocab.control_tokens import ControlTokens
from refusals import decided
from toy import ToyLM, ToyVocab

JOINT = Pin(0, 2, "joint", "x0 gains 3.3 bits.", "<|endoftext|>", "2026-11-23", "0.1.0")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POFX_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


class Names(ToyVocab):
    """Three control tokens, then a, b, c; the last control token ends texts, none is ever added."""

    def __init__(self, adds_before: tuple[int, ...] = ()) -> None:
        self.size, self.end = 6, 2
        self.token_bytes = (None, None, None, b"a", b"b", b"c")
        self.control = ControlTokens(
            {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2},
            (("bos", 1), ("eos", 2), ("unk", 0)),
            adds_before,
        )

    def encode(self, text: str | bytes) -> list[int]:
        return [i + 3 for i in super().encode(text)]


# What is kept ---------------------------------------------------------------------------------------------------


def test_a_verdict_is_kept_replaced_and_forgotten(data: Path) -> None:
    assert find_pin("weights") is None
    assert not unpin("weights")
    path = pin("weights", JOINT)
    assert path.is_relative_to(data)
    assert find_pin("weights") == JOINT
    assert find_pin("other weights") is None
    later = Pin(None, None, "conditional", "reason: é –")
    pin("weights", later)
    assert find_pin("weights") == later
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing half-written beside it
    assert unpin("weights")
    assert find_pin("weights") is None


def test_a_model_without_a_fingerprint_has_no_verdict() -> None:
    assert find_pin("") is None
    assert not unpin("")
    with pytest.raises(BadValue, match="fingerprint"):
        pin("", JOINT)


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    assert data_dir() == data
    monkeypatch.delenv("POFX_DATA")
    assert data_dir().name == "pofx"
    monkeypatch.setenv("POFX_DATA", "~/kept")
    assert data_dir() == Path.home() / "kept"


def test_a_name_of_a_model_is_no_path(data: Path) -> None:
    for name in ("../../etc/passwd", "/abs", "a" * 5000, "\ud800", "nul\0"):
        assert pin(name, JOINT).parent == data / "pins"
        assert find_pin(name) == JOINT


def sealed(record: dict[str, object]) -> bytes:
    """As somebody would write it who knows the rule."""
    plain = json.dumps(record, sort_keys=True).encode()
    return json.dumps({**record, "seal": hashlib.blake2b(plain, digest_size=16).hexdigest()}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 60_000,
        b'"x"' + b" " * (1 << 16),
        json.dumps({"format": 3, "fingerprint": "w"}).encode(),
        sealed({"format": 2, "fingerprint": "another", **vars(JOINT)}),
        sealed({"format": 2, "fingerprint": "w"}),
        json.dumps({"format": 2, "fingerprint": "w", **vars(JOINT)}).encode(),  # without a seal
        *(
            sealed({"format": 2, "fingerprint": "w", **vars(JOINT), key: value})
            for key, value in (
                ("begin", -1),
                ("begin", True),
                ("begin", 1.0),
                ("end", "2"),
                ("verdict", "fine"),
                ("verdict", ["joint"]),
                ("reason", None),
                ("extra", 1),
            )
        ),
    ],
)
def test_a_damaged_verdict_is_said_to_be_damaged(raw: bytes) -> None:
    path = pin("w", JOINT)
    path.write_bytes(raw)
    with pytest.raises(BadSource, match="--unpin") as e:
        find_pin("w")
    assert "\n" not in str(e.value)
    assert unpin("w")
    assert find_pin("w") is None


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(draws=st.data())
def test_a_flipped_byte_never_makes_another_verdict(data: Path, draws: st.DataObject) -> None:
    path = pin("w", JOINT)
    raw = bytearray(path.read_bytes())
    raw[draws.draw(st.integers(0, len(raw) - 1))] ^= draws.draw(st.integers(1, 255))
    path.write_bytes(raw[: draws.draw(st.integers(len(raw) - 3, len(raw)))])
    assert decided(lambda: find_pin("w")) in (JOINT, None)  # white space may change


# What a version without seals has written for JOINT.
OLD = """{
 "format": 1,
 "fingerprint": "w",
 "begin": 0,
 "end": 2,
 "verdict": "joint",
 "reason": "x0 gains 3.3 bits.",
 "begin_text": "<|endoftext|>",
 "date": "2026-11-23",
 "version": "0.1.0"
}
"""


def test_a_verdict_without_a_seal_is_read_by_its_fields(data: Path) -> None:
    path = pin("w", Pin(1, 1, "improper", "another"))
    path.write_text(OLD)
    assert find_pin("w") == JOINT
    later = Pin(None, 2, "conditional", "no x0")
    pin("w", later)
    assert json.loads(path.read_text())["format"] == 2  # and with a seal again
    assert find_pin("w") == later
    for old, new in (
        ('"begin": 0', '"begin": -1'),
        ('"begin": 0', '"begin": false'),
        ('"end": 2', '"end": "2"'),
        ('"joint"', '"fine"'),
        ('"fingerprint": "w"', '"fingerprint": "v"'),
        ('"version": "0.1.0"', '"version": 1'),
        ('"format": 1', '"format": 2'),
        ('"format": 1', '"format": 1.5'),
        ('"format": 1', '"format": [1]'),
        ('"format": 1', '"format": 1, "seal": ""'),
        (',\n "date": "2026-11-23"', ""),
    ):
        assert old in OLD
        path.write_text(OLD.replace(old, new))
        with pytest.raises(BadSource, match="--unpin"):
            find_pin("w")


def test_a_place_that_cannot_be_written_or_read(data: Path) -> None:
    data.write_text("a file")
    with pytest.raises(BadSource, match="POFX_DATA"):
        pin("w", JOINT)
    assert find_pin("w") is None
    assert not unpin("w")
    data.unlink()
    path = pin("w", JOINT)
    path.unlink()
    path.mkdir()
    for do in (find_pin, unpin):
        with pytest.raises(BadSource):
            do("w")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(min_size=1), st.text(), st.one_of(st.none(), st.integers(0, 1 << 40)))
def test_any_verdict_comes_back(name: str, reason: str, begin: int | None) -> None:
    found = Pin(begin, None, "improper", reason)
    pin(name, found)
    assert find_pin(name) == found


# What decides ---------------------------------------------------------------------------------------------------


def test_the_order_of_evidence() -> None:
    adding = Names(adds_before=(0,))
    conditional = Pin(0, 2, "conditional", "…")
    assert begin_evidence(adding, JOINT, "<|im_start|>", "m") == Begin("assumed", "<|im_start|>", 1)
    assert begin_evidence(adding, conditional, 0, "m") == Begin("assumed", "<|endoftext|>", 0)
    assert begin_evidence(adding, Pin(1, 2, "joint", "…"), None, "m") == Begin("trained", "<|im_start|>", 1)
    assert begin_evidence(Names(), Pin(0, None, "prefix-only", "…"), None, "m") == Begin(
        "trained", "<|endoftext|>", 0
    )
    for verdict in ("conditional", "improper"):
        found = begin_evidence(adding, Pin(0, 2, verdict, "…"), None, "m")
        assert (found.known, found.id) == ("none", None)
        assert f"audited: {verdict}" in found.note
    assert begin_evidence(adding, None, None, "m") == Begin(
        "declared", "<|endoftext|>", 0
    )  # an id of 0 is an id
    assert begin_evidence(adding, Pin(None, 2, "conditional", "…"), None, "m").known == "none"


def test_a_bos_that_is_declared_and_never_added_is_not_used() -> None:
    found = begin_evidence(Names(), None, None, "smol")
    assert (found.known, found.id) == ("none", None)
    said = str(refuse_unconditional(found))
    assert "candidates are <|im_start|> (declared as BOS, never added), <|im_end|>, <|endoftext|>" in said
    for word in ("p(x1)", "pofx audit -m smol", "begin=", "given="):
        assert word in said
    assert "\n" not in said
    assert "fitted without" not in said
    assert "fitted without" in str(refuse_unconditional(Begin("none")))


def test_several_tokens_before_a_text_are_no_x0() -> None:
    found = begin_evidence(Names(adds_before=(0, 1)), None, None, "m")
    assert found.known == "none"
    assert "puts 2 tokens before a text (<|endoftext|>, <|im_start|>)" in found.note


def test_our_own_vocabularies_have_no_candidates() -> None:
    assert len(Names().control.candidates) == 3
    assert ToyVocab().control.candidates == ()
    assert "candidates" not in begin_evidence(ToyVocab(), None, None, "m").note


def test_what_is_no_token_is_refused() -> None:
    with pytest.raises(BadValue, match="control token .<.endoftext"):
        begin_evidence(Names(), None, "ab", "m")
    with pytest.raises(BadValue, match="id in"):
        begin_evidence(Names(), None, 6, "m")
    with pytest.raises(BadSource, match="audit -m m --unpin"):
        begin_evidence(Names(), Pin(99, None, "joint", "…"), None, "m")


def test_the_decision_as_a_model() -> None:
    core = ToyLM(Names(), begin=False)
    found = begin_evidence(core.vocab, JOINT, None, "m")
    assert found.id is not None
    assert found.known != "none"
    assert with_begin(core, found.id, found.known).begin == found


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_of_another_user(data: Path) -> None:
    data.mkdir(mode=0o500)
    with pytest.raises(BadSource):
        pin("w", JOINT)


def test_a_place_that_takes_no_file_is_told_before_an_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_pin("w")
    assert find_pin("w") is None
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/nowhere")):
        monkeypatch.setenv("POFX_DATA", str(place))
        with pytest.raises(
            BadSource, match="expected a place to keep the verdict, got: .*; choose .*POFX_DATA"
        ):
            check_pin("w")
        with pytest.raises(BadSource, match="expected a place to keep the verdict"):
            pin("w", JOINT)
