"""pofx score: log p of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pofx.cli import options

if TYPE_CHECKING:
    from pofx.queries.score import Scored

# Documents scored together: enough for a family's batches, little enough to hold.
BATCH = 512
# Texts of a file that go into a page: more make it slow to open.
PAGE_TEXTS = 50


@click.command(short_help="The log-probability of texts.")
@click.argument("files", nargs=-1)
@click.option(
    "--text", "texts", multiple=True, metavar="TEXT", help="Score this text and show its terms (repeatable)."
)
@click.option("--given", default="", metavar="TEXT", help="Condition on this prefix: log p(text | given).")
@click.option("--prefix", is_flag=True, help="Sum log P(text): the text and anything after it, no EOS term.")
@click.option("--tokens", is_flag=True, help="With FILES and --json: list the tokens of each text.")
@options.corpus_options
@options.model_option
@options.begin_option
@options.end_option
@options.json_option
@options.html_option
def command(
    files: tuple[str, ...],
    texts: tuple[str, ...],
    given: str,
    prefix: bool,
    tokens: bool,
    field: str,
    id_: str | None,
    split: str,
    separator: str | None,
    format_: str | None,
    model_name: str,
    begin: str | None,
    end: str | None,
    as_json: bool,
    html_path: str | None,
) -> None:
    """log p(text) = Σ log p(x_i | x_<i) + log p(EOS | text), in nats.

    --text shows every factor. FILES (or - for standard input) give one line a document: id, nats, bits per byte.

    \b
    pofx score --text "She loves smol kittens"
    pofx score --text "ly" --given "real" --prefix
    pofx score corpus.jsonl --field body --json > scores.jsonl
    """
    if bool(files) == bool(texts):
        raise click.UsageError(
            "expected FILES or --text, found both."
            if files
            else "expected FILES (- for stdin) or --text, found neither."
        )
    lm = options.read_model(model_name, begin, end)
    behind = options.argument_text(given)
    if texts:
        _texts(lm, [options.argument_text(t) for t in texts], behind, prefix, as_json, html_path)
    else:
        _files(
            lm,
            files,
            options.corpus(files, field, id_, split, separator, format_),
            behind,
            prefix,
            tokens,
            as_json,
            html_path,
        )


def _texts(
    lm: Any,
    texts: list[str | bytes],
    given: str | bytes,
    prefix: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    from pofx.queries.score import score
    from pofx.trace import Want

    scored = score(lm, texts, given, Want(entropy=True, rank=True, top=5))
    if prefix:
        scored = [s.without_end() for s in scored]
    if html_path:  # before anything is printed: a reader that closes the pipe must not cost the page
        _page(scored, html_path)
    if as_json:
        from pofx.cli.plain import dumps, scored_record

        for s in scored:
            click.echo(dumps(scored_record(s, tokens=True)))
    else:
        from rich.console import Console

        from pofx.report import terminal

        console = Console()
        for s in scored:
            console.print(terminal.score_panel(s))
            console.print()
            console.print(terminal.chain_table(s))
            console.print()
            console.print(terminal.heat_text(s))
            console.print(terminal.legend())


def _files(
    lm: Any,
    names: tuple[str, ...],
    found: Any,
    given: str | bytes,
    prefix: bool,
    tokens: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    import itertools

    from pofx.cli.plain import dumps, scored_record
    from pofx.errors import BadSource
    from pofx.queries.score import score
    from pofx.report.numerals import counted
    from pofx.trace import Want
    from pofx.units import bits_per_byte

    n = n_bytes = 0
    nats = 0.0
    kept: list[Scored] = []
    documents = iter(found)
    prefix = prefix or lm.vocab.end is None
    want = Want(entropy=True, rank=True, top=5) if html_path else Want()
    while batch := list(itertools.islice(documents, BATCH)):
        for d, s in zip(batch, score(lm, [d.text for d in batch], given, want)):
            value = s.prefix_total if prefix else s.total
            n, n_bytes, nats = n + 1, n_bytes + s.terms.bytes, nats + value
            if as_json:
                record = s.without_end() if prefix else s
                click.echo(dumps({"id": d.id, **scored_record(record, tokens)}))
            else:
                # An empty text has no bytes to share its nats among: an empty cell, not a nan.
                rate = f"{bits_per_byte(-value, s.terms.bytes):.4f}" if s.terms.bytes else ""
                click.echo(f"{d.id}\t{value:.4f}\t{rate}")
            if html_path and len(kept) < PAGE_TEXTS:
                kept.append(s)
    options.tally(found)
    if not n:
        raise BadSource(
            f"{' '.join(names)}: expected at least one document to score, found none; check the files, --field "
            "and --split"
        )
    what = "log P (prefixes)" if prefix else "log p"
    rate = f", {bits_per_byte(-nats, n_bytes):.4f} bits per byte" if n_bytes else ""
    click.echo(
        f"pofx: {counted(n, 'document')}, {counted(n_bytes, 'byte')}: {what} = {nats:.2f} nats, "
        f"{nats / n:.4f} a document{rate}",
        err=True,
    )
    if html_path:
        _page(kept, html_path)


def _page(scored: list[Any], path: str) -> None:
    from pofx.report import html

    options.write_page(path, html.page("log p(x), term by term", [html.score_section(scored)]))
