"""A fit by several workers: the steps are those of one process, and a worker that dies costs nothing that was learned."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pofx.errors import BadValue, Interrupted  # noqa: E402
from pofx.models.specs import TransformerSpec  # noqa: E402
from pofx.models.torchrun import Torchrun  # noqa: E402
from pofx.models.transformer import training  # noqa: E402
from pofx.models.transformer.fit_documents import FitDocuments  # noqa: E402
from pofx.models.transformer.fit_state import FitProgress, FitState  # noqa: E402
from pofx.models.transformer.model import TransformerLM, build  # noqa: E402
from pofx.models.transformer.muon import Optimiser  # noqa: E402
from pofx.models.transformer.objective import loss_and_gradients  # noqa: E402
from pofx.models.transformer.training import help_train, train  # noqa: E402
from pofx.models.transformer.windows import Pieces  # noqa: E402
from pofx.models.transformer.workers import local, task  # noqa: E402
from pofx.models.transformer.workers.crew import Crew  # noqa: E402
from pofx.models.transformer.workers.group import ALONE, Group, LostWorker, share  # noqa: E402
from pofx.vocab.vocabulary import CharVocab  # noqa: E402
from tiny_transformers import ragged  # noqa: E402

CHARS = CharVocab("abcd")
FIT = TransformerSpec(layers=1, width=16, heads=2, context=8, epochs=2, seed=3)


def corpus(n: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [CHARS.encode_array("a" * k + "b" * k) for k in rng.integers(1, 5, size=n)]


class Meeting:
    """Collectives of threads of one process, in place of those of gloo: sums run in the order of the ranks."""

    def __init__(self, size: int) -> None:
        self.all_here = threading.Barrier(size, timeout=30)
        self.brought: list[torch.Tensor | None] = [None] * size

    def of(self, rank: int) -> Seat:
        return Seat(self, rank)

    def exchange(self, rank: int, tensor: torch.Tensor) -> list[torch.Tensor]:
        try:
            self.brought[rank] = tensor.clone()
            self.all_here.wait()
            found = [t for t in self.brought if t is not None]
            self.all_here.wait()
        except threading.BrokenBarrierError as e:
            raise RuntimeError("a thread left") from e
        return found


class Seat:
    """The collectives as one thread calls them."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self.meeting, self.rank = meeting, rank

    def allreduce(self, tensors: list[torch.Tensor]) -> Seat:
        tensors[0].copy_(sum(self.meeting.exchange(self.rank, tensors[0])))
        return self

    def broadcast(self, tensor: torch.Tensor, root: int) -> Seat:
        tensor.copy_(self.meeting.exchange(self.rank, tensor)[root])
        return self

    def wait(self) -> None:
        pass


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other workers are threads of this process, so that a test takes no time to start processes."""

    @contextmanager
    def crew(workers: int, ray: str | None = None) -> Iterator[Crew]:
        if workers == 1:
            yield Crew(ALONE)
            return
        meeting = Meeting(workers)

        def help_(rank: int) -> None:
            with suppress(LostWorker, BadValue, Interrupted):
                help_train(Group(meeting.of(rank), rank, workers))

        others = [threading.Thread(target=help_, args=(r,), daemon=True) for r in range(1, workers)]
        for other in others:
            other.start()
        try:
            yield Crew(Group(meeting.of(0), 0, workers))
        except Exception:
            meeting.all_here.abort()
            raise
        finally:
            for other in others:
                other.join(20)
        assert not any(other.is_alive() for other in others)

    monkeypatch.setattr(training, "open_crew", crew)


def weights(lm: TransformerLM) -> dict[str, bytes]:
    return {name: p.detach().numpy().tobytes() for name, p in lm.net.named_parameters()}


def losses(workers: int) -> list[FitProgress]:
    seen: list[FitProgress] = []
    train(corpus(150), FIT, CHARS, validation=corpus(20, 1), progress=seen.append, workers=workers)
    return seen


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_a_partition_of_equal_loads(size: int) -> None:
    lengths = np.random.default_rng(size).integers(1, 129, size=30).tolist()
    shares = [share(lengths, rank, size) for rank in range(size)]
    assert sorted(i for some in shares for i in some) == list(range(30))
    loads = [sum(lengths[i] for i in some) for some in shares]
    assert max(loads) - min(loads) <= max(lengths) / 2
    assert [share([5], rank, 3) for rank in range(3)] == [[0], [], []]


@pytest.mark.parametrize("size", [2, 3, 20])
def test_the_gradient_is_that_of_one_process(size: int) -> None:
    pieces = Pieces([np.array([4, *d, 3]) for d in ragged()], 8, 1)
    every = np.arange(len(pieces))
    net = build(replace(FIT, layers=2), CHARS)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)), alpha=0.3)
    loss = loss_and_gradients(net, CHARS.size, pieces.pack(every))
    whole = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    total, sums = 0.0, [torch.zeros_like(g) for g in whole]
    for rank in range(size):
        mine = every[share(pieces.lengths.tolist(), rank, size)]
        if len(mine):
            total += loss_and_gradients(net, CHARS.size, pieces.pack(mine), targets=pieces.targets)
            for s, p in zip(sums, net.parameters()):
                assert p.grad is not None
                s += p.grad
    assert total == pytest.approx(loss, rel=1e-6)
    for s, g in zip(sums, whole):
        torch.testing.assert_close(s, g, rtol=1e-5, atol=1e-6)


def gradients_of_a_step(group: Group) -> tuple[float, list[torch.Tensor]]:
    """The loss and the gradients of the first step, as a process of a fit computes them."""
    spec = replace(FIT, layers=2)
    fit = FitState(FitDocuments(corpus(40), spec, CHARS), FitDocuments([], spec, CHARS), spec, CHARS, group)
    with torch.no_grad():  # the first weights leave most gradients at zero
        for p in fit.net.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)), alpha=0.3)
    which = fit.order[0]
    loss = fit._gradients(which, fit.corpus.pieces.targets_of(which))
    return loss, [p.grad.clone() for p in fit.net.parameters() if p.grad is not None]


@pytest.mark.parametrize("size", [2, 3])
def test_all_workers_of_a_step_have_the_gradient_of_one_process(size: int) -> None:
    # Muon and Adam hardly notice a gradient that is a multiple of the right one, so the gradients are compared themselves.
    loss, whole = gradients_of_a_step(ALONE)
    meeting = Meeting(size)
    with ThreadPoolExecutor(size) as pool:
        groups = [Group(meeting.of(rank), rank, size) for rank in range(size)]
        for their_loss, gradients in pool.map(gradients_of_a_step, groups):
            assert their_loss == pytest.approx(loss, rel=1e-6)
            for theirs, g in zip(gradients, whole, strict=True):
                torch.testing.assert_close(theirs, g, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize("workers", [2, 3])
def test_the_first_steps_are_those_of_one_process(workers: int) -> None:
    one, several = losses(1), losses(workers)
    assert [p.passes for p in several] == [p.passes for p in one]
    # Rounding grows from step to step, so only the beginning is compared.
    for a, b in zip(one[:16], several[:16]):
        assert b.train_nats == pytest.approx(a.train_nats, abs=1e-5)


@pytest.mark.thorough
@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize("workers", [2, 3])
def test_the_losses_differ_by_no_more_than_those_of_seeds(workers: int) -> None:
    texts, held_out, found = corpus(400), corpus(60, 1), {1: [0.0] * 5, workers: [0.0] * 5}
    for n, of_seed in found.items():
        for seed in range(5):
            seen: list[FitProgress] = []
            spec = replace(FIT, seed=seed)
            train(texts, spec, CHARS, validation=held_out, progress=seen.append, workers=n)
            assert seen[-1].best_bits_per_byte is not None
            of_seed[seed] = seen[-1].best_bits_per_byte
    low, high = min(found[1]), max(found[1])
    assert abs(np.mean(found[workers]) - np.mean(found[1])) <= (high - low) / 2
    assert all(low - (high - low) <= loss <= high + (high - low) for loss in found[workers])


@pytest.mark.usefixtures("in_threads")
def test_the_validation_loss_is_the_same_number_whoever_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Optimiser, "step", lambda self, scale: None)  # so that all have the first weights
    held_out = corpus(3000, 1)  # several batches
    found = []
    for workers in (1, 2, 3):
        seen: list[FitProgress] = []
        spec = replace(FIT, epochs=0.2)
        train(corpus(3000), spec, CHARS, validation=held_out, progress=seen.append, workers=workers)
        found.append([p.validation_nats for p in seen if p.validation_nats])
    assert len(found[0]) > 5
    assert found[0] == found[1] == found[2]


class Stop:
    """Sends SIGINT to this process after a step."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, p: FitProgress) -> None:
        if p.step == self.after:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize("workers", [2, 3])
