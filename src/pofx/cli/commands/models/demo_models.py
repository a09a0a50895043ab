"""The models of the demo: each is fitted, and its time and loss are recorded."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pofx.cli.spelling import in_shell

if TYPE_CHECKING:
    from rich.console import Console

    from pofx.lm.model import LM
    from pofx.queries.findings import Series

ORDER = 6


@dataclass(frozen=True)
class Fitted:
    """A model of the story, and what it cost and reaches."""

    name: str
    lm: LM
    seconds: float
    nats_per_document: float
    bits_per_byte: float


def fit_all(
    console: Console, train: list[str], tuning: list[str], test: list[str], epochs: float, seed: int
) -> list[Fitted]:
    """Two n-grams and, where torch is, two transformers: with and without x0."""
    from pofx.errors import MissingExtra, not_resumable
    from pofx.models.fitting import fit
    from pofx.models.specs import NgramSpec, TransformerSpec

    out: list[Fitted] = []
    for begin in (True, False):
        name = f"{ORDER}-gram" if begin else f"{ORDER}-gram without x0"
        t = time.perf_counter()
        out.append(_measured(name, fit(train, NgramSpec(order=ORDER, begin=begin)), t, test))
    for begin in (True, False):
        name = "transformer" if begin else "transformer without x0"
        t = time.perf_counter()
        try:
            with console.status(f"fitting the {name} …"):
                spec = TransformerSpec(begin=begin, epochs=epochs, seed=seed)
                with not_resumable("run it again, with fewer --epochs if it took too long"):
                    lm = fit(train, spec, validation=tuning)
        except MissingExtra as e:
            console.print(f"(no transformer: {in_shell(e)})")
            break
        out.append(_measured(name, lm, t, test))
    return out


def _measured(name: str, lm: LM, started: float, held_out: list[str]) -> Fitted:
    from pofx.units import bits_per_byte

    took = time.perf_counter() - started
    total, n_bytes = _loss(lm, held_out)
    nats = total / len(held_out) if lm.begin.known != "none" else math.nan
    return Fitted(name, lm, took, nats, bits_per_byte(total, n_bytes))


def _loss(lm: LM, texts: list[str]) -> tuple[float, int]:
    """−log p in all, and the bytes it covers: without x0, all but the first of each text."""
    from pofx.lm.model import encode_whole_texts

    paths, skips = encode_whole_texts(lm, texts)
    total = -math.fsum(float(a.sum()) for a in lm.forward(paths, skip=skips).logp)
    return total, sum(len(t.encode("utf-8")) for t in texts) - sum(skips)


def interpolated(models: list[Fitted], tuning: list[str], test: list[str]) -> Fitted | None:
    """Return the models with x0 together, weighted on `tuning`; None where there is only one."""
    from pofx.transforms.interpolate import interpolate

    parts = [m for m in models if m.lm.begin.known != "none"]
    if len(parts) < 2:
        return None
    t = time.perf_counter()
    return _measured("both, interpolated", interpolate([m.lm for m in parts], held_out=tuning), t, test)


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
    from pofx.models.transformer.model import TransformerLM
    from pofx.queries.findings import Series

    return [
        Series(
            f"The {m.name} learns: validation loss, by passes over the text",
            "bits per byte",
            "line",
            tuple(
                (f"{x:.3f}", float(y))
                for x, y in zip(curve.validation_passes, curve.validation_bits_per_byte)
            ),
        )
        for m in models
        if isinstance(m.lm, TransformerLM) and (curve := m.lm.learning_curve) is not None
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
