"""The state of a fit of a transformer between two steps: documents, network, optimiser, losses, and progress."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pofx.arithmetic import list_differences
from pofx.errors import require

require("torch", "torch", "fitting a transformer")

import numpy as np
import torch
from numpy.typing import NDArray

from pofx.models.specs import TransformerSpec
from pofx.models.threads import engine_for
from pofx.models.transformer import checkpoint as checkpoints
from pofx.models.transformer.fit_documents import FitDocuments
from pofx.models.transformer.model import build
from pofx.models.transformer.muon import Optimiser
from pofx.models.transformer.objective import batch_nats, fast_dtype, loss_and_gradients
from pofx.models.transformer.windows import Pieces
from pofx.models.transformer.workers.group import ALONE, Group, share
from pofx.vocab.vocabulary import Vocab

SECONDS = 60.0  # the time of a fit for which neither seconds nor epochs are given
STEP_TOKENS = 768  # tokens of a step; at equal CPU time 512 and 1,024 were no better
WARM_UP = 10  # steps
COOL_DOWN = 0.8  # the share of the fit in which the rates fall linearly to 0; 0.6 was 0.004 nats worse
VALIDATE_AT = (0.25, 0.5, 0.75, 0.9, 1.0)  # shares of the fit
VALIDATION_TOKENS = 65_536
# The numbers of a fit that a checkpoint keeps by name.
NUMBERS = ("step", "epoch", "position", "read", "validations", "recent", "validation", "best")


@dataclass(frozen=True)
class FitProgress:
    """The progress of a fit, which for a resumed fit includes the earlier runs.

    The validation loss is exact, in float32, over the first held-out documents, as many as have 3 % of the tokens of the fit
    (at most 65,536 tokens). It is scaled to all held-out documents.

    Attributes:
        step: How many steps are done.
        fraction: The share of the fit that is done, 0 to 1.
        elapsed: The time of the fit so far, seconds.
        eta: An estimate of the time that is left, seconds.
        tokens_per_second: How many tokens the fit reads a second.
        train_nats: The training loss of the last 20 steps, nats a document, EOS counted.
        train_bits_per_byte: The training loss in bits a byte.
        validation_nats: The latest validation loss, nats a document; None before the first.
        validation_bits_per_byte: The latest validation loss in bits a byte; None before the first.
        best_bits_per_byte: The lowest validation loss, whose weights are kept, bits a byte.
        passes: How often the documents were read; 0.25 for a quarter of their tokens.
    """

    step: int
    fraction: float
    elapsed: float
    eta: float
    tokens_per_second: float
    train_nats: float
    train_bits_per_byte: float
    validation_nats: float | None = None
    validation_bits_per_byte: float | None = None
    best_bits_per_byte: float | None = None
    passes: float = 0.0


class FitState:
    """The state of one fit: all that changes from step to step, which is the same in every process of a group.

    A step that loses a worker raises `LostWorker` before weights, optimiser or counters have changed.

    Args:
        corpus: The documents of the fit.
        held_out: The held-out documents.
        spec: The spec of the transformer.
        vocab: The vocabulary of the ids.
        group: The processes of the fit.
    """

    def __init__(
        self,
        corpus: FitDocuments,
        held_out: FitDocuments,
        spec: TransformerSpec,
        vocab: Vocab,
        group: Group = ALONE,
    ) -> None:
        self.corpus, self.held_out, self.spec, self.vocab = corpus, held_out, spec, vocab
        self.group = group
        self.net = build(spec, vocab)
        self.dtype = fast_dtype()
        self.optimiser = Optimiser(self.net, dtype=self.dtype, workers=group)
        self.step = self.epoch = self.position = self.read = self.validations = 0
        self.before = 0.0  # seconds of earlier runs
        self.began = time.perf_counter()
        self.elapsed = (
            0.0  # the time of the fit in all runs, seconds, by the clock of process 0 in the latest step
        )
        self.recent: list[tuple[float, int]] = []
        self.validation: float | None = None  # the latest validation loss, nats a target
        self.best: float | None = None
        self.best_weights: dict[str, torch.Tensor] = {}
        self.order: list[NDArray[np.int64]] = self._shuffled()
        # The arithmetic of each run. Processes add their gradients, so their number decides the last digits, too.
        self.arithmetic = [engine_for(spec.width).arithmetic().parts | {"workers": str(group.size)}]

    @property
    def fraction(self) -> float:
        """The share of the fit that is done, by the clock or by the tokens read."""
        if self.spec.epochs is None:
            return self.elapsed / (self.spec.seconds or SECONDS)
        return self.read / (self.spec.epochs * self.corpus.tokens)

    @property
    def passes(self) -> float:
        """How often the documents were read."""
        return self.read / self.corpus.tokens

    @property
    def train_nats(self) -> float:
        """The training loss of the last 20 steps, nats a target."""
        return sum(loss for loss, _ in self.recent) / max(1, sum(n for _, n in self.recent))

    @property
    def train_bits_per_byte(self) -> float:
        """The training loss of the last 20 steps, bits a byte."""
        return self.corpus.per_byte(self.train_nats)

    def _shuffled(self) -> list[NDArray[np.int64]]:
        draw = np.random.default_rng([self.spec.seed, self.epoch])
        pieces = self.corpus.pieces
        return pieces.groups(draw.permutation(len(pieces)), self._step_tokens())

    def _step_tokens(self) -> int:
        # A small corpus gets smaller steps, so that there are about 100: Muon needs many steps.
        total = self.corpus.tokens * (self.spec.epochs or 100.0)
        return int(min(STEP_TOKENS, max(64, total // 100)))

    def advance(self) -> None:
        """Take one step of the optimiser."""
        pieces, which = self.corpus.pieces, self.order[self.position]
        targets = pieces.targets_of(which)
        loss = self._gradients(which, targets)
        warm = (self.step + 1) / WARM_UP
        self.optimiser.step(min(1.0, warm, max(0.0, 1 - self.fraction) / COOL_DOWN))
        self.recent = [*self.recent[-19:], (loss, targets)]
        self.step += 1
        self.read += int(pieces.lengths[which].sum())
        self.position += 1
        if self.position == len(self.order):
            self.epoch, self.position = self.epoch + 1, 0
            self.order = self._shuffled()

    def _gradients(self, which: NDArray[np.int64], targets: int) -> float:
        """Compute the loss of a step, nats, and leave its gradients; each process reads its share of the pieces."""
        pieces, group = self.corpus.pieces, self.group
        if group.size == 1:
            batch = pieces.pack(which)
            loss = loss_and_gradients(self.net, self.vocab.size, batch, dtype=self.dtype)
            self.elapsed = self._clock()
            return loss
        loss, mine = 0.0, which[share(pieces.lengths[which].tolist(), group.rank, group.size)]
        params = list(self.net.parameters())
        if len(mine):
            batch = pieces.pack(mine)
            loss = loss_and_gradients(self.net, self.vocab.size, batch, dtype=self.dtype, targets=targets)
        grads = [torch.zeros_like(p) if p.grad is None or not len(mine) else p.grad for p in params]
        whole = torch.split(group.add(torch.cat([g.reshape(-1) for g in grads])), [p.numel() for p in params])
        numbers = group.add(
            torch.tensor([loss, self._clock() if group.rank == 0 else 0.0], dtype=torch.float64)
        )
        for p, g in zip(params, whole):
            p.grad = g.view_as(p)
        self.elapsed = float(numbers[1])
        return float(numbers[0])

    def look_up(self, stopped: bool) -> bool:
        """Look at the clock between two steps; return whether any process was told to stop."""
        now = [float(stopped), self._clock() if self.group.rank == 0 else 0.0]
        told, self.elapsed = self.group.add(torch.tensor(now, dtype=torch.float64)).tolist()
        return bool(told)

    def _clock(self) -> float:
        return self.before + time.perf_counter() - self.began

    @property
    def validation_is_due(self) -> bool:
        """Whether the loss on the held-out documents is to be measured after the latest step."""
        return sum(at <= self.fraction for at in VALIDATE_AT) > self.validations

    def validate(self) -> None:
        """Measure the loss on the held-out documents, and keep the weights if the loss is the lowest so far."""
        value = None
        if len(self.held_out.pieces):
            value = self.measure(self.held_out.pieces, self._validation_tokens())
        self.validations = sum(at <= self.fraction for at in VALIDATE_AT)
        if value is None:
            return
        self.validation = value
        if self.best is None or value < self.best:
            self.best = value
            self.best_weights = {k: p.detach().clone() for k, p in self.net.named_parameters()}

    def _validation_tokens(self) -> int:
        # Reading is three times as fast as learning, so each of the five measurements takes 1 % of the fit.
        total = self.read / max(self.fraction, 1e-9)
        if (
            self.spec.epochs is not None
        ):  # the best weights depend on this number, so it is the same in every run
            total = self.spec.epochs * self.corpus.tokens
        return int(min(VALIDATION_TOKENS, max(2048, 0.03 * total)))

    @torch.no_grad()
    def measure(self, pieces: Pieces, tokens: int) -> float:
        """Compute the exact loss, nats a target, over the first pieces with `tokens` inputs, in float32."""
        within = np.flatnonzero(np.cumsum(pieces.lengths) - pieces.lengths < tokens)
        batches = pieces.groups(within, 4096)
        nats = torch.zeros(len(batches), dtype=torch.float64)
        for i in range(self.group.rank, len(batches), self.group.size):
            nats[i] = batch_nats(self.net, self.vocab.size, pieces.pack(batches[i]))
        # One process wrote each place, and the sum runs in the order of the batches, so no bit depends on the processes.
        return float(sum(self.group.add(nats).tolist())) / pieces.targets_of(within)

    def report(self) -> FitProgress:
        """Return the progress of the fit."""
        elapsed, fraction = self.elapsed, min(1.0, self.fraction)
        held, best = self.validation, self.best
        return FitProgress(
            self.step,
            fraction,
            elapsed,
            elapsed / max(fraction, 1e-9) * (1 - fraction),
            self.read / max(elapsed, 1e-9),
            self.corpus.per_document(self.train_nats),
            self.train_bits_per_byte,
            None if held is None else self.held_out.per_document(held),
            None if held is None else self.held_out.per_byte(held),
            None if best is None else self.held_out.per_byte(best),
            self.passes,
        )

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights and the state of the optimiser by name, which are the same in every process."""
        tensors: dict[str, torch.Tensor] = {f"net.{k}": p for k, p in self.net.named_parameters()}
        return tensors | {f"optimiser.{k}": t for k, t in self.optimiser.tensors().items()}

    def numbers(self) -> dict[str, Any]:
        """Return the numbers from which a fit goes on, by name."""
        return {k: getattr(self, k) for k in NUMBERS} | {"elapsed": self.elapsed}

    def set_numbers(self, numbers: Mapping[str, Any]) -> None:
        """Replace the numbers; the clock goes on from here."""
        for k in NUMBERS:
            setattr(self, k, numbers[k])
        self.before = self.elapsed = float(numbers["elapsed"])
        self.order = self._shuffled()
        self.began = time.perf_counter()

    def save(self, path: Path, same: dict[str, Any]) -> None:
        """Write the state to a checkpoint."""
        tensors = self.tensors() | {f"best.{k}": t for k, t in self.best_weights.items()}
        checkpoints.write(path, tensors, self.numbers() | {"same": same, "arithmetic": self.arithmetic})

    @torch.no_grad()
    def restore(self, path: Path, same: dict[str, Any]) -> None:
        """Replace the state by that of a checkpoint."""
        was = checkpoints.read(path, same)
        try:
            for k, t in self.tensors().items():
                t.copy_(was.tensors[k])
            self.set_numbers(was.facts)
            every = [
                {"workers": "1", **a} for a in was.facts["arithmetic"]
            ]  # the first checkpoints had one worker
            others = [a for a in every if a != self.arithmetic[0]]
        except (KeyError, RuntimeError, TypeError, ValueError) as e:
            raise checkpoints.damaged_checkpoint(path, e) from None
        if others:
            differing = "; ".join(list_differences(others, self.arithmetic[0]))
            warnings.warn(
                f"{path}: this fit goes on under other arithmetic ({differing}), so its weights will differ from those "
                "of a fit in one run; for a fit under one arithmetic, start a new fit",
                RuntimeWarning,
                stacklevel=1,
            )
        self.arithmetic = [*others, *self.arithmetic]
        self.best_weights = was.part("best.")