def test_a_resumed_fit_ends_in_the_same_bits(workers: int, tmp_path: Path) -> None:
    texts, held_out, file = corpus(150), corpus(20, 1), tmp_path / "c"
    whole = train(texts, FIT, CHARS, validation=held_out, workers=workers)
    for step in (5, 21):
        with pytest.raises(Interrupted) as stopped:
            train(
                texts,
                FIT,
                CHARS,
                validation=held_out,
                checkpoint=file,
                resume=step > 5,
                progress=Stop(step),
                workers=workers,
            )
        assert stopped.value.step == step
    parts = train(texts, FIT, CHARS, validation=held_out, checkpoint=file, resume=True, workers=workers)
    assert weights(parts) == weights(whole)
    assert weights(train(texts, FIT, CHARS, validation=held_out)) != weights(whole)


@pytest.mark.usefixtures("in_threads")
def test_another_number_of_workers_is_told(tmp_path: Path) -> None:
    file = tmp_path / "c"
    with pytest.raises(Interrupted):
        train(corpus(150), FIT, CHARS, checkpoint=file, progress=Stop(3), workers=2)
    with pytest.warns(RuntimeWarning, match=r"other arithmetic \(workers: 2 there, 1 here\)"):
        train(corpus(150), FIT, CHARS, checkpoint=file, resume=True)
    with pytest.raises(Interrupted):
        train(corpus(150), FIT, CHARS, checkpoint=file, progress=Stop(3))
    with pytest.warns(RuntimeWarning, match=r"other arithmetic \(workers: 1 there, 3 here\)"):
        train(corpus(150), FIT, CHARS, checkpoint=file, resume=True, workers=3)


