"""The transformer: one law of strings by three ways (extend, forward, training), and as Hugging Face reads it."""

from __future__ import annotations

import json
import math
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from laws import laws  # noqa: E402
from pofx.errors import BadSource, BadValue, Interrupted, NoBOS  # noqa: E402
from pofx.lm.model import LM, forward_by_extension  # noqa: E402
from pofx.lm.trace import Trace, Want  # noqa: E402
from pofx.models.fitting import fit  # noqa: E402
from pofx.models.specs import NgramSpec, TransformerSpec  # noqa: E402
from pofx.models.transformer.files import from_files, silence_begin, to_files  # noqa: E402
from pofx.models.transformer.fit_state import FitProgress  # noqa: E402
from pofx.models.transformer.model import TransformerLM, build  # noqa: E402
from pofx.models.transformer.objective import loss_and_gradients, split_batch  # noqa: E402
from pofx.models.transformer.training import train  # noqa: E402
from pofx.models.transformer.windows import Pieces, cut_windows  # noqa: E402
from pofx.transforms.given import given  # noqa: E402
from pofx.transforms.interpolate import interpolate  # noqa: E402
from pofx.transforms.mixture import mixture  # noqa: E402
from pofx.transforms.warp import warp  # noqa: E402
from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab  # noqa: E402

CHARS = CharVocab("abcd")
BYTES = ByteVocab()
LENGTHS = (0, 1, 3, 6, 7, 8, 9, 14, 15, 16, 40, 5)
TINY = TransformerSpec(layers=2, width=16, heads=2, context=8)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scrambled(spec: TransformerSpec = TINY, vocab: Vocab = CHARS, seed: int = 0) -> TransformerLM:
    """A model whose every parameter matters."""
    net = build(spec, vocab)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=draw) * (0.4 if p.ndim > 1 else 0.2) + float(p.ndim == 1))
    return TransformerLM(net, vocab, begin=spec.begin)


def ragged(vocab: Vocab = CHARS, lengths: tuple[int, ...] = LENGTHS) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, vocab.size, size=k) for k in lengths]


def apart(a: Trace, b: Trace) -> float:
    return max(float(np.abs(x - y).max(initial=0)) for x, y in zip(a.logp, b.logp))


SMALL = replace(TINY, layers=1, context=4)


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
    # Each text behind its prefix, of which the last token predicts; the prefixes themselves by `extend_cache`.
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


def test_training_loss_is_minus_the_score() -> None:
    lm, texts = scrambled(), [np.append(p, CHARS.end) for p in ragged()]
    score = sum(float(x.sum()) for x in lm.forward(texts).logp)
    pieces = Pieces([np.append(CHARS.size, t) for t in texts], 8, lm.overlap)
    net = lm.net.requires_grad_(True)
    loss = sum(
        loss_and_gradients(net, CHARS.size, pieces.pack(g))
        for g in pieces.groups(np.random.default_rng(0).permutation(len(pieces)), 40)
    )
    assert loss == pytest.approx(-score, rel=1e-6)
    assert pieces.targets == sum(len(t) for t in texts)


@pytest.mark.parametrize("lengths", [LENGTHS, (9,) * 8])
def test_micro_batches_do_not_matter(lengths: tuple[int, ...]) -> None:
    net = scrambled().net.requires_grad_(True)
    pieces = Pieces([np.append(CHARS.size, p) for p in ragged(CHARS, lengths)], 8, 2)
    batch = pieces.pack(np.arange(len(pieces)))
    whole = loss_and_gradients(net, CHARS.size, batch)
    grads = [p.grad.clone() for p in net.parameters()]
    for k in (2, 5):
        assert sum(len(b.targets) for b in split_batch(batch, k)) == len(batch.targets)
        assert loss_and_gradients(net, CHARS.size, batch, micro_batches=k) == pytest.approx(whole, rel=1e-6)
        for p, g in zip(net.parameters(), grads):
            torch.testing.assert_close(p.grad, g, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lengths", [(20, 3, 7, 6), (9, 9)])
def test_gradients_by_hand(lengths: tuple[int, ...]) -> None:
    net = scrambled(replace(TINY, layers=1)).net.requires_grad_(True)
    pieces = Pieces([np.append(CHARS.size, p) for p in ragged(CHARS, lengths)], 8, 2)
    batch = pieces.pack(np.arange(len(pieces)))
    loss_and_gradients(net, CHARS.size, batch)
    draw = torch.Generator().manual_seed(4)
    for name, p in net.named_parameters():
        way = torch.randn(p.shape, generator=draw)
        assert p.grad is not None
        slope = float((p.grad * way).sum())
        kept, ends, step = p.detach().clone(), [], 2e-3
        for sign in (1, -1):
            p.data = kept + sign * step * way
            with torch.no_grad():
                ends.append(-sum_of_logp(net, batch) / len(batch.targets))
        p.data = kept
        assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=4e-3, rel=2e-2), name


