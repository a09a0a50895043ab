"""Messages of `pofx classify train`: the steps of EM while they run, and the classifier at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pofx.classification.evaluation import Evaluation
    from pofx.classification.joint import Joint
    from pofx.classification.training import EMStep


def step_printer(em: int) -> Callable[[EMStep], None] | None:
    """Return a printer of the steps of EM; None where standard error is no terminal."""
    if not em or not sys.stderr.isatty():
        return None
    done = 0

    def tell(step: EMStep) -> None:
        nonlocal done
        done += 1
        click.echo(
            f"EM {done}: log-likelihood {step.log_likelihood:.2f} nats, posteriors moved by at most {step.moved:.2g}",
            err=True,
        )

    return tell


def report(
    joint: Joint,
    out: str,
    model: str,
    n: int,
    steps: list[EMStep],
    evaluation: Evaluation | None,
    as_json: bool,
) -> None:
    """Print the classifier and its evaluation on held-out documents.

    `model` is the name that `predict` needs with -m; empty where the classifier holds its models.
    """
    import math

    from pofx.report.numerals import fixed_point
    from pofx.units import count_noun

    if as_json:
        from pofx.report.json_records import dumps, evaluation_summary

        record: dict[str, Any] = {
            "classifier": out,
            "documents": n,
            "classes": {
                str(t): {"documents": float(k), "prior": math.exp(p)}
                for t, k, p in zip(joint.classes, joint.count, joint.log_prior)
            },
            "em_steps": len(steps),
            "held_out": None,
        }
        if evaluation is not None:
            record["held_out"] = evaluation_summary(evaluation)
        click.echo(dumps(record))
        return
    classes = "class" if len(joint.classes) == 1 else "classes"
    what = f"{'one model of texts after prefixes; ' * (joint.given is not None)}{joint.lms[0].window}"
    click.echo(f"{out}: {len(joint.classes):,} {classes}; {what}")
    steps_told = f", {count_noun(len(steps), 'step')} of EM" if steps else ""
    click.echo(f"fitted on {count_noun(n, 'document')}{steps_told}")
    if evaluation is None:
        click.echo("held out: no document, so nothing is known about new texts")
    else:
        loss = fixed_point(evaluation.log_loss, 4)
        click.echo(
            f"held out: {count_noun(evaluation.n, 'document')}, accuracy {100 * evaluation.accuracy:.2f} %, log-loss "
            f"{loss} nats"
        )
    named = f" -m {model}" if model else ""
    click.echo(f'next: pofx classify predict {out} --text "…"{named}')
