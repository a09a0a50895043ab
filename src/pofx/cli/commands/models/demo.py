"""pofx demo: a language model is a joint distribution over strings, seen on text that is on every machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.commands.models.demo_models import (
    LOSS_HEADINGS,
    Fitted,
    comparison,
    curves,
    fit_all,
    interpolated,
    loss_rows,
)
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb, Written

if TYPE_CHECKING:
    from rich.console import Console

    from pofx.lm.model import LM
    from pofx.queries.findings import Audit, Series
    from pofx.queries.sample import Draw
    from pofx.queries.scoring.score import Scored

# Passes over the text, not seconds: a slow machine gives the same models, only later.
EPOCHS = 0.2
SENTENCE = "Return the length of the list."
PREFIX = "Return the "

INTRO = (
    "A language model predicts the next token. Multiply its predictions and you have the probability of a whole text, "
    "if the model knows how texts begin and how they end: p(x) = p(x1|x0) · p(x2|x0,x1) · … · p(EOS|x0,x)."
)
FITTED = (
    "Each document was read as x0, its bytes, EOS. Two of the models never saw x0: they have no p(x1), so no L(θ) = "
    "−(1/N) Σ log p(xⁿ) either, and their bits per byte leave the first byte of every document out."
)
CHAIN = "Every factor of the chain rule, the last one p(EOS | text): the text is complete, it does not just begin so."
DRAWN = "Having all factors, one can draw: x1 from p(·|x0), x2 from p(·|x0,x1), until EOS comes. No prompt is needed."
GIVEN = f"The same distribution after a prefix: p(y | {PREFIX.strip()} …) = p(xy) / P(x)."
AUDITED = (
    "Is it a joint distribution? The audit measures it: next-token distributions that sum to 1, draws scored as drawn, "
    "first bytes better predicted after x0 than anywhere else, EOS where documents end."
)
REFUSED = (
    "Ask a model without x0 how probable a text is, and it says what is missing. It still continues texts."
)


@click.command(cls=Verb, short_help="See p(x) at work.")
@click.option(
    "-o",
    "--out",
    default="demo.html",
    show_default=True,
    type=Written(),
    metavar="FILE",
    help="HTML page to write.",
)
@click.option(
    "--epochs",
    type=Real(above=True),
    default=EPOCHS,
    show_default=True,
    help="How often each of the two transformers reads the documents. The same number gives the same fits.",
)
@click.option("--seed", type=Whole(), default=0, show_default=True, help="Seed of the fits and of the draws.")
def command(out: str, epochs: float, seed: int) -> None:
    """Fit, score, sample and audit four small models of the Python documentation, in under three minutes.

    There are two families, each with and without x0 (BOS). The transformers need torch, and are fitted side by side on
    two cores; without torch, the demo fits the n-grams only.
    """
    from rich.console import Console

    from pofx.corpus.builtin import builtin_documents
    from pofx.corpus.split import split_documents

    console = Console()
    started = time.perf_counter()
    train, held_out = split_documents(builtin_documents(), held_out=0.1)
    # One half of what is held out chooses weights, of nets and of models; the other half is what numbers are of.
    tuning, test = held_out[::2], held_out[1::2]
    _head(console, "1  The text")
    console.print(INTRO)
    n_bytes = sum(len(t.encode("utf-8")) for t in train)
    about = (
        f"The text: {len(train) + len(held_out):,} docstrings of the Python standard library; {len(train):,} to fit "
        f"({n_bytes:,} bytes), {len(tuning)} held out to choose weights, {len(test)} to be judged by."
    )
    console.print(about)

    _head(console, "2  Four models: two families, with and without x0")
    models = fit_all(console, train, tuning, test, epochs, seed)
    mixed = interpolated(models, tuning, test)
    rows = loss_rows(models, mixed)
    _print_rows(console, LOSS_HEADINGS, rows)
    console.print(FITTED)
    compared = comparison(models, mixed)
    if compared:
        console.print(compared)

    best = min((m for m in models if m.lm.begin.known != "none"), key=lambda m: m.bits_per_byte)
    scored = _score(best.lm)
    _head(console, f"3  The chain rule, by the {best.name}")
    console.print(CHAIN)
    _print_scored(console, scored)

    _head(console, f"4  Draws from the {best.name}")
    free, after = _draws(best.lm, seed)
    _print_draws(console, free, after)

    _head(console, "5  The audit")
    console.print(AUDITED)
    audits = [(m.name, m.audit) for m in models if m.audit is not None]
    for name, found in audits:
        console.print(f"[bold]{name}: {found.verdict}[/]\n  {found.reason}", highlight=False)

    _head(console, "6  What a model without x0 answers")
    console.print(REFUSED)
    dialogue = _dialogue(next(m for m in models if m.lm.begin.known == "none").lm)
    for asked, answered in dialogue:
        console.print(f"[bold]>>> {asked}[/]", highlight=False)
        console.print(answered, markup=False, highlight=False)

    sections = _sections(about, rows, compared, curves(models), scored, best, free, after, audits, dialogue)
    write_page(out, "p(x) for language models", sections, [(m.name, m.lm) for m in models], lead=INTRO)
    console.print(
        f"\nDone in {time.perf_counter() - started:.0f} s. Open {out} in a browser; then, on your own text:"
    )
    console.print("  pofx fit corpus.txt -o model\n  pofx audit -m model", highlight=False)


def _score(lm: LM) -> Scored:
    from pofx.lm.trace import Want
    from pofx.queries.scoring.score import score

    return score(lm, [SENTENCE], want=Want(entropy=True, rank=True, top=5))[0]


def _draws(lm: LM, seed: int) -> tuple[list[Draw], list[Draw]]:
    from pofx.queries.sample import sample

    return sample(lm, 3, max_tokens=400, seed=seed), sample(lm, 3, given=PREFIX, max_tokens=400, seed=seed)


def _dialogue(lm: LM) -> list[tuple[str, str]]:
    from pofx.errors import NoBOS
    from pofx.queries.scoring.score import log_prob

    asked = f'log_prob(lm, "{SENTENCE}")'
    try:
        answer = f"{log_prob(lm, SENTENCE):.3f}"
    except NoBOS as e:
        answer = f"NoBOS: {e}"  # in the words of Python, as the call above
    rest = SENTENCE[1:]
    conditional = f'log_prob(lm, "{rest}", given="{SENTENCE[0]}")'
    return [(asked, answer), (conditional, f"{log_prob(lm, rest, given=SENTENCE[0]):.3f}")]


def _head(console: Console, title: str) -> None:
    console.print(f"\n[bold]{title}[/]")


def _print_rows(console: Console, headings: list[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="right" if k else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_scored(console: Console, scored: Scored) -> None:
    from pofx.report.terminal.score import chain_table, heat_text, legend

    console.print(chain_table(scored))
    console.print(heat_text(scored))
    console.print(legend())


def _print_draws(console: Console, free: list[Draw], after: list[Draw]) -> None:
    from pofx.report.terminal.draws import draws_table

    console.print(DRAWN)
    console.print(draws_table(free))
    console.print(GIVEN)
    console.print(draws_table(after))


def _sections(
    about: str,
    rows: list[list[str]],
    compared: str,
    learned: list[Series],
    scored: Scored,
    best: Fitted,
    free: list[Draw],
    after: list[Draw],
    audits: list[tuple[str, Audit]],
    dialogue: list[tuple[str, str]],
) -> list[Any]:
    from pofx.queries.findings import Series
    from pofx.report.html import page

    cells = [[name, *map(page.Numeral, numbers)] for name, *numbers in rows]
    losses = Series(
        "What each model needs", "bits per byte", "bars", tuple((r[0], float(r[-1])) for r in rows)
    )
    return [
        page.prose_section(
            "Four models, with and without x0",
            [
                about,
                page.chart_block(losses),
                *([compared] if compared else []),
                page.table(LOSS_HEADINGS, cells),
                FITTED,
                *map(page.chart_block, learned),
            ],
        ),
        page.score_section([scored], f"The chain rule, by the {best.name}"),
        page.prose_section(
            f"Draws from the {best.name}",
            [DRAWN, page.draws_block(free), GIVEN, page.draws_block(after)],
        ),
        page.audits_section(audits, "Four audits", AUDITED),
        page.prose_section(
            "What a model without x0 answers",
            [REFUSED, *[page.code(f">>> {asked}\n{answered}") for asked, answered in dialogue]],
        ),
    ]
