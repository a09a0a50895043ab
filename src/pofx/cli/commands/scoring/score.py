"""pofx score: log p of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.commands.scoring.score_cross import Cross, cross_options, print_cross
from pofx.cli.options import arguments
from pofx.cli.options.arguments import Keeping, keeping_options
from pofx.cli.options.layout import Layout, layout_options
from pofx.cli.options.model import ModelOptions, model_options
from pofx.cli.options.numbers import Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.rows import given_field_option, keep_or_show_option, rows_out_option
from pofx.cli.options.sharding import Sharding, sharding_options
from pofx.cli.options.written import Verb
from pofx.cli.output.terms import terms_option

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.queries.scoring.score import Scored
    from pofx.report.html.page import Row

PEERS = ("minicons", "lm-eval", "lmppl", "lm-scorer", "llama-perplexity", "kenlm")
# Options that shape a file of rows, and mean nothing without such a file.
ONLY_WITH_OUT = {
    "keep": "--keep",
    "no_text": "--no-text",
    "with_terms": "--terms",
    "per": "--per",
    "top": "-k",
    "entropy": "--entropy",
    "rank": "--rank",
}


@click.command(cls=Verb, short_help="Give the log-probability of texts.")
@click.argument("files", nargs=-1)
@click.option(
    "--text", "texts", multiple=True, metavar="TEXT", help="Score this text and show its terms (repeatable)."
)
@click.option("--given", default="", metavar="TEXT", help="Condition on this prefix: log p(text | given).")
@given_field_option
@arguments.boundary_option
@click.option(
    "--prefix",
    is_flag=True,
    help="Give log P(text), the probability that a text begins so: there is no EOS term.",
)
@rows_out_option("text, or per token (--per)")
@click.option(
    "--per",
    type=click.Choice(["text", "token"]),
    default="text",
    show_default=True,
    help="-o: write one row per text, or one per token.",
)
@click.option(
    "-k",
    "top",
    type=Whole(0, 1000),
    default=0,
    metavar="K",
    help="-o --per token: also write the K likeliest tokens.",
)
@click.option(
    "--entropy",
    is_flag=True,
    help="-o --per token: also write the entropy of each next-token distribution, in nats.",
)
@click.option(
    "--rank", is_flag=True, help="-o --per token: also write each token's rank, 1 for the likeliest."
)
@keep_or_show_option
@terms_option
@click.option("--no-text", is_flag=True, help="-o: leave the texts out of the rows.")
@keeping_options
@sharding_options
@click.option("--tokens", is_flag=True, help="With FILES and --json: list the tokens of each text.")
@click.option(
    "--as",
    "peer",
    type=click.Choice(PEERS),
    help="Print the number that this other tool prints for the same model and text, and the terms that it "
    "sums.",
)
@layout_options
@model_options
@click.option(
    "--unknown",
    type=click.Choice(["refuse", "class"]),
    default="refuse",
    show_default=True,
    help="ARPA files only, for a text with a word that the file lacks. refuse: refuse the text; class: score "
    "the word as <unk>, which stands for all unknown words.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="Score each text alone, so that its number does not depend on its neighbours; slower.",
)
@cross_options
@arguments.quiet_option
@arguments.json_option
@arguments.html_option
def command(
    files: tuple[str, ...],
    texts: tuple[str, ...],
    given: str,
    given_field: str | None,
    boundary: Any,
    prefix: bool,
    out: str | None,
    per: Any,
    top: int,
    entropy: bool,
    rank: bool,
    keep: tuple[str, ...],
    no_text: bool,
    with_terms: bool,
    keeping: Keeping,
    sharding: Sharding,
    tokens: bool,
    peer: str | None,
    layout: Layout,
    options: ModelOptions,
    unknown: str,
    deterministic: bool,
    cross: Cross | None,
    quiet: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Score texts: log p(text) = Σ log p(x_i | x_<i) + log p(EOS | text), in nats.

    --text shows every term of the sum. FILES (or - for standard input) print one line per document: its id, nats and
    bits per byte; with -o, the rows go to a file. Exit code 1 if some rows have no score; their errors are in the rows.

    \b
    pofx score --text "She loves smol kittens"
    pofx score --text "ly" --given "real" --prefix
    pofx score corpus.jsonl --field body --id key -o scores.parquet
    pofx score corpus.txt --per token -k 3 -o tokens.jsonl.gz
    pofx score corpus.txt --cross-fit 10 --order 4
    """
    from pofx.jobs.documents import Documents
    from pofx.jobs.row_query import RowQuery
    from pofx.jobs.score_rows import ScoreRows

    _check_usage(
        files,
        texts,
        given,
        given_field,
        out,
        per,
        peer,
        as_json or tokens or bool(html_path),
        bool(files and html_path),
    )
    behind = arguments.argument_text(given)
    asked = Documents(layout.files(files), layout, behind, given_field, keep)
    has_given = bool(given) or given_field is not None
    rows: RowQuery = ScoreRows(
        per, prefix, top, entropy, rank, not no_text, has_given, keep, boundary, options.normalize
    )
    if files:  # these checks come before a model is loaded
        asked.look()
    if out is not None:
        from pofx.cli.running.run_rows import check_rows_out, run_rows
        from pofx.jobs.term_columns import WithTerms

        rows = WithTerms(rows, options.name) if with_terms else rows
        check_rows_out(out, rows, sharding)
    if cross is not None:
        if print_cross(cross, asked, tokens, as_json, quiet):
            click.get_current_context().exit(1)
        return
    lm = options.load(unknown=unknown)
    if deterministic:
        from pofx.transforms.deterministic import deterministic as alone

        lm = alone(lm)
    if peer is not None:
        from pofx.cli.commands.scoring.score_peers import print_peer

        print_peer(lm, peer, [arguments.argument_text(t) for t in texts], behind, asked, as_json)
    elif texts:
        _texts(
            lm,
            [arguments.argument_text(t) for t in texts],
            behind,
            boundary,
            prefix,
            as_json,
            html_path,
            quiet,
            options.name,
        )
    elif out is not None:
        from pofx.cli.running.job_recipe import JobRecipe

        decided = {"--budget": options.budget, "--deterministic": deterministic, "--unknown": unknown}
        recipe = JobRecipe(options, asked, rows, out, keeping, decided, unknown, deterministic)
        run_rows(recipe.job(lm), recipe, sharding, quiet)
    else:
        from pofx.cli.output.paged import Paged
        from pofx.cli.output.score_lines import print_lines

        paged: Paged[Scored] | None = Paged(keep) if html_path else None
        failed = print_lines(lm, asked, boundary, prefix, tokens, as_json, quiet, paged)
        if html_path and paged is not None:
            _page(html_path, paged.records, (options.name, lm), quiet, paged.rows, paged.lead)
        if failed:
            click.get_current_context().exit(1)


