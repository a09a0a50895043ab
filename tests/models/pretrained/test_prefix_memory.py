"""A memory of prefixes changes no number beyond rounding, whatever was read before, and takes no more than its size."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pofx.lm.model import LM
from pofx.lm.prefix_memory import PrefixMemory, remember_prefixes
from pofx.lm.reading_progress import listen_to_reading
from pofx.lm.trace import Trace, Want
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.recalled import PrefixStore
from pofx.transforms.windowed import windowed
from pofx.transforms.with_begin import with_begin
from tiny_checkpoints import BOS, write

CLOSE = 1e-5
LARGE = 1 << 24
WANT = Want(entropy=True, top=2, rank=True)


@pytest.fixture(scope="module", params=["llama", "mistral, sliding"])
def lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LM:
    """A tiny model, whose passes have at most 24 tokens, so that a call has several."""
    where = write(tmp_path_factory.mktemp("tiny"), request.param)
    return read_pretrained(check_checkpoint(where), None, "float32", 24)


def store_of(memory: PrefixMemory) -> PrefixStore:
    (room,) = memory._rooms.values()
    assert isinstance(room, PrefixStore)
    return room


def read(lm: LM, memory: PrefixMemory, paths: list[list[int]], skips: list[int]) -> Trace:
    with remember_prefixes(memory):
        found = lm.forward(paths, WANT, skips)
    assert memory.bytes_kept <= memory.size
    store = store_of(memory)
    assert not store.prefixes._holders.any()
    assert int(store.complete.sum()) == len(store.prefixes)
    return found


def assert_close(found: Trace, expected: Trace) -> None:
    for a, b in zip(found.logp, expected.logp, strict=True):
        assert np.abs(a - b).max(initial=0) < CLOSE
    assert found.entropy is not None
    assert expected.entropy is not None
    for a, b in zip(found.entropy, expected.entropy, strict=True):
        assert np.abs(a - b).max(initial=0) < 10 * CLOSE


def everything() -> Iterator[tuple[list[int], int]]:
    """Every path of 2 to 4 tokens of three, with every number of first positions that are not scored."""
    for n in (2, 3, 4):
        for path in itertools.product((5, 6, 7), repeat=n):
            for skip in range(1, n):
                yield list(path), skip


@pytest.mark.parametrize("tokens", [1, 7, 1000])
def test_all_short_texts_in_any_order_have_the_numbers_of_a_model_without_memory(lm: LM, tokens: int) -> None:
    asked = list(everything())
    expected = lm.forward([p for p, _ in asked], WANT, [s for _, s in asked])
    memory = PrefixMemory(LARGE)
    read(lm, memory, [[5, 6]], [1])
    memory = PrefixMemory(tokens * memory.bytes_kept)
    order = np.random.default_rng(0).permutation(len(asked))
    for some in np.array_split(order, 60):
        found = read(lm, memory, [asked[k][0] for k in some], [asked[k][1] for k in some])
        for a, k in zip(found.logp, some):
            assert np.abs(a - expected.logp[k]).max() < CLOSE


def random_texts(rng: np.random.Generator, old: list[list[int]]) -> list[list[int]]:
    """Texts of up to 40 tokens, half of which go on from a beginning of an old one."""
    out = []
    for k in range(5):
        head = old[int(rng.integers(len(old)))][: int(rng.integers(1, 40))] if old and k % 2 else [BOS]
        out.append([*head, *rng.integers(0, 272, int(rng.integers(1, 20))).tolist()][:40])
    return out


@pytest.mark.parametrize("size", [1 << 12, 1 << 15, LARGE])
def test_long_texts_in_many_passes(lm: LM, size: int) -> None:
    rng, old = np.random.default_rng(size), list[list[int]]()
    counts: list[tuple[int, int, int]] = []
    memory = PrefixMemory(size, lambda *n: counts.append(n))
    for _ in range(20):
        paths = random_texts(rng, old)
        paths += [old[int(rng.integers(len(old)))] for _ in range(2) if old]
        old += paths
        skips = [int(rng.integers(1, len(p) + 1)) for p in paths]
        assert_close(read(lm, memory, paths, skips), lm.forward(paths, WANT, skips))
    if size == LARGE:
        texts, found, computed = np.sum(counts, axis=0)
        assert texts > 20
        assert found > 0.2 * computed


def test_a_text_that_was_read_is_not_computed_again(lm: LM) -> None:
    counts: list[tuple[int, int, int]] = []
    memory = PrefixMemory(LARGE, lambda *n: counts.append(n))
    path = list(range(5, 35))
    for _ in range(2):
        read(lm, memory, [path], [1])
    assert counts == [(0, 0, 29), (1, 29, 0)]


def test_a_distribution_that_was_not_requested_before_is_computed_now(lm: LM) -> None:
    counts: list[tuple[int, int, int]] = []
    memory = PrefixMemory(LARGE, lambda *n: counts.append(n))
    path = list(range(5, 35))
    read(lm, memory, [path], [20])
    assert_close(read(lm, memory, [path], [11]), lm.forward([path], WANT, [11]))
    assert counts[1] == (1, 10, 19)  # from the first position without a hidden state on
    assert_close(read(lm, memory, [path], [11]), lm.forward([path], WANT, [11]))
    assert counts[2] == (1, 29, 0)


def test_transforms_use_the_memory_of_the_model_inside(lm: LM) -> None:
    counts: list[tuple[int, int, int]] = []
    memory = PrefixMemory(LARGE, lambda *n: counts.append(n))
    whole = windowed(with_begin(lm, BOS), 32, 16)
    paths = [list(np.random.default_rng(1).integers(5, 270, 50)), [9, 8, 7]]
    for _ in range(2):
        with remember_prefixes(memory):
            found = whole.forward(paths, WANT)
        assert_close(found, whole.forward(paths, WANT))
    assert sum(c[1] for c in counts) > 50


def test_a_computation_that_is_cancelled_keeps_what_it_has_read_and_holds_nothing(lm: LM) -> None:
    memory, path = PrefixMemory(LARGE), list(range(5, 65))

    class Gone(Exception):
        pass

    def leave(done: int, of: int) -> None:
        if done > 30:
            raise Gone

    with pytest.raises(Gone), listen_to_reading(leave), remember_prefixes(memory):
        lm.forward([path], WANT, [1])
    store = store_of(memory)
    assert 24 <= len(store.prefixes) < 59
    assert not store.prefixes._holders.any()
    assert int(store.complete.sum()) == len(store.prefixes)
    assert_close(read(lm, memory, [path], [1]), lm.forward([path], WANT, [1]))


@pytest.mark.parametrize("size", [1 << 14, LARGE])
def test_computations_that_pause_for_each_other(lm: LM, size: int) -> None:
    """Calls that begin like the first one, and go on beyond what it has read, come in between, and fill a small memory."""
    memory, path = PrefixMemory(size), list(range(5, 65))
    others: list[tuple[list[int], Trace]] = []

    def pause(done: int, of: int) -> None:
        if 10 < done < 50 and len(others) < 5:
            other = [*path[: 10 * len(others) + 12], 9 - len(others), 3]
            with listen_to_reading(lambda done, of: None):
                # Only the last position is asked for, so keys and values alone decide what is taken from the memory.
                others.append((other, lm.forward([other], WANT, [len(other) - 1])))

    with listen_to_reading(pause), remember_prefixes(memory):
        found = lm.forward([path], WANT, [1])
    assert_close(found, lm.forward([path], WANT, [1]))
    assert len(others) == 5
    for other, trace in others:
        assert_close(trace, lm.forward([other], WANT, [len(other) - 1]))
    read(lm, memory, [path], [1])


def test_models_do_not_share_what_they_keep(tmp_path: Path) -> None:
    one, two = (
        read_pretrained(check_checkpoint(write(tmp_path / name, seed=k)), None, "float32", None)
        for k, name in enumerate("ab")
    )
    memory, path = PrefixMemory(LARGE), list(range(5, 35))
    with remember_prefixes(memory):
        one.forward([path], WANT, [1])
        found = two.forward([path], WANT, [1])
    assert_close(found, two.forward([path], WANT, [1]))
