"""Fitting a transformer: L(θ) = −(1/N) Σ_n log p_θ(xⁿ) over whole documents, minimised step by step."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pofx.errors import Advice, BadValue, Interrupted, require

require("torch", "torch", "fitting a transformer")

import torch
from numpy.typing import NDArray

from pofx.models.specs import TransformerSpec
from pofx.models.threads import threads_for
from pofx.models.transformer import checkpoint as checkpoints
from pofx.models.transformer.files import silence_begin
from pofx.models.transformer.fit_documents import FitDocuments
from pofx.models.transformer.fit_state import FitProgress, FitState
from pofx.models.transformer.learning_curve import CurveRecorder, LearningCurve
from pofx.models.transformer.model import TransformerLM
from pofx.models.transformer.windows import default_overlap
from pofx.models.transformer.workers.group import Group, LostWorker
from pofx.models.transformer.workers.launch import open_crew
from pofx.models.transformer.workers.task import Task, check_same_state, copy_state, receive_task, send_task
from pofx.vocab.vocabulary import Vocab

CHECKPOINT_EVERY = 30.0  # seconds
# SIGTERM is what batch systems, service managers and `kill` send before they kill.
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def train(
    documents: Sequence[NDArray[Any]],
    spec: TransformerSpec,
    vocab: Vocab,
    *,
    validation: Sequence[NDArray[Any]] = (),
    progress: Callable[[FitProgress], None] | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    workers: int = 1,
    ray: str | None = None,
) -> TransformerLM:
    """Fit a transformer: minimise L(θ) = −(1/N) Σ_n log p_θ(xⁿ) by Muon and Adam.

    Every target of every document counts once an epoch; a step divides the sum of nats once by the number of targets. With
    `epochs` two fits end in the same bits on one thread, even if one of them is interrupted and resumed.

    Args:
        documents: The ids of each text, without x0 and EOS, which the spec adds.
        spec: The spec of the transformer.
        vocab: The vocabulary of the ids.
        validation: The ids of held-out texts, by whose loss the best weights are chosen.
        progress: A function that is called with a `FitProgress` at every step.
        checkpoint: A file that is written every 30 s, at the end, and at an interrupt.
        resume: Whether to continue from `checkpoint`. A `RuntimeWarning` says if it was written under other arithmetic.
        workers: How many processes share each step, this process included.
        ray: The address of a Ray whose actors are the other workers; None for processes of this machine.

    Returns:
        The model, with the weights of the lowest loss on the held-out texts, or the last weights where none is held out.

    Raises:
        BadValue: The checkpoint is of another fit, there is nothing to predict, or a process of the fit ended.
        BadSource: The checkpoint is missing or damaged.
        Interrupted: Ctrl-C or SIGTERM came; the fit stopped after a whole step.
    """
    corpus, held_out = FitDocuments(documents, spec, vocab), FitDocuments(validation, spec, vocab)
    if not len(corpus.pieces):
        raise BadValue(
            "expected texts with at least one token to predict, got none",
            "pass texts that are not empty",
            argument="documents",
        )
    same = checkpoints.fit_identity(spec, vocab, documents)
    if resume and checkpoint is None:
        raise BadValue(
            "expected the checkpoint to go on from, got none",
            Advice("name it", "checkpoint=path"),
            argument="resume",
        )
    fit = None
    with open_crew(workers, ray) as crew:
        try:
            send_task(Task(documents, validation, spec, vocab), crew.group)
            fit = FitState(corpus, held_out, spec, vocab, crew.group)
            if resume and checkpoint is not None:
                fit.restore(checkpoint, same)
            curve = _take_steps(fit, progress, checkpoint, same)
        except LostWorker as e:
            raise _lost(crew.describe_loss(str(e)), fit, checkpoint) from None
    if fit.best_weights:
        fit.net.load_state_dict(fit.best_weights)
    fit.net.requires_grad_(False)
    if spec.begin and not spec.tie:
        silence_begin(fit.net, corpus.pieces)
    overlap = default_overlap(spec.context)
    return TransformerLM(fit.net, vocab, begin=spec.begin, overlap=overlap, learning_curve=curve)


def help_train(group: Group) -> None:
    """Take part in the fit of process 0, with nothing to read or write.

    Args:
        group: The group, in which this process is not number 0.

    Raises:
        LostWorker: Another process ended before the fit did.
        Interrupted: Ctrl-C or SIGTERM came to one of the processes.
    """
    task = receive_task(group)
    if task is None:
        return
    corpus, held_out = (FitDocuments(t, task.spec, task.vocab) for t in (task.documents, task.validation))
    _take_steps(FitState(corpus, held_out, task.spec, task.vocab, group), None, None, {})


def _take_steps(
    fit: FitState,
    progress: Callable[[FitProgress], None] | None,
    checkpoint: Path | None,
    same: dict[str, Any],
) -> LearningCurve:
    """Take the steps that are left, and write the last checkpoint."""
    copy_state(fit)
    with threads_for(fit.spec.width), flush_denormals(), catch_interrupts() as stopped:
        try:
            curve, early = _run(fit, progress, checkpoint, same, stopped)
            _save(fit, checkpoint, same)
        except LostWorker:
            # Of the latest whole step. SIGTERM waits: torchrun sends it when it finds another process dead.
            if checkpoint is not None and fit.step:
                fit.save(checkpoint, same)
            raise
    if early:
        raise Interrupted(fit.step, fit.fraction, checkpoint)
    return curve


def _run(
    fit: FitState,
    progress: Callable[[FitProgress], None] | None,
    checkpoint: Path | None,
    same: dict[str, Any],
    stopped: threading.Event,
) -> tuple[LearningCurve, bool]:
    """Take steps until the fit is done or any process is told to stop; return the curve, and whether it was told so."""
    saved = time.perf_counter()
    curve = CurveRecorder()
    if fit.validation_is_due:  # a process was lost while the loss was measured
        _validate(fit, curve)
    while not (early := fit.look_up(stopped.is_set())) and fit.fraction < 1:
        fit.advance()
        curve.stepped(fit.step, fit.passes, fit.elapsed, fit.train_bits_per_byte)
        if fit.validation_is_due:
            _validate(fit, curve)
        due = checkpoint is not None and time.perf_counter() - saved > CHECKPOINT_EVERY
        if fit.group.any(due):
            _save(fit, checkpoint, same)
            saved = time.perf_counter()
        if progress is not None:
            try:
                progress(fit.report())
            except KeyboardInterrupt:  # between two steps: the state is whole
                stopped.set()
    if not early and fit.validation_is_due:  # the clock ran out between two steps
        _validate(fit, curve)
    return curve.finish(), early


def _validate(fit: FitState, curve: CurveRecorder) -> None:
    fit.validate()
    if fit.validation is not None:
        curve.validated(fit.passes, fit.held_out.per_byte(fit.validation))


def _save(fit: FitState, checkpoint: Path | None, same: dict[str, Any]) -> None:
    """Check that all processes have the same state, and write it where this process has a checkpoint."""
    check_same_state(fit)
    if checkpoint is not None:
        fit.save(checkpoint, same)


def _lost(how: str, fit: FitState | None, checkpoint: Path | None) -> BadValue:
    """Return the error of a fit that lost a process."""
    steps = 0 if fit is None else fit.step
    kept = checkpoint is not None and steps > 0
    return BadValue(
        f"expected processes that live until the fit ends, got {how}, after step {steps}",
        Advice("continue the fit", f"resume=True, checkpoint={str(checkpoint)!r}", "--resume")
        if kept
        else "start the fit again",
        argument="workers",
    )


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Let numbers below 1e-38 count as zero inside this context, since such moments of rare rows slow Adam down."""
    was = float(torch.tensor([1e-39]) * 1.0) == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was)


@contextmanager
def catch_interrupts() -> Iterator[threading.Event]:
    """Catch Ctrl-C and SIGTERM inside this context, so that the current step can finish.

    The first signal sets the event that the context returns. A second signal ends the process as usual. A signal that the
    process ignored before stays ignored.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number in SIGNALS if before[number] not in (signal.SIG_IGN, None)]

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        for each in heeded:
            signal.signal(each, before[each])

    for number in heeded:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number in heeded:
            signal.signal(number, before[number])
