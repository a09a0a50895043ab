"""The mixing model beside the same formulas in plain Python: equal log p, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from plain_mixing import EOS, PlainMixing

from pofx.models.mixing import learned, model
from pofx.models.mixing.layout import layout

PROSE = b"The cat sat on the mat.\nThe dog sat, and the cat's dog sat on the mat.\n"
NOISE = np.random.default_rng(4).integers(0, 256, 700).astype(np.uint8).tobytes()

CORPORA = {
    "one text": [PROSE * 3],
    "several texts, empty ones among them": [b"", PROSE, b"", b"the cat", b"naive caf\xc3\xa9\n", b""],
    "byte 255": [b"\xff", b"\xff\xff\xffa", b"a\xff" * 20, b"", b"\xff"],
    "long matches": [PROSE * 9, PROSE * 2],
    "slots that collide": [NOISE, NOISE[300:], PROSE],
}
PROBES = [
    b"",
    PROSE * 2,
    b"The cat sat on the dog",
    b"\xff\xff\x00\xff",
    b"zebra \xc3\xa9\n\n0",
    NOISE[50:90],
]


@pytest.mark.parametrize("name", CORPORA)
def test_log_p_is_that_of_plain_python_to_the_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bits = 12 if name == "one text" else 6
    monkeypatch.setattr(learned, "layout_for", lambda length, memory: layout(bits))
    documents = [list(d) for d in CORPORA[name]]
    symbols = [np.array([*d, EOS], dtype=np.int64) for d in documents]
    lm = model.MixingLM(learned.learn_documents(symbols, 1_000_000))
    plain = PlainMixing(bits).fit(documents)
    assert lm.learned.text.tolist() == plain.text
    assert plain.replaced > 1000 or name != "slots that collide"
    for probe in PROBES:
        path = [*probe, EOS]
        found, wanted = lm.forward([path]).logp[0], np.log(np.array(plain.terms(path)))
        assert found.tobytes() == wanted.tobytes()
    states = lm.extend(lm.start(1), [list(PROBES[2])]).logp[0]
    row = [plain.terms([*PROBES[2], v])[-1] for v in (0, 97, 254, 255, EOS)]
    assert states[[0, 97, 254, 255, EOS]].tobytes() == np.log(np.array(row)).tobytes()
