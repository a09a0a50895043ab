"""The same distribution, with numbers of a text that do not depend on the other texts of a batch, to the last bit."""

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
    """Read each path in a pass of its own, so that log p is equal to the bit in any batch and any order.

    In a batch a model shares prefixes and fills the machine's registers. The order of its sums then depends on the other
    texts of the batch, and log p differs by some 1e-6 nats a token in float32. Passes of one path cost the time that batches
    save. The distribution is that of `lm`.

    Args:
        lm: The model; a deterministic model is returned as it is.

    Returns:
        The model whose passes have one path each.

    Right: `score(deterministic(lm), texts)`. Wrong: expecting equal bits from another machine, another number of threads or
    another version of torch.
    """
    return lm if isinstance(lm, Deterministic) else Deterministic(lm)


class Deterministic(LMWrapper):
    """A model that reads one path a pass; made by `deterministic`."""

    def over(self, lm: LM) -> LM:
        """Return another model with one path a pass."""
        return deterministic(lm)

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return one trace of the passes of the model over each path alone."""
        skips = skip_per_path(skip, [np.asarray(p) for p in paths])
        if not skips:
            return self.lm.forward(paths, want, skip)
        traces, done, of = [], 0, sum(len(p) - s for p, s in zip(paths, skips))
        for path, s in zip(paths, skips):
            with offset_reading(done, of):
                traces.append(self.lm.forward([path], want, [s]))
            done += len(path) - s
        return _concatenate(traces)

    def parts(self) -> Parts | None:
        """Return the parts of the model, each of them deterministic."""
        parts = self.lm.parts()
        return None if parts is None else replace(parts, lms=tuple(deterministic(lm) for lm in parts.lms))

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """Return the distribution of the length under the model."""
        return self.lm.termination(lengths)

    def portable(self) -> Portable | None:
        """Return the portable next-token distribution of the model."""
        return self.lm.portable()


def _concatenate(traces: Sequence[Trace]) -> Trace:
    """Return one trace of all paths, since every field of a trace has one entry a path."""
    values: dict[str, Any] = {}
    for f in fields(Trace):
        parts = [getattr(t, f.name) for t in traces]
        values[f.name] = None if parts[0] is None else tuple(a for part in parts for a in part)
    return Trace(**values)