def _check_usage(
    files: tuple[str, ...],
    texts: tuple[str, ...],
    given: str,
    given_field: str | None,
    out: str | None,
    per: str,
    peer: str | None,
    printed: bool,
    paged: bool,
) -> None:
    """Refuse options that contradict each other, or that would have no effect."""
    arguments.check_texts(files, texts, given, given_field)
    printers = "--as, --json, --tokens or --html"
    rows_only = {name: flag for name, flag in ONLY_WITH_OUT.items() if name != "keep" or not paged}
    arguments.check_out(files, out, bool(peer) or printed, "score", rows_only, printers)
    if out is not None:
        shaped = next((ONLY_WITH_OUT[n] for n in ("top", "entropy", "rank") if arguments.typed(n)), None)
        if per == "text" and shaped:
            raise click.UsageError(f"{shaped}: expected only with --per token, got --per text.")
    if arguments.typed("boundary") and not (given or given_field):
        raise click.UsageError("--boundary: expected after a prefix, got neither --given nor --given-field.")
    if peer not in (None, "lm-eval") and (given or given_field):
        raise click.UsageError(
            f"--as: expected whole texts, since only lm-eval takes a prefix, got a prefix for {peer}. Leave --given out."
        )
    if peer and arguments.typed("boundary"):
        raise click.UsageError("--boundary: expected without --as, got both. Leave out --boundary or --as.")


def _texts(
    lm: Any,
    texts: list[str | bytes],
    given: str | bytes,
    boundary: Any,
    prefix: bool,
    as_json: bool,
    html_path: str | None,
    quiet: bool,
    name: str,
) -> None:
    from pofx.lm.trace import Want
    from pofx.queries.scoring.score import score

    scored = score(lm, texts, given, Want(entropy=True, rank=True, top=5), boundary)
    if prefix:
        scored = [s.without_end() for s in scored]
    if html_path:  # the page is written first, since a reader that closes the pipe ends the program
        _page(html_path, scored, (name, lm), quiet)
    if as_json:
        from pofx.report.json_records import dumps, scored_record

        for s in scored:
            click.echo(dumps(scored_record(s, tokens=True)))
    else:
        from rich.console import Console

        from pofx.report.terminal.score import chain_table, heat_text, legend, score_panel

        console = Console()
        for s in scored:
            console.print(score_panel(s))
            console.print()
            console.print(chain_table(s))
            console.print()
            console.print(heat_text(s))
            console.print(legend())
    from pofx.cli.output.notices import print_fitted

    print_fitted(sum(s.terms.fitted for s in scored), sum(s.terms.chosen for s in scored), len(scored))


def _page(
    path: str,
    scored: list[Scored],
    model: tuple[str, LM],
    quiet: bool,
    rows: Sequence[Row] = (),
    lead: str = "",
) -> None:
    from pofx.report.html.page import score_section

    title = "log p(x), term by term"
    write_page(path, title, [score_section(scored, title, rows)], [model], quiet, lead)
