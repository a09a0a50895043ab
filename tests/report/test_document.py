"""The document around the data of a page: its policy names its own script and style, and no text ends an element."""

from __future__ import annotations

import base64
import hashlib
import json
from html import unescape

from page_reader import Reader
from report_samples import HOSTILE, LM, scored

from pofx.queries.sample import sample
from pofx.report.html.blocks import Section, paragraph, prose_section
from pofx.report.html.document import document, fragment
from pofx.report.html.made import Made, model_note
from pofx.report.html.record_blocks import draws_block, score_section


def data_of(page: str) -> dict:
    """The JSON of a page."""
    raw = [body for kind, body in Reader(page).raw if kind == "script"]
    assert len(raw) == 2
    found = json.loads(raw[0])
    assert isinstance(found, dict)
    return found


def hashed(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def test_the_policy_names_the_script_and_the_style() -> None:
    read = Reader(document(HOSTILE, [score_section([scored(HOSTILE)], HOSTILE)], HOSTILE))
    assert [kind for kind, _ in read.raw] == ["style", "script", "script"]
    style, data, script = (body for _, body in read.raw)
    policy = next(v for k, v in read.values if k == "content" and "default-src" in v)
    assert policy == (
        f"default-src 'none'; style-src '{hashed(style)}'; script-src '{hashed(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not set(data) & set("<>&")
    assert "mount" in script or len(script) > 10_000
    for ends in ("</script", "<script", "<!--"):
        assert ends not in script


def test_texts_of_a_page_are_its_data() -> None:
    s = scored(HOSTILE)
    made = Made("pofx score --text x", (model_note("toy", LM),))
    found = data_of(document("t", [score_section([s]), prose_section("p", [HOSTILE])], made=made))
    score = found["sections"][0]["blocks"][0]["texts"][0]["score"]
    assert score["text"] == HOSTILE
    assert [t["nats"] for t in score["tokens"]] == s.logp.tolist()
    assert found["sections"][1]["blocks"] == [{"kind": "paragraph", "text": HOSTILE}]
    assert found["made"]["command"] == "pofx score --text x"
    assert found["made"]["models"] == [
        {"name": "toy", "x0": str(LM.begin), "eos": "EOS", "fingerprint": LM.fingerprint}
    ]


def test_a_fragment_is_the_page_in_a_frame_that_reaches_nothing() -> None:
    draws = sample(LM, 1, seed=1, max_tokens=9)
    found = fragment([Section("", (draws_block(draws), paragraph(HOSTILE)))], height=123)
    read = Reader(found)
    assert read.tags == {"iframe"}
    values = dict(read.values)
    assert values["sandbox"] == "allow-scripts"
    assert values["height"] == "123"
    inner = data_of(values["srcdoc"])
    assert inner["compact"]
    assert inner["sections"][0]["blocks"][1]["text"] == HOSTILE
    assert unescape(found).count("<iframe") == 1