def sum_of_logp(net: torch.nn.Module, batch: object) -> float:
    from pofx.models.transformer.objective import batch_nats

    return -float(batch_nats(net, CHARS.size, batch))  # type: ignore[arg-type]


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("begin", [False, True])
def test_hugging_face_reads_the_same_law(tmp_path: Path, tie: bool, begin: bool) -> None:
    transformers = pytest.importorskip("transformers")
    spec = replace(TINY, tie=tie, begin=begin, context=32)
    lm = scrambled(spec)
    to_files(lm, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of third parties
        for attention in ("eager", "sdpa"):
            other = transformers.AutoModelForCausalLM.from_pretrained(
                tmp_path, dtype=torch.float32, attn_implementation=attention
            )
            path = np.random.default_rng(5).integers(0, CHARS.size, size=31)
            ids = np.append(CHARS.size, path) if begin else path
            with torch.no_grad():
                theirs = other(torch.from_numpy(ids)[None]).logits[0, :, : CHARS.size].log_softmax(-1).numpy()
            state, at = lm.start(1), 0
            if begin:
                np.testing.assert_allclose(state.logp[0], theirs[0], atol=1e-4)
                at = 1
            for i, t in enumerate(path):
                state = lm.extend(state, [[int(t)]])
                np.testing.assert_allclose(state.logp[0], theirs[at + i], atol=1e-4)
    assert other.config.eos_token_id == CHARS.end
    assert other.config.bos_token_id == (CHARS.size if begin else None)


def corpus(n: int, seed: int = 0) -> list[np.ndarray]:
    """A language with a rule: a…a b…b as often, then c or d."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, size=n)
    return [CHARS.encode_array("a" * k + "b" * k + "cd"[int(rng.integers(2))]) for k in sizes]


def test_a_language_is_learned_and_x0_is_quiet(tmp_path: Path) -> None:
    spec = TransformerSpec(layers=2, width=32, heads=2, context=16, epochs=12)
    seen: list[FitProgress] = []
    texts, held_out = corpus(400), corpus(100, seed=1)
    lm = train(texts, spec, CHARS, validation=held_out, progress=seen.append)
    counts = np.bincount(np.concatenate([np.append(t, CHARS.end) for t in held_out]), minlength=CHARS.size)
    unigram = -(counts * np.log(counts / counts.sum())).sum() / len(held_out)
    loss = -sum(x.sum() for x in lm.forward([np.append(t, CHARS.end) for t in held_out]).logp) / len(held_out)
    best = min(p.validation_nats for p in seen if p.validation_nats is not None)
    assert loss == pytest.approx(best, rel=1e-5)
    # log 4 for the length and log 2 for the last letter: the entropy of a document, nats.
    assert math.log(8) - 0.05 < loss < math.log(8) + 0.3 < unigram
    assert seen[-1].fraction == 1
    assert seen[-1].train_nats == pytest.approx(loss, rel=0.15)
    bytes_of = sum(len(t) for t in held_out)
    last = next(p for p in reversed(seen) if p.validation_nats is not None)
    assert last.validation_nats is not None
    assert last.validation_bits_per_byte == pytest.approx(
        last.validation_nats * len(held_out) / bytes_of / math.log(2)
    )
    to_files(lm, tmp_path)
    assert CHARS.size in json.loads((tmp_path / "generation_config.json").read_text())["suppress_tokens"]
    transformers = pytest.importorskip("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of third parties
        other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
        with torch.no_grad():
            ids = torch.from_numpy(np.append(CHARS.size, held_out[0]))[None]
            assert float(other(ids).logits.softmax(-1)[0, :, CHARS.size].max()) < 1e-6


class Stop:
    """A progress callback that presses Ctrl-C after some steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, p: FitProgress) -> None:
        if p.step == self.after and self.after < 10:
            raise KeyboardInterrupt
        if p.step == self.after:
            signal.raise_signal(signal.SIGINT)


FIT = TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=2.5, seed=3)


