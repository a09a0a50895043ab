"""The same distribution, computed so that no text's numbers depend on its neighbours, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from pofx.lm.model import LM, Parts, Portable, Termination
from pofx.lm.paths import skip_per_path
from pofx.lm.reading_progress import offset_reading
from pofx.lm.trace import Path, Trace, Want
from pofx.transforms.wrapper import LMWrapper


def deterministic(lm: LM) -> LM:
    """p itself, each path scored in a pass of its own: log p of a text is bit-equal in any batch and any order.

    A batch lets a family share prefixes and fill the machine's registers; how it sums then depends on what else is
    in it, by some 1e-6 nats a token in float32. Alone there is nothing to depend on. It costs what batches save.

    Right: `score(deterministic(lm), texts)`. Wrong: expecting equal bits from another machine, another number of
    threads or another version of torch.
    """
    return lm if isinstance(lm, Deterministic) else Deterministic(lm)


class Deterministic(LMWrapper):
    """One path a pass; made by `deterministic`."""

    def over(self, lm: LM) -> LM:
        """One path a pass of this model."""
        return deterministic(lm)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """The model's pass over each path alone."""
        skips = skip_per_path(skip, [np.asarray(p) for p in paths])
        if not skips:
            return self.lm.forward(paths, want, skip)
        traces, done, of = [], 0, sum(len(p) - s for p, s in zip(paths, skips))
        for path, s in zip(paths, skips):
            with offset_reading(done, of):
                traces.append(self.lm.forward([path], want, [s]))
            done += len(path) - s
        return _joined(traces)

    def parts(self) -> Parts | None:
        """The parts of the model, just as deterministic."""
        found = self.lm.parts()
        return None if found is None else replace(found, lms=tuple(deterministic(lm) for lm in found.lms))

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """As the model itself."""
        return self.lm.termination(lengths)

    def portable(self) -> Portable | None:
        """As the model itself."""
        return self.lm.portable()


def _joined(traces: Sequence[Trace]) -> Trace:
    """One trace of all paths; whatever a trace may report, it reports a path."""
    joined: dict[str, Any] = {}
    for f in fields(Trace):
        parts = [getattr(t, f.name) for t in traces]
        joined[f.name] = None if parts[0] is None else tuple(a for part in parts for a in part)
    return Trace(**joined)
