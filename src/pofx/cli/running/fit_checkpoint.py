"""The checkpoint of a fit, which lies beside its model until the model is saved."""

from __future__ import annotations

from pathlib import Path

import click

from pofx.models.torchrun import Torchrun


def checkpoint_of(out: Path) -> Path:
    """Return the file of the checkpoint beside the model, also for a name that ends in a slash."""
    return out.with_name(f"{out.name}.checkpoint")


def continues(checkpoint: Path, resume: bool) -> bool:
    """Return whether a fit goes on from its checkpoint: by --resume, or because `torchrun` started the processes again.

    Args:
        checkpoint: The file of the checkpoint, which may be missing.
        resume: Whether --resume was typed.
    """
    place = Torchrun.of()
    if resume or place is None or not place.restarts or not checkpoint.is_file():
        return resume
    click.echo(
        f"pofx: this fit continues from {checkpoint}, since torchrun started its processes again", err=True
    )
    return True


def prepare(checkpoint: Path, resume: bool) -> None:
    """Check before the fit that its checkpoint can be written, and warn of an earlier fit that would be replaced."""
    from pofx.errors import BadSource

    if checkpoint.is_dir():
        raise BadSource(
            f"{checkpoint}: expected a place for a checkpoint, got a directory", "choose another --out"
        )
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not resume:
        click.echo(
            f"pofx: warning: {checkpoint} holds an interrupted fit, which this fit replaces; to continue the interrupted "
            "fit, stop with Ctrl-C and add --resume",
            err=True,
        )
