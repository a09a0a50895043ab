"""The distributions that a pretrained model keeps as hidden states are those of `extend`, position by position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

import pofx
import tiny_checkpoints
from pofx.lm.model import LM
from pofx.queries.difference.laws import divergences, read_laws
from pofx.transforms.windowed_distributions import TOKENS, WindowedDistributions

PATHS = [[5, 9, 4], [7], [], [5, 9, 8, 11, 4, 6, 12, 5, 9, 8, 3, 3, 10, 4, 6, 7, 5]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoints.write(tmp_path_factory.mktemp("tiny") / "m", adds="bos")


def rows(lm: LM, paths: list[list[int]], step: int = 4) -> tuple[np.ndarray, np.ndarray]:
    kept = lm.path_distributions(paths)
    assert kept is not None
    ids = np.concatenate([np.array(p, dtype=np.int64) for p in paths])
    parts = [kept.rows(lo, min(lo + step, len(ids)), ids[lo : lo + step]) for lo in range(0, len(ids), step)]
    laws, logp = zip(*parts)
    return np.concatenate(laws), np.concatenate(logp)


def by_extension(lm: LM, paths: list[list[int]]) -> np.ndarray:
    found = []
    for path in paths:
        state = lm.start(1)
        for i in path:
            found.append(state.logp[0])
            state = lm.extend(state, [[i]])
    return np.stack(found)


@pytest.mark.parametrize("context", [None, 8])
def test_they_are_those_of_extend(home: Path, context: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pofx.transforms.windowed_distributions.TOKENS", 10)  # several stretches
    lm = pofx.load(home, context=context, stride=None if context is None else 3)
    laws, logp = rows(lm, PATHS)
    assert laws == pytest.approx(by_extension(lm, PATHS), abs=2e-5)
    assert logp == pytest.approx(np.concatenate(lm.forward(PATHS).logp), abs=2e-5)


def test_log_p_of_tokens_in_bfloat16_is_that_of_forward(home: Path) -> None:
    lm = pofx.load(home, dtype="bfloat16")
    laws, logp = rows(lm, PATHS)
    assert logp == pytest.approx(np.concatenate(lm.forward(PATHS).logp), abs=1e-6)
    assert np.exp(laws.astype(np.float64)).sum(1) == pytest.approx(np.ones(len(laws)), abs=1e-5)


def test_the_divergences_of_two_checkpoints_are_those_of_their_distributions(
    home: Path, tmp_path: Path
) -> None:
    a = pofx.load(home, context=8, stride=4)
    b = pofx.load(tiny_checkpoints.write(tmp_path / "m", adds="bos", seed=1))
    found = read_laws(a, b, [np.array(p, dtype=np.int64) for p in PATHS])
    whole = divergences(by_extension(a, PATHS), by_extension(b, PATHS))
    kl = np.concatenate([f.kl for f in found])
    assert kl == pytest.approx(whole[:, 1], abs=1e-5)
    assert kl.min() > 0
    (same,) = read_laws(a, a, [np.array(PATHS[3])])
    assert not same.kl.any()


def test_one_stretch_is_in_memory(home: Path) -> None:
    lm = pofx.load(home, context=8, stride=4)
    path = np.resize(np.array(PATHS[3]), 2 * TOKENS)
    kept = lm.path_distributions([path])
    assert isinstance(kept, WindowedDistributions)
    kept.rows(0, 1, path[:1])
    assert kept._last <= TOKENS
