"""The transformer as an LM: laws, windows, and the agreement of `forward` with `extend`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from laws import laws  # noqa: E402
from pofx.errors import NoBOS  # noqa: E402
from pofx.lm.model import LM, forward_by_extension  # noqa: E402
from pofx.lm.trace import Want  # noqa: E402
from pofx.models.fitting import fit  # noqa: E402
from pofx.models.specs import NgramSpec  # noqa: E402
from pofx.models.transformer.windows import cut_windows  # noqa: E402
from pofx.transforms.given import given  # noqa: E402
from pofx.transforms.interpolate import interpolate  # noqa: E402
from pofx.transforms.mixture import mixture  # noqa: E402
from pofx.transforms.warp import warp  # noqa: E402
from pofx.vocab.vocabulary import ByteVocab, CharVocab  # noqa: E402
from tiny_transformers import CHARS, SMALL, TINY, apart, ragged, scrambled  # noqa: E402


@pytest.mark.thorough
@pytest.mark.parametrize(
    "make",
    [
        lambda: scrambled(SMALL, CharVocab("ab")),
        lambda: scrambled(replace(SMALL, begin=False), CharVocab("ab")),
        lambda: scrambled(replace(SMALL, end=False), CharVocab("ab", end=False)),
        lambda: scrambled(replace(SMALL, tie=True), CharVocab("abc")),
        lambda: scrambled(SMALL, ByteVocab()),
        lambda: given(scrambled(SMALL, CharVocab("ab")), "abbab"),
        lambda: warp(scrambled(SMALL, CharVocab("ab")), temperature=0.8, top_k=2),
        lambda: mixture([scrambled(SMALL, CharVocab("ab"), seed=k) for k in (1, 2)], [0.2, 0.8]),
        lambda: interpolate(
            [scrambled(SMALL, CharVocab("ab")), fit(["ab", "b"], NgramSpec(2, vocab=CharVocab("ab")))], [1, 1]
        ),
    ],
    ids=["joint", "no x0", "no EOS", "tied", "bytes", "given", "warp", "mixture", "interpolation"],
)
def test_laws(make: Callable[[], LM]) -> None:
    laws(make())


def test_a_full_window_is_left_for_who_else_extends_the_state() -> None:
    """The window that follows a full one is written from the front: over nothing that an older state still reads."""
    lm = scrambled(SMALL, CharVocab("abc"))
    path = [2, 1, 2]
    for n in range(len(path) + 1, 3 * SMALL.context):
        fresh = lm.extend(lm.start(1), [[*path, 1]])
        state = lm.start(1)
        states = [state]
        for i in path:
            states.append(state := lm.extend(state, [[i]]))
        for _ in range(2):
            again = lm.extend(states[-1], [[1]])
            assert np.abs(again.logp - fresh.logp).max() < 1e-5, n
        for k, old in enumerate(states[:-1]):
            there = lm.extend(old, [[path[k]]])
            assert np.abs(there.logp - states[k + 1].logp).max() < 1e-5, (n, k)
        path.append(n % 3)


@pytest.mark.parametrize(("context", "overlap"), [(4, 1), (8, 2), (8, 4), (128, 32)])
def test_windows_count_every_target_once(context: int, overlap: int) -> None:
    for n in (0, 1, context - 1, context, context + 1, 5 * context + 3):
        table = cut_windows(n, context, overlap)
        counted = [i for _, stop, fresh in table for i in range(fresh, stop)]
        assert counted == list(range(n))
        assert all(stop - start <= context and start <= fresh for start, stop, fresh in table)
        assert all(fresh - start == overlap for start, _, fresh in table[1:])


@pytest.mark.parametrize("context", [8, 200])
def test_forward_is_extend(context: int) -> None:
    lm, paths = scrambled(replace(TINY, context=context)), ragged()
    fast = lm.forward(paths, Want(entropy=True, rank=True, top=2, end=True))
    slow = forward_by_extension(lm, paths, Want(entropy=True, rank=True, top=2, end=True))
    assert apart(fast, slow) < 1e-5
    assert apart(lm.forward(paths), slow) < 1e-5
    for name in ("entropy", "end", "top_logp"):
        for a, b in zip(getattr(fast, name), getattr(slow, name)):
            np.testing.assert_allclose(a, b, atol=1e-4)


def test_skip_reads_and_does_not_score() -> None:
    lm, paths = scrambled(), ragged()
    whole = lm.forward(paths)
    skips = [len(p) // 2 for p in paths]
    for got, full, s in zip(lm.forward(paths, skip=skips).logp, whole.logp, skips):
        np.testing.assert_allclose(got, full[s:], atol=1e-5)


@pytest.mark.parametrize("begin", [True, False])
def test_what_paths_begin_with_alike_and_skip_is_read_once(
    begin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pofx.models.transformer.shared_prefixes as module

    lm = scrambled(replace(TINY, context=64, begin=begin))
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 4, 40), rng.integers(0, 4, 30)
    tails = [rng.integers(0, 5, n) for n in (1, 7, 7, 2, 60, 90, 12)]  # two of them are longer than a window
    paths = [np.concatenate([lead, t]).astype(np.int64) for lead in (a, b, a[:5]) for t in tails]
    skips = [len(lead) for lead in (a, b, a[:5]) for _ in tails]
    want = Want(entropy=True, top=2)
    alone = [lm.forward([p], want, k) for p, k in zip(paths, skips)]
    read = 0
    real_read, real_packed = module._read, lm.net.forward

    def counted(net: object, known: torch.Tensor, ids: np.ndarray) -> torch.Tensor:
        nonlocal read
        read += ids.size
        return real_read(net, known, ids)

    def packed(ids: torch.Tensor, *rest: object) -> torch.Tensor:
        nonlocal read
        read += len(ids)
        return real_packed(ids, *rest)

    for most in (module.KEYS, 1):  # together, and one by one
        monkeypatch.setattr(module, "KEYS", most)
        together = lm.forward(paths, want, skips)
        for i, one in enumerate(alone):
            np.testing.assert_allclose(together.logp[i], one.logp[0], atol=2e-5)
            np.testing.assert_allclose(together.entropy[i], one.entropy[0], atol=2e-5)
            np.testing.assert_array_equal(together.top_ids[i], one.top_ids[0])
    monkeypatch.setattr(module, "_read", counted)
    monkeypatch.setattr(lm.net, "forward", packed)
    short = [k for k in range(14) if len(paths[k]) < 50]
    lm.forward([paths[k] for k in short], skip=[skips[k] for k in short])
    # Each text after its prefix, of which the last token predicts; the prefixes themselves by `extend_cache`.
    assert read == sum(len(paths[k]) - skips[k] for k in short)


def test_extend_in_any_chunks_and_ragged() -> None:
    lm, rng = scrambled(), np.random.default_rng(2)
    path = rng.integers(0, CHARS.size, size=60)
    want = lm.extend(lm.start(1), path[None]).logp
    for sizes in ([1] * 60, [7, 1, 8, 9, 16, 19], [30, 30], [8, 8, 44]):
        state, at = lm.start(1), 0
        for k in sizes:
            state, at = lm.extend(state, path[None, at : at + k]), at + k
        np.testing.assert_allclose(state.logp, want, atol=1e-5)
    parts = [lm.extend(lm.start(1), path[None, :k]) for k in (0, 5, 8, 13, 31)]
    joined = lm.extend(parts[0].cat(*parts[1:]), np.stack([path[k : k + 11] for k in (0, 5, 8, 13, 31)]))
    alone = [lm.extend(lm.start(1), path[None, : k + 11]).logp[0] for k in (0, 5, 8, 13, 31)]
    np.testing.assert_allclose(joined.logp, np.stack(alone), atol=1e-5)


def test_states_are_values() -> None:
    lm = scrambled()
    parent = lm.extend(lm.start(2), [[0, 1, 2], [2, 1, 0]])
    before = parent.logp.copy()
    left = lm.extend(parent, [[0], [1]])
    right = lm.extend(parent, [[3], [2]])  # the buffer was taken by `left`: this one copies
    again = lm.extend(left, [[1, 1], [1, 1]])
    kept = left.logp.copy()
    lm.extend(left, [[3, 3], [3, 3]])
    np.testing.assert_array_equal(parent.logp, before)
    np.testing.assert_array_equal(left.logp, kept)
    np.testing.assert_allclose(right.logp[0], lm.extend(lm.start(1), [[0, 1, 2, 3]]).logp[0], atol=1e-5)
    np.testing.assert_allclose(again.logp[1], lm.extend(lm.start(1), [[2, 1, 0, 1, 1, 1]]).logp[0], atol=1e-5)
    twice = parent.take([1, 1, 0]).cat(left.take([0]))
    moved = lm.extend(twice, [[2], [3], [0], [1]])
    np.testing.assert_allclose(moved.logp[1], lm.extend(lm.start(1), [[2, 1, 0, 3]]).logp[0], atol=1e-5)
    np.testing.assert_allclose(moved.logp[3], lm.extend(lm.start(1), [[0, 1, 2, 0, 1]]).logp[0], atol=1e-5)
    np.testing.assert_array_equal(lm.extend(parent, np.zeros((2, 0), dtype=int)).logp, before)
    assert lm.extend(lm.start(0), np.zeros((0, 1), dtype=int)).logp.shape == (0, CHARS.size)


def test_batch_does_not_matter() -> None:
    lm, paths = scrambled(), ragged()
    together, alone = lm.forward(paths), [lm.forward([p]) for p in paths]
    order = np.random.default_rng(3).permutation(len(paths))
    shuffled = lm.forward([paths[i] for i in order])
    for i, p in enumerate(paths):
        assert abs(together.logp[i].sum() - alone[i].logp[0].sum()) < 1e-4 or not len(p)
    for k, i in enumerate(order):
        np.testing.assert_allclose(shuffled.logp[k], together.logp[i], atol=1e-5)


def test_documents_never_see_each_other() -> None:
    lm, paths = scrambled(), ragged()
    before = lm.forward(paths)
    changed = [p if i != 8 else (p + 1) % CHARS.size for i, p in enumerate(paths)]
    after = lm.forward(changed)
    for i, (a, b) in enumerate(zip(before.logp, after.logp)):
        if i != 8:
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_without_x0_there_is_no_first_factor() -> None:
    lm, paths = scrambled(replace(TINY, begin=False)), ragged()
    with pytest.raises(NoBOS, match="given="):
        lm.start(1).logp  # noqa: B018
    with pytest.raises(NoBOS):
        lm.forward(paths)
    skips = [min(1, len(p)) for p in paths]
    assert apart(lm.forward(paths, skip=skips), forward_by_extension(lm, paths, Want(), skips)) < 1e-5
    assert lm.forward([[]]).logp[0].shape == (0,)
    mixed = lm.start(1).cat(lm.extend(lm.start(1), [[2]]))
    with pytest.raises(NoBOS):
        mixed.logp  # noqa: B018
    assert lm.extend(mixed, [[1], [1]]).logp.shape == (2, CHARS.size)
