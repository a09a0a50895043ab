"""What is said where texts are ones that the model was fitted on, or that its weights were chosen by."""

from __future__ import annotations

import click

SCORE = (
    "score texts that it has not seen (pofx fit --save-held-out), or each by a model without it (--cross-fit)"
)
EVALUATE = "evaluate on documents that it has not seen"


def tell_fitted(fitted: int, chosen: int, n: int, advice: str = SCORE) -> None:
    """On standard error, if there are any: of n texts those fitted on, and those that chose the weights."""
    if fitted:
        click.echo(
            f"pofx: warning: {_of(fitted, n)} that the model was fitted on, so the numbers flatter it; {advice}",
            err=True,
        )
    if chosen:
        click.echo(
            f"pofx: warning: {_of(chosen, n)} that the model's weights were chosen by (early stopping), so the numbers "
            "flatter it a little; keep texts aside that are no part of the fit",
            err=True,
        )


def _of(some: int, n: int) -> str:
    from pofx.units import count_noun

    return "the text is one" if n == 1 else f"{some:,} of {count_noun(n, 'text')} are ones"
