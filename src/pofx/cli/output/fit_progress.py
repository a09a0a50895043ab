"""What a fit tells while it runs."""

from __future__ import annotations

import math
import sys
from typing import Any

import click


class Told:
    """Tells how a fit goes on stderr: one live line on a terminal, else a line every ten seconds. last: where it stands."""

    def __init__(self) -> None:
        self.last: Any = None
        self._live = sys.stderr.isatty()
        self._told = -math.inf

    def __call__(self, p: Any) -> None:
        """To be called at every step."""
        self.last = p
        if not self._live and p.elapsed - self._told < 10 and p.fraction < 1:
            return
        self._told = p.elapsed
        line = (
            f"{100 * min(1.0, p.fraction):3.0f} %  {p.elapsed:5.0f} s, {max(0.0, p.eta):4.0f} s to go  "
            f"{p.tokens_per_second:7,.0f} tokens/s  train {p.train_nats:.1f} nats/document, "
            f"{p.train_bits_per_byte:.3f} bits/byte"
        )
        if p.validation_bits_per_byte is not None:
            line += f"  held out {p.validation_bits_per_byte:.3f} (best {p.best_bits_per_byte:.3f}, which is kept)"
        end = p.fraction >= 1
        click.echo(f"\r\x1b[2K{line}" if self._live else line, err=True, nl=not self._live or end)