@pytest.mark.usefixtures("in_threads")
def test_other_weights_in_a_worker_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    step = Optimiser.step

    def drifts(self: Optimiser, scale: float) -> None:
        step(self, scale)
        if threading.current_thread() is not threading.main_thread():
            next(iter(self.hidden.values())).data[0, 0] += 1e-6

    monkeypatch.setattr(Optimiser, "step", drifts)
    with pytest.raises(BadValue, match="got other weights in worker 2 of 2"):
        train(corpus(150), FIT, CHARS, checkpoint=tmp_path / "c", workers=2)
    assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("in_threads")
def test_a_worker_of_other_arithmetic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def here(spec: TransformerSpec) -> dict[str, str]:
        main = threading.current_thread() is threading.main_thread()
        return {"instruction set": "AVX2" if main else "AVX512"}

    monkeypatch.setattr(task, "_arithmetic", here)
    with pytest.raises(
        BadValue, match=r"in worker 2 \(instruction set: AVX2 there, AVX512 here\); take machines"
    ):
        train(corpus(150), FIT, CHARS, workers=2)


def test_a_worker_that_is_lost_in_the_optimiser_changes_nothing() -> None:
    class Lost(Group):
        def add(self, tensor: torch.Tensor) -> torch.Tensor:
            raise LostWorker("gone")

    pieces = Pieces([np.array([4, *d, 3]) for d in ragged()], 8, 1)
    net = build(FIT, CHARS)
    loss_and_gradients(net, CHARS.size, pieces.pack(np.arange(len(pieces))))
    optimiser = Optimiser(net, workers=Lost(None, 0, 2))
    state = {**optimiser.tensors(), **dict(net.named_parameters())}
    before = {name: t.detach().clone() for name, t in state.items()}
    with pytest.raises(LostWorker):
        optimiser.step(1.0)
    assert all(torch.equal(t, before[name]) for name, t in state.items())


