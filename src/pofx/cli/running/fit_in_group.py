"""`pofx fit` in a group of processes that `torchrun` started."""

from __future__ import annotations

from typing import Any

import click

from pofx.cli.options.written import Verb
from pofx.models.torchrun import Torchrun


class FitVerb(Verb):
    """The verb `fit`. Under `torchrun` process 0 alone reads, writes and reports; the others take part in its fit."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb, or take part in the fit of process 0."""
        place = Torchrun.of() if ctx.params["family"] == "transformer" else None
        if place is None:
            return super().invoke(ctx)
        place.check(ctx.params["workers"])
        if place.rank == 0:
            return super().invoke(ctx)
        from pofx.models.transformer.workers.helper import help_torchrun

        return help_torchrun(place)
