"""The models of the demo: each is fitted, and its time and loss are recorded."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from pofx.cli.spelling import in_shell

if TYPE_CHECKING:
    from rich.console import Console

    from pofx.lm.model import LM
    from pofx.models.specs import TransformerSpec
    from pofx.models.transformer.learning_curve import LearningCurve
    from pofx.queries.findings import Audit, Series

ORDER = 6


@dataclass(frozen=True)
class Fitted:
    """A model of the story, with the time of its fit and its losses.

    Attributes:
        name: What the story calls the model.
        lm: The model.
        seconds: How long the fit took.
        nats_per_document: L(θ) = −(1/N) Σ log p(xⁿ) of the test documents, nats; NaN where there is no p(x1).
        bits_per_byte: The loss of the test documents.
        curve: How a transformer learned; None for a model of another family.
        audit: The audit of the model; None for the interpolation, which is not audited.
    """

    name: str
    lm: LM
    seconds: float
    nats_per_document: float
    bits_per_byte: float
    curve: LearningCurve | None = None
    audit: Audit | None = None


def fit_all(
    console: Console, train: list[str], tuning: list[str], test: list[str], epochs: float, seed: int
) -> list[Fitted]:
    """Fit, measure and audit two n-grams and, where torch is, two transformers: with and without x0."""
    from pofx.errors import MissingExtra, require
    from pofx.models.fitting import fit
    from pofx.models.specs import NgramSpec, TransformerSpec
    from pofx.queries.audit.audit import audit

    out: list[Fitted] = []
    for begin in (True, False):
        name = f"{ORDER}-gram" if begin else f"{ORDER}-gram without x0"
        t = time.perf_counter()
        lm = fit(train, NgramSpec(order=ORDER, begin=begin))
        seconds = time.perf_counter() - t
        out.append(Fitted(name, lm, seconds, *_loss(lm, test), audit=audit(lm, test, seed)))
    try:
        require("torch", "torch", "a transformer")
    except MissingExtra as e:
        console.print(f"(no transformer: {in_shell(e)})")
        return out
    specs = [TransformerSpec(begin=begin, epochs=epochs, seed=seed) for begin in (True, False)]
    with console.status("fitting the transformers, with and without x0, and auditing them …"):
        names = ["transformer" if spec.begin else "transformer without x0" for spec in specs]
        return out + _fit_side_by_side(names, specs, train, tuning, test)


def _fit_side_by_side(
    names: list[str], specs: list[TransformerSpec], train: list[str], tuning: list[str], test: list[str]
) -> list[Fitted]:
    """Fit, measure and audit each network in a process of its own, as many at a time as there are cores.

    A network as narrow as these computes with one thread, so two processes use two cores where two threads use one:
    two audits take 15 s side by side and 22 s one after the other.
    """
    from pofx.models.loading import load

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(k) for k in range(len(specs))]
        # A pool ends its processes when its block is left, also by Ctrl-C, of which only this process is told.
        with get_context("spawn").Pool(min(cores, len(specs)), _leave_ctrl_c_to_the_parent) as pool:
            made = pool.starmap(
                _fit_and_save, [(s, train, tuning, test, p) for s, p in zip(specs, places)], chunksize=1
            )
        return [
            Fitted(name, load(place), seconds, *loss, curve, found)
            for name, place, (seconds, loss, curve, found) in zip(names, places, made)
        ]


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _fit_and_save(
    spec: TransformerSpec, train: list[str], tuning: list[str], test: list[str], place: Path
) -> tuple[float, tuple[float, float], LearningCurve | None, Audit]:
    """Fit a network and save it at `place`; return the seconds of the fit, the loss, the learning curve and the audit."""
    from pofx.models.fitting import fit
    from pofx.models.saving import save
    from pofx.models.transformer.model import TransformerLM
    from pofx.queries.audit.audit import audit

    started = time.perf_counter()
    lm = fit(train, spec, validation=tuning)
    seconds = time.perf_counter() - started
    save(lm, place)
    curve = lm.learning_curve if isinstance(lm, TransformerLM) else None
    return seconds, _loss(lm, test), curve, audit(lm, test, spec.seed)


def _loss(lm: LM, texts: list[str]) -> tuple[float, float]:
    """Return L(θ) in nats a text, NaN where there is no p(x1), and the bits per byte of all factors that exist."""
    from pofx.lm.model import encode_whole_texts
    from pofx.units import bits_per_byte

    paths, skips = encode_whole_texts(lm, texts)
    total = -math.fsum(float(a.sum()) for a in lm.forward(paths, skip=skips).logp)
    n_bytes = sum(len(t.encode("utf-8")) for t in texts) - sum(skips)
    nats = total / len(texts) if lm.begin.known != "none" else math.nan
    return nats, bits_per_byte(total, n_bytes)


def interpolated(models: list[Fitted], tuning: list[str], test: list[str]) -> Fitted | None:
    """Return the models with x0 together, weighted on `tuning`; None where there is only one."""
    from pofx.transforms.interpolate import interpolate

    parts = [m for m in models if m.lm.begin.known != "none"]
    if len(parts) < 2:
        return None
    started = time.perf_counter()
    lm = interpolate([m.lm for m in parts], held_out=tuning)
    return Fitted("both, interpolated", lm, time.perf_counter() - started, *_loss(lm, test))


def comparison(models: list[Fitted], mixed: Fitted | None) -> str:
    """Say which family has the lower loss with x0, and how much the interpolation of both gains; "" for one family."""
    if mixed is None:
        return ""
    first, second = sorted((m for m in models if m.lm.begin.known != "none"), key=lambda m: m.bits_per_byte)
    gain = 100 * (1 - mixed.bits_per_byte / first.bits_per_byte)
    short = (
        " So short a fit of a network does not beat counting."
        if second.name == "transformer"
        else " The network learned more than counting does."
    )
    together = (
        f"Both interpolated need {mixed.bits_per_byte:.3f}, {gain:.1f} % less than the {first.name} alone: each family "
        "knows something that the other does not."
        if gain >= 0.05
        else f"Both interpolated need {mixed.bits_per_byte:.3f}, which is no gain: the {second.name} adds nothing yet."
    )
    return (
        f"The {first.name} needs {first.bits_per_byte:.3f} bits per byte, and the {second.name} "
        f"{second.bits_per_byte:.3f}.{short} {together}"
    )


def curves(models: list[Fitted]) -> list[Series]:
    """Return how the loss of each transformer fell while it was fitted."""
    from pofx.queries.findings import Series

    return [
        Series(
            f"The {m.name} learns: validation loss, by passes over the text",
            "bits per byte",
            "line",
            tuple(
                (f"{x:.3f}", float(y))
                for x, y in zip(m.curve.validation_passes, m.curve.validation_bits_per_byte)
            ),
        )
        for m in models
        if m.curve is not None
    ]


LOSS_HEADINGS = ["model", "fit, s", "L(θ), nats a document", "bits per byte"]


def loss_rows(models: list[Fitted], mixed: Fitted | None) -> list[list[str]]:
    """Return a row a model, under `LOSS_HEADINGS`."""
    return [
        [
            m.name,
            f"{m.seconds:.1f}",
            "no p(x1)" if math.isnan(m.nats_per_document) else f"{m.nats_per_document:.1f}",
            f"{m.bits_per_byte:.3f}",
        ]
        for m in [*models, *([mixed] if mixed else [])]
    ]