def test_a_signal_waits_for_the_checkpoint_of_a_fit_that_lost_a_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """torchrun tells process 0 to end as soon as it finds another process dead, which is when process 0 saves."""
    advance, save = FitState.advance, FitState.save
    ended: list[int] = []

    def lose(fit: FitState) -> None:
        if fit.step == 2:
            raise LostWorker("no answer")
        advance(fit)

    def told_to_end(fit: FitState, *arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        save(fit, *arguments)  # type: ignore[arg-type]

    def end(number: int, frame: object) -> None:
        ended.append(number)
        raise SystemExit(1)

    monkeypatch.setattr(FitState, "advance", lose)
    monkeypatch.setattr(FitState, "save", told_to_end)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(BadValue, match="after step 2"):
            train(corpus(150), FIT, CHARS, checkpoint=tmp_path / "c")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended == []
    assert (tmp_path / "c").exists()


def test_the_place_in_a_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    assert Torchrun.of({}) is None
    assert Torchrun.of({"RANK": "1", "WORLD_SIZE": "4"}) is None
    assert Torchrun.of(whole | {"WORLD_SIZE": "1", "RANK": "0"}) is None
    place = Torchrun.of(whole)
    assert place == Torchrun(1, 4)
    assert Torchrun.of(whole | {"TORCHELASTIC_RESTART_COUNT": "2"}) == Torchrun(1, 4, 2)
    assert place is not None
    place.check(4)
    for other in (None, 1, 2):
        with pytest.raises(BadValue, match=f"^workers: expected 4, .* got {other}; write 4$"):
            place.check(other)
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadValue, match="got a fit in process 1"):
        train(corpus(5), FIT, CHARS, workers=4)
    with pytest.raises(BadValue, match="expected 4, the number"):
        train(corpus(5), FIT, CHARS, workers=2)


@pytest.mark.parametrize("at", ["in a step", pytest.param("in a measurement", marks=pytest.mark.thorough)])
def test_a_worker_that_is_killed(at: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts, held_out, file = corpus(150), corpus(20, 1), tmp_path / "c"
    started: list[subprocess.Popen[bytes]] = []
    start = local._start

    def noted(*a: object) -> subprocess.Popen[bytes]:
        started.append(start(*a))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(local, "_start", noted)

    def kill(p: FitProgress) -> None:
        if p.step == 20 and at == "in a step":
            os.kill(started[-1].pid, signal.SIGKILL)

    measure = FitState.measure

    def kills(self: FitState, *a: object) -> float:
        if self.step > 20 and at == "in a measurement" and len(started) == 1:
            os.kill(started[-1].pid, signal.SIGKILL)
            started[-1].wait()
        return measure(self, *a)  # type: ignore[arg-type]

    monkeypatch.setattr(FitState, "measure", kills)
    with pytest.raises(
        BadValue, match=r"got worker 2 of 2 \(process \d+\), which SIGKILL ended, after step 2\d"
    ):
        train(texts, FIT, CHARS, validation=held_out, checkpoint=file, progress=kill, workers=2)
    assert [p.poll() for p in started] == [-signal.SIGKILL]
    parts = train(texts, FIT, CHARS, validation=held_out, checkpoint=file, resume=True, workers=2)
    assert [p.poll() for p in started] == [-signal.SIGKILL, 0]
    whole = train(texts, FIT, CHARS, validation=held_out, workers=2)
    assert weights(parts) == weights(whole)
