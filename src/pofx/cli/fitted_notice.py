"""What is said where texts are ones that the model was fitted on."""

from __future__ import annotations

import click

SCORE = (
    "score texts that it has not seen (pofx fit --save-held-out), or each by a model without it (--cross-fit)"
)
EVALUATE = "evaluate on documents that it has not seen"


def tell_fitted(fitted: int, n: int, advice: str = SCORE) -> None:
    """On standard error, if there are any."""
    from pofx.report.numerals import counted

    if fitted:
        of = "the text is one" if n == 1 else f"{fitted:,} of {counted(n, 'text')} are ones"
        click.echo(
            f"pofx: warning: {of} that the model was fitted on, so the numbers flatter it; {advice}",
            err=True,
        )
