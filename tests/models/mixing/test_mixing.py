"""The mixing model: its distributions sum to 1, and every way of reading gives the same numbers."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.errors import BadValue
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.mixing import reading
from pofx.models.mixing.deciding import LEAST
from pofx.models.mixing.model import MixingLM
from saved_models import CORPUS, edit, numbers, refused, vouch

TEXTS = [
    *CORPUS,
    "the cat sat on the mat, and the cat sat on the mat, and the cat sat",
    "é",
    "naïve\tcafé\n",
    "",
]


@pytest.fixture(scope="module")
def lm() -> MixingLM:
    fitted = pofx.fit(TEXTS, pofx.MixingSpec())
    assert isinstance(fitted, MixingLM)
    return fitted


PREFIXES = [
    b"",
    b"the cat",
    b"the cat sat on the ",
    b"\xff",
    b"\x00\xff\xff",
    b"a" * 40,
    "naïve café".encode(),
]


def test_every_distribution_over_bytes_and_eos_sums_to_one(lm: MixingLM) -> None:
    for prefix in PREFIXES:
        row = np.exp(lm.extend(lm.start(1), [list(prefix)]).logp[0])
        assert len(row) == 257
        assert math.fsum(row) == pytest.approx(1, abs=1e-12)
        assert row.min() >= (LEAST / 65536) ** 9


def test_texts_and_longer_texts_sum_to_one(lm: MixingLM) -> None:
    """Over all strings of at most one byte, and the mass of longer ones: Σ p(x) + P(length > 1) = 1."""
    end = lm.vocab.end
    strings = [[end], *([v, end] for v in range(256))]
    longer = [[a, b] for a, b in product(range(256), range(256))]
    total, alive = (
        math.fsum(math.exp(math.fsum(a)) for a in lm.forward(paths).logp) for paths in (strings, longer)
    )
    assert total + alive == pytest.approx(1, abs=1e-12)


def test_a_pass_agrees_with_single_steps_to_the_bit(lm: MixingLM) -> None:
    paths = [[*lm.vocab.encode(t), lm.vocab.end] for t in TEXTS] + [list(p) for p in PREFIXES if p]
    skips = [min(i % 3, len(p)) for i, p in enumerate(paths)]
    want = Want(entropy=True, rank=True, top=3, end=True)
    slow = forward_by_extension(lm, paths, want, skips)
    for found in (lm.forward(paths, want, skips), lm.forward(paths, skip=skips)):
        for a, b in zip(found.logp, slow.logp):
            assert a.tobytes() == b.tobytes()
    whole = lm.forward(paths, want, skips)
    assert whole.entropy is not None and slow.entropy is not None
    assert all(np.array_equal(a, b) for a, b in zip(whole.entropy, slow.entropy))
    back = [lm.forward([p], skip=s).logp[0] for p, s in zip(paths, skips)]
    assert all(np.array_equal(a, b) for a, b in zip(back, slow.logp))


def test_states_are_values(lm: MixingLM) -> None:
    state = lm.extend(lm.start(2), [list(b"the"), list(b"cat")])
    before = state.carry.copy()
    longer = lm.extend(state.take([1, 0, 1]), [[32], [10], [256]])
    assert np.array_equal(state.carry, before)
    alone = lm.extend(lm.start(1), [list(b"the\n")])
    assert np.array_equal(longer.logp[1], alone.logp[0])
    assert np.array_equal(longer.logp[2], lm.start(1).logp[0])  # behind EOS another text begins


def test_pieces_of_a_long_text_are_one_text(lm: MixingLM, monkeypatch: pytest.MonkeyPatch) -> None:
    path = list(TEXTS[8].encode())
    whole = lm.forward([path, path[:5]], Want(end=True))
    monkeypatch.setattr("pofx.models.mixing.model.PIECE", 7)
    again = lm.forward([path, path[:5]], Want(end=True))
    assert whole.end is not None and again.end is not None
    for i in range(2):
        assert np.array_equal(whole.logp[i], again.logp[i])
        assert np.array_equal(whole.end[i], again.end[i])
    monkeypatch.setattr("pofx.models.mixing.learned.PIECE", 7)
    assert numbers(pofx.fit(TEXTS, pofx.MixingSpec())) == numbers(lm)


def test_draws_agree_with_the_distribution(lm: MixingLM) -> None:
    """The first byte of 4,000 draws, against p: within five standard deviations for every likely byte."""
    n = 4000
    drawn = pofx.sample(lm, n, max_tokens=1, seed=3)
    p = np.exp(lm.start(1).logp[0])
    ids = [min(ord(d.text[0]), 255) if d.text else 256 for d in drawn]
    found = np.bincount(ids, minlength=257)
    likely = (p > 0.004) & ~np.isin(np.arange(257), range(128, 256))  # a stray byte is shown as U+FFFD
    assert likely.sum() > 2
    assert np.all(np.abs(found - n * p)[likely] < 5 * np.sqrt(n * p * (1 - p))[likely])


def test_a_compressed_text_is_read_by_the_model(lm: MixingLM) -> None:
    for data in (b"the cat sat on the dog", b"", b"zebra\x00\xff"):
        assert pofx.decompress(lm, pofx.compress(lm, data)) == data
    ideal = pofx.compression(lm, b"the cat").ideal_bits
    assert ideal == pytest.approx(-pofx.log_prob(lm, "the cat") / math.log(2), abs=1e-9)


def test_reading_does_not_change_the_model(lm: MixingLM) -> None:
    before = lm.learned.memory.tobytes()
    first = numbers(lm)
    lm.forward([list(b"zebra" * 30)] * 3, Want(entropy=True))
    assert lm.learned.memory.tobytes() == before
    assert numbers(lm) == first


def test_what_was_read_often_is_likely(lm: MixingLM) -> None:
    seen, unseen = (pofx.log_prob(lm, t) for t in ("the cat sat", "tac eht tas"))
    assert seen > unseen + 10


def test_a_model_is_read_as_it_was_saved(lm: MixingLM, tmp_path: Path) -> None:
    pofx.save(lm, tmp_path / "m")
    again = pofx.load(tmp_path / "m")
    assert isinstance(again, MixingLM)
    assert again.learned.memory.tobytes() == lm.learned.memory.tobytes()
    assert numbers(again) == numbers(lm)
    assert again.portable().fingerprint == lm.portable().fingerprint
    pofx.save(pofx.fit(TEXTS, pofx.MixingSpec()), tmp_path / "n")
    assert (tmp_path / "n" / "model.safetensors").read_bytes() == (
        tmp_path / "m" / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("maps", 0x3FF),
        ("order0", 65536),
        ("order0", -1),
        ("matched", -256),
        ("latest", 1 << 30),
        ("latest", -1),
    ],
)
def test_a_number_that_would_index_outside_an_array_is_refused(
    lm: MixingLM, tmp_path: Path, part: str, value: int
) -> None:
    from safetensors.numpy import load_file, save_file

    pofx.save(lm, tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    arrays = load_file(file)
    arrays["memory"][getattr(lm.learned.layout, part) + 3] = value
    save_file(arrays, file)
    vouch(tmp_path / "m")
    assert "out of its range" in refused(tmp_path / "m")


@pytest.mark.parametrize("change", [{"bits": 23}, {"bits": True}, {"bits": 9}, {"eos_token_id": None}])
def test_a_config_of_another_model_is_refused(
    lm: MixingLM, tmp_path: Path, change: dict[str, object]
) -> None:
    pofx.save(lm, tmp_path / "m")
    edit(tmp_path / "m", "config.json", lambda config: config.update(change))
    refused(tmp_path / "m")


def test_a_mixing_model_without_documents_is_refused() -> None:
    with pytest.raises(pofx.BadSource):
        pofx.fit([], pofx.MixingSpec())
    with pytest.raises(BadValue, match="mixing model in memory"):
        pofx.fit(TEXTS, pofx.MixingSpec(), workers=2)
    with pytest.raises(BadValue, match="megabytes|bytes"):
        pofx.MixingSpec(memory=256)


def test_a_stored_function_is_current_only_while_every_file_is(
    lm: MixingLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function has those that it calls compiled into it, so a change of their files makes it stale, too."""
    lm.forward([[97]])
    stored = reading.read._cache._cache_file
    assert stored._load_index()
    monkeypatch.setattr(stored, "_source_stamp", "of other sources")
    assert not stored._load_index()


def test_a_small_memory_makes_small_tables() -> None:
    rng = np.random.default_rng(0)
    text = rng.integers(97, 123, 20_000).astype(np.uint8).tobytes()
    small = pofx.fit([text], pofx.MixingSpec(memory=2_000_000))
    assert isinstance(small, MixingLM)
    assert small.learned.memory.nbytes <= 2_000_000
    # Slots were replaced, and the distributions still sum to 1.
    assert math.fsum(np.exp(small.extend(small.start(1), [list(text[:9])]).logp[0])) == pytest.approx(
        1, abs=1e-12
    )
