"""The adaptive form of a mixing model: it learns along the prefix as the fit would, and every text begins with the fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

import pofx
from laws import laws
from pofx.errors import BadValue
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.trace import Want
from pofx.models.mixing import reading
from pofx.models.mixing.adaptive import AdaptiveMixingLM
from pofx.models.mixing.contexts import END
from pofx.models.mixing.learned import (
    EVERY,
    Learned,
    learn_documents,
    number_tables,
    read_only,
    start_history,
)
from pofx.models.mixing.model import MixingLM
from pofx.models.mixing.working_copy import WorkingCopy
from saved_models import CORPUS, numbers

TEXTS = [*CORPUS, "the cat sat on the mat, and the cat sat on the mat", "é", "naïve\tcafé\n", ""]
READ = [
    b"the cat sat on the mat, and the dog sat on the mat, and the dog sat",
    b"zebra zebra zebra\x00\xff\xff zebra",
    b"",
    "naïve café".encode(),
    bytes(range(256)),
]


@pytest.fixture(scope="module")
def frozen() -> MixingLM:
    fitted = pofx.fit(TEXTS, pofx.MixingSpec())
    assert isinstance(fitted, MixingLM)
    return fitted


@pytest.fixture(scope="module")
def lm(frozen: MixingLM) -> AdaptiveMixingLM:
    adaptive = pofx.adapt(frozen)
    assert isinstance(adaptive, AdaptiveMixingLM)
    return adaptive


def slow(learned: Learned, text: bytes) -> NDArray[np.float64]:
    """p of all symbols at each place of a text: a copy of every table, in which the code of the fit learns."""
    memory, known = np.array(learned.memory), len(learned.text)
    bytes_so_far = np.append(learned.text, np.zeros(len(text) + 1, dtype=np.uint8))
    seen, readable, history = read_only(memory), read_only(bytes_so_far), start_history()
    rows = np.empty((len(text) + 1, END + 1))
    for i, symbol in enumerate([*text, END]):
        at, row = (learned.layout, number_tables()), rows[i : i + 1]
        reading.distributions(seen, *at, readable, EVERY, history[None], row)
        one = np.array([symbol])
        reading.study(memory, seen, *at, bytes_so_far, readable, known + i, history, one)
    return rows


def paths(lm: AdaptiveMixingLM) -> list[list[int]]:
    return [[*text, END] for text in READ]


def test_each_symbol_has_the_probability_at_which_the_fit_would_learn_it(lm: AdaptiveMixingLM) -> None:
    found, entropies = lm.forward(paths(lm)).logp, lm.forward(paths(lm), Want(end=True))
    assert entropies.end is not None
    for path, logp, again, end in zip(paths(lm), found, entropies.logp, entropies.end):
        rows = slow(lm.frozen.learned, bytes(path[:-1]))
        assert np.array_equal(logp, np.log(rows[np.arange(len(path)), path]))
        assert np.array_equal(again, logp)
        assert np.array_equal(end, np.log(rows[:, END]))


def test_the_memory_behind_a_prefix_is_that_of_a_fit_which_went_on() -> None:
    documents = [np.array([*text.encode(), END]) for text in TEXTS]
    prefix = READ[0][:20]
    fitted, longer = (
        learn_documents(d, 0) for d in (documents, [*documents, np.frombuffer(prefix, np.uint8)])
    )
    assert fitted.layout == longer.layout
    copy = WorkingCopy(fitted)
    copy.go_to(b"\x00\xff" * 50)
    copy.go_to(prefix[:7])
    copy.go_to(prefix)
    assert copy._memory.tobytes() == longer.memory.tobytes()
    assert copy._memory.tobytes() != fitted.memory.tobytes()
    copy.go_to(b"")
    assert copy._memory.tobytes() == fitted.memory.tobytes()


def test_a_pass_agrees_with_single_steps_to_the_bit(lm: AdaptiveMixingLM) -> None:
    all_paths = [*paths(lm)[:4], list(b"the cat"), [END, *b"ab", END, *b"ab"]]
    skips = [i % 3 for i in range(len(all_paths))]
    skips[2] = 1
    want = Want(entropy=True, top=3, end=True)
    steps = forward_by_extension(lm, all_paths, want, skips)
    whole, plain = lm.forward(all_paths, want, skips), lm.forward(all_paths, skip=skips)
    backwards = lm.forward(all_paths[::-1], skip=skips[::-1]).logp[::-1]
    for i, expected in enumerate(steps.logp):
        for found in (whole.logp[i], plain.logp[i], backwards[i]):
            assert found.tobytes() == expected.tobytes()
        assert whole.entropy is not None and steps.entropy is not None
        assert whole.entropy[i].tobytes() == steps.entropy[i].tobytes()
    behind_end = lm.forward([all_paths[-1]]).logp[0]
    assert behind_end[1] == behind_end[4]
    assert behind_end[0] != behind_end[3]


def test_laws(lm: AdaptiveMixingLM) -> None:
    laws(lm)


def test_a_state_keeps_bytes_that_are_zero(lm: AdaptiveMixingLM) -> None:
    state = lm.extend(lm.start(1), [[0, 0]])
    assert np.array_equal(np.exp(state.logp[0]), np.exp(np.log(slow(lm.frozen.learned, b"\0\0")[2])))


def test_the_second_time_is_likelier_and_the_next_text_is_as_likely_as_the_first(
    lm: AdaptiveMixingLM, frozen: MixingLM
) -> None:
    before = numbers(frozen)
    once, twice = (pofx.log_prob(lm, "quixotic" * n) for n in (1, 2))
    assert twice - once > once + 10
    assert pofx.log_prob(lm, "quixotic") == once
    assert pofx.log_prob(frozen, "quixotic" * 2) < twice
    assert numbers(frozen) == before


def test_a_long_text_has_the_numbers_of_its_pieces(
    lm: AdaptiveMixingLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = [*READ[0], END]
    whole = lm.forward([path], Want(end=True))
    monkeypatch.setattr("pofx.models.mixing.working_copy.PIECE", 7)
    monkeypatch.setattr("pofx.models.mixing.adaptive.ROWS", 5)
    again = lm.forward([path], Want(end=True), skip=3)
    assert whole.end is not None and again.end is not None
    assert np.array_equal(whole.logp[0][3:], again.logp[0])
    assert np.array_equal(whole.end[0][3:], again.end[0])


def test_an_interrupted_reader_leaves_no_trace(lm: AdaptiveMixingLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes between two pieces of a text, when the copy has learned from the first."""
    expected = lm.forward([[*READ[0], END]]).logp[0]

    class Interrupted(Exception):
        pass

    follow, calls = WorkingCopy.read.__globals__["following"].follow, []

    def once(*arguments: object) -> None:
        if calls:
            raise Interrupted
        calls.append(follow(*arguments))

    with monkeypatch.context() as patch:
        patch.setattr("pofx.models.mixing.working_copy.PIECE", 7)
        patch.setattr("pofx.models.mixing.following.follow", once)
        with pytest.raises(Interrupted):
            lm.forward([[*READ[1], END]])
    assert np.array_equal(lm.forward([[*READ[0], END]]).logp[0], expected)