def test_resumed_is_uninterrupted_to_the_bit(tmp_path: Path) -> None:
    texts, held_out, file = corpus(150), corpus(20, 1), tmp_path / "fit.safetensors"
    whole = train(texts, FIT, CHARS, validation=held_out)
    for after in (7, 30):
        with pytest.raises(Interrupted, match="resume=True") as stopped:
            train(
                texts,
                FIT,
                CHARS,
                validation=held_out,
                checkpoint=file,
                resume=after > 7,
                progress=Stop(after),
            )
        assert stopped.value.checkpoint == file
    parts = train(texts, FIT, CHARS, validation=held_out, checkpoint=file, resume=True)
    for a, b in zip(whole.net.parameters(), parts.net.parameters()):
        assert torch.equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]  # no temporary files


def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path) -> None:
    texts, file = corpus(30), tmp_path / "fit.safetensors"
    spec = replace(FIT, epochs=0.2)
    train(texts, spec, CHARS, checkpoint=file)
    with pytest.raises(BadValue, match=r"width 16 there and 32 here"):
        train(texts, replace(spec, width=32), CHARS, checkpoint=file, resume=True)
    with pytest.raises(BadValue, match="documents"):
        train(corpus(30, 9), spec, CHARS, checkpoint=file, resume=True)
    with pytest.raises(BadSource, match="none"):
        train(texts, spec, CHARS, checkpoint=tmp_path / "absent", resume=True)
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(BadSource, match="damaged"):
        train(texts, spec, CHARS, checkpoint=file, resume=True)


def test_seconds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by an eighth of a second between steps: four of them end a fit of half a second."""
    seen: list[FitProgress] = []
    clock = [100.0]

    def told(now: FitProgress) -> None:
        seen.append(now)
        clock[0] += 0.125

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    train(corpus(50), replace(FIT, epochs=None, seconds=0.5), CHARS, progress=told)
    assert [p.elapsed for p in seen] == [0.0, 0.125, 0.25, 0.375]
    assert [p.fraction for p in seen] == [0.0, 0.25, 0.5, 0.75]
    assert seen[1].eta == 0.375


def test_nothing_to_predict_is_refused() -> None:
    with pytest.raises(BadValue, match="found none"):
        train([], FIT, CHARS)
    with pytest.raises(BadValue, match="EOS"):
        train(corpus(2), FIT, CharVocab("abcd", end=False))


def test_files_come_back(tmp_path: Path) -> None:
    lm = scrambled()
    silence_begin(lm.net, Pieces([np.append(CHARS.size, p) for p in ragged()], 8, 2))
    to_files(lm, tmp_path)
    again = from_files(tmp_path, CHARS, begin=True, overlap=lm.overlap)
    assert apart(lm.forward(ragged()), again.forward(ragged())) == 0
    assert again.window == lm.window


def test_malformed_files_are_named(tmp_path: Path) -> None:
    to_files(scrambled(), tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    good_config, good_weights = config.read_text(), weights.read_bytes()

    def refused(match: str) -> None:
        with pytest.raises(BadSource, match=match) as e:
            from_files(tmp_path, CHARS, begin=True, overlap=2)
        assert "\n" not in str(e.value)
        config.write_text(good_config)
        weights.write_bytes(good_weights)

    for cut in (0, 5, 200, len(good_weights) - 4):
        weights.write_bytes(good_weights[:cut])
        refused("model.safetensors")
    for bit in (0, 70, 1000):
        flipped = bytearray(good_weights)
        flipped[bit] ^= 0x40
        weights.write_bytes(bytes(flipped))
        refused("model.safetensors")
    config.write_text(good_config[:50])
    refused("config.json")
    for name, value in (("hidden_size", 32), ("num_hidden_layers", 3), ("intermediate_size", 8)):
        config.write_text(json.dumps(json.loads(good_config) | {name: value}))
        refused("config.json|model.safetensors")
    for name in ("vocab_size", "bos_token_id", "eos_token_id", "rms_norm_eps", "num_attention_heads"):
        config.write_text(json.dumps(json.loads(good_config) | {name: 99}))
        refused(f"config.json.*{name}|config.json")
    broken = scrambled()
    broken.net.norm[0] = torch.nan
    to_files(broken, tmp_path)
    refused("finite")
    weights.unlink()
    with pytest.raises(BadSource, match="model.safetensors"):
        from_files(tmp_path, CHARS, begin=True, overlap=2)


def test_resuming_may_take_more_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 4, size=30) for _ in range(20)]
    train(documents, replace(SMALL, seconds=0.2), CHARS, checkpoint=tmp_path / "c")
    steps: list[int] = []
    train(
        documents,
        replace(SMALL, seconds=0.5),
        CHARS,
        checkpoint=tmp_path / "c",
        resume=True,
        progress=lambda p: steps.append(p.step),
    )
    assert steps
    assert steps[0] > 1, "went on, did not begin again"
