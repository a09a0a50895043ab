"""A memory of prefixes changes no number after a prompt beyond rounding, and reads the beginning of a prompt once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import pofx
from pofx.lm.model import LM
from pofx.lm.prefix_memory import PrefixMemory, remember_prefixes
from pofx.lm.state import State
from pofx.models.pretrained.checkpoint.rules import check_checkpoint
from pofx.models.pretrained.files import read_pretrained
from pofx.models.pretrained.inference.recalled import PrefixStore
from tiny_checkpoints import BOS, write

CLOSE = 1e-5
LARGE = 1 << 24
Counts = list[tuple[int, int, int]]


@pytest.fixture(scope="module", params=["llama", "mistral, sliding"])
def lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LM:
    where = write(tmp_path_factory.mktemp("tiny"), request.param)
    return read_pretrained(check_checkpoint(where), None, "float32", 24)


def counting(size: int = LARGE) -> tuple[PrefixMemory, Counts]:
    counts: Counts = []
    return PrefixMemory(size, lambda *n: counts.append(n)), counts


def read(lm: LM, memory: PrefixMemory | None, parts: Sequence[Sequence[Sequence[int]]]) -> State:
    """Return the state after parts `[n, t]`, which are read one after another."""
    state = lm.start(len(parts[0]))
    for part in parts:
        with remember_prefixes(memory):
            state = lm.extend(state, part)
    if memory is not None:
        store = next(iter(memory._rooms.values()))
        assert isinstance(store, PrefixStore)
        assert memory.bytes_kept <= memory.size
        assert not store.prefixes._holders.any()
        assert int(store.complete.sum()) == len(store.prefixes)
    return state


def assert_same(lm: LM, found: State, expected: State) -> None:
    """The distributions are close, and those after two further tokens, which read all keys and values."""
    assert np.abs(found.logp - expected.logp).max() < CLOSE
    more = [[7, 9]] * found.n
    assert np.abs(lm.extend(found, more).logp - lm.extend(expected, more).logp).max() < CLOSE


@pytest.mark.parametrize("size", [1 << 12, 1 << 15, LARGE])
def test_prompts_in_any_company_have_the_numbers_of_a_model_without_memory(lm: LM, size: int) -> None:
    rng, old = np.random.default_rng(size), [[BOS, *range(40, 80)]]
    memory, counts = counting(size)
    for _ in range(12):
        n, t = int(rng.integers(1, 5)), int(rng.integers(9, 40))
        rows = []
        for _ in range(n):
            head = old[int(rng.integers(len(old)))][: int(rng.integers(1, t))]
            rows.append([*head, *rng.integers(0, 272, t).tolist()][:t])
        if n > 2:
            rows[0] = rows[2]
        old += rows
        cut = int(rng.integers(1, t))
        parts = [np.array(rows)] if rng.random() < 0.5 else [np.array(rows)[:, :cut], np.array(rows)[:, cut:]]
        assert_same(lm, read(lm, memory, parts), read(lm, None, parts))  # type: ignore[arg-type]
        # Scores beside prompts share the memory.
        paths = [old[int(rng.integers(len(old)))] for _ in range(2)]
        with remember_prefixes(memory):
            trace = lm.forward(paths, skip=1)
        for a, b in zip(trace.logp, lm.forward(paths, skip=1).logp, strict=True):
            assert np.abs(a - b).max() < CLOSE
    if size == LARGE:
        assert np.sum(counts, axis=0)[1] > 150


def test_a_prompt_that_was_read_costs_one_token(lm: LM) -> None:
    memory, counts = counting()
    prompt = [[BOS, *range(5, 35)]]
    for _ in range(2):
        assert_same(lm, read(lm, memory, [prompt]), read(lm, None, [prompt]))
    assert counts == [(0, 0, 31), (1, 30, 1)]


def test_equal_prompts_of_one_batch_are_read_once(lm: LM) -> None:
    memory, counts = counting()
    prompts = [[BOS, *range(5, 35)]] * 9
    assert_same(lm, read(lm, memory, [prompts]), read(lm, None, [prompts]))
    assert counts == [(0, 0, 31)]


def test_slices_of_a_prompt_that_was_read_are_found(lm: LM) -> None:
    memory, counts = counting()
    prompt = np.array([[BOS, *range(5, 52)]])
    for _ in range(2):
        found = read(lm, memory, [prompt[:, :16], prompt[:, 16:32], prompt[:, 32:]])  # type: ignore[list-item]
        assert_same(lm, found, read(lm, None, [prompt]))  # type: ignore[list-item]
    assert counts == [(0, 0, 16)] * 3 + [(1, 15, 1)] * 3


def test_a_scored_context_is_found_by_a_draw_and_a_drawn_prompt_by_a_score(lm: LM) -> None:
    memory, counts = counting()
    context, prompt = [BOS, *range(5, 30)], [BOS, *range(60, 90)]
    with remember_prefixes(memory):
        lm.forward([[*context, 4]], skip=len(context))
    assert_same(lm, read(lm, memory, [[context]]), read(lm, None, [[context]]))
    assert counts[1] == (1, len(context) - 1, 1)
    read(lm, memory, [[prompt]])
    with remember_prefixes(memory):
        lm.forward([[*prompt, 4]], skip=len(prompt))
    assert counts[3] == (1, len(prompt) - 1, 1)


def test_draws_after_a_known_prompt_are_those_of_a_model_without_memory(tmp_path: Path) -> None:
    whole = pofx.load(write(tmp_path, adds="bos"))
    memory, counts = counting()

    def drawn() -> list[str]:
        found = pofx.sample(whole, 4, given="the cat sat at the hat", boundary="token", max_tokens=6, seed=3)
        return [d.text for d in found]

    expected = drawn()
    for _ in range(2):
        with remember_prefixes(memory):
            assert drawn() == expected
    assert counts[-1][1] > counts[-1][2]