def test_bayes_rule_over_two_adaptive_models(lm: AdaptiveMixingLM) -> None:
    other = pofx.adapt(pofx.fit(["zebra zebra", "a zebra"], pofx.MixingSpec()))
    text = "zebra sat on the mat"
    a, b = (pofx.log_prob(model, text) for model in (lm, other))
    found = pofx.posterior(pofx.mixture([lm, other], [0.3, 0.7]), [text])[0]
    expected = 0.3 * math.exp(a) / (0.3 * math.exp(a) + 0.7 * math.exp(b))
    assert math.exp(found.posterior[0]) == pytest.approx(expected, rel=1e-9)


def test_a_compressed_text_is_read_by_the_adaptive_model_alone(
    lm: AdaptiveMixingLM, frozen: MixingLM
) -> None:
    data = b"zebra, a zebra\x00\xff"
    packed = pofx.compress(lm, data)
    assert pofx.decompress(lm, packed) == data
    with pytest.raises(pofx.PofxError):
        pofx.decompress(frozen, packed)


@pytest.mark.thorough
def test_the_audit_calls_it_a_joint_distribution(lm: AdaptiveMixingLM) -> None:
    assert pofx.audit(lm, ["the cat sat", "zebra"]).verdict == "joint"


def test_only_a_mixing_model_learns(lm: AdaptiveMixingLM) -> None:
    for other in (pofx.fit(["ab"]), lm, pofx.given(lm, "a")):
        with pytest.raises(BadValue, match="mixing model"):
            pofx.adapt(other)
    assert pofx.adapt(lm.frozen).info.window != lm.frozen.info.window


def test_a_text_that_needs_more_room_has_the_numbers_of_a_copy_that_had_the_room(frozen: MixingLM) -> None:
    rng = np.random.default_rng(1)
    text, longer = ([*rng.integers(97, 100, n).tolist(), END] for n in (5_000, 20_000))
    first, second = pofx.adapt(frozen), pofx.adapt(frozen)
    second.forward([longer])
    whole = second.forward([text]).logp[0]
    assert np.array_equal(first.forward([text]).logp[0], whole)
    third = pofx.adapt(frozen)
    state = third.extend(third.start(1), [text[:4_000]])
    assert state.logp[0, text[4_000]] == whole[4_000]
    behind = third.extend(state, [text[4_000:4_600]]), second.extend(second.start(1), [text[:4_600]])
    assert np.array_equal(behind[0].logp, behind[1].logp)
