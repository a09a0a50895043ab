"""pofx fit: from documents to a model."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pofx.cli import options
from pofx.cli.layout import Layout, layout_options, tally
from pofx.cli.numeric import Real, Whole
from pofx.cli.written import Verb, Written
from pofx.specs import MOST_ORDER, SIZES

if TYPE_CHECKING:
    from pofx.lm import LM

# Options that only one family heeds: given with another they are a mistake, and would pass unseen.
ONLY = {
    "ngram": ("order", "smoothing", "alpha"),
    "transformer": ("layers", "width", "heads", "context", "seconds", "epochs", "seed", "resume"),
}


def _checkpoint(out: Path) -> Path:
    """Beside the model, whatever the name's last character is."""
    return out.with_name(f"{out.name}.checkpoint")


@click.command(cls=Verb, short_help="Fit a model to documents.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=Written(dir_okay=True, beside=lambda path: [_checkpoint(path)]),
    metavar="DIR",
    help="Where to save the model; an n-gram may go to a file, NAME.arpa or NAME.arpa.gz.",
)
@click.option(
    "--family",
    type=click.Choice(["ngram", "transformer"]),
    default="ngram",
    show_default=True,
    help="What kind of model: counts in a second, or a neural network.",
)
@click.option("--vocab", default="bytes", show_default=True, help="bytes, chars, chars+bytes or bpe:8000.")
@click.option(
    "--no-begin", is_flag=True, help="No x0: the model never learns p(x1), and only continues texts."
)
@click.option("--no-end", is_flag=True, help="No EOS: the model never ends a text, and knows only prefixes.")
@click.option(
    "--held-out",
    type=Real(0, 1),
    default=0.05,
    show_default=True,
    help="Share of documents kept aside, by hash.",
)
@click.option(
    "--save-held-out",
    type=Written(),
    metavar="FILE",
    help="Write the documents kept aside to FILE, as JSONL.",
)
@click.option(
    "--order", type=Whole(1, MOST_ORDER), default=6, show_default=True, help="ngram: tokens in an n-gram."
)
@click.option(
    "--smoothing",
    type=click.Choice(["kneser-ney", "additive", "mle"]),
    default="kneser-ney",
    show_default=True,
    help="ngram: what unseen n-grams get.",
)
@click.option(
    "--alpha",
    type=Real(above=True),
    default=1.0,
    show_default=True,
    help="ngram: what additive smoothing adds to a count.",
)
@click.option(
    "--layers", type=Whole(*SIZES["layers"]), default=4, show_default=True, help="transformer: blocks."
)
@click.option(
    "--width",
    type=Whole(*SIZES["width"]),
    default=128,
    show_default=True,
    help="transformer: numbers a token is held in.",
)
@click.option(
    "--heads",
    type=Whole(*SIZES["heads"]),
    default=4,
    show_default=True,
    help="transformer: of attention; they share the width.",
)
@click.option(
    "--context",
    type=Whole(*SIZES["context"]),
    default=128,
    show_default=True,
    help="transformer: longest window, in tokens.",
)
@click.option("--seconds", type=Real(above=True), help="transformer: fit for so long (default 60).")
@click.option(
    "--epochs", type=Real(above=True), help="transformer: or for so many passes over the documents."
)
@click.option("--seed", type=Whole(), default=0, show_default=True, help="transformer: of the first weights.")
@click.option("--resume", is_flag=True, help="transformer: go on where an interrupted fit stopped.")
@layout_options
@options.json_option
def command(
    files: tuple[str, ...],
    out: str,
    family: str,
    vocab: str,
    no_begin: bool,
    no_end: bool,
    held_out: float,
    order: int,
    smoothing: str,
    alpha: float,
    layers: int,
    width: int,
    heads: int,
    context: int,
    seconds: float | None,
    epochs: float | None,
    seed: int,
    resume: bool,
    layout: Layout,
    as_json: bool,
    save_held_out: str | None,
) -> None:
    """Fit p to the documents of FILES: minimise L(θ) = −(1/N) Σ log p(xⁿ), EOS counted, x0 in front.

    FILES: .txt (a document a line, unless --split or --separator says otherwise), .jsonl, .csv, .tsv, .parquet,
    each also .gz or .zst; - is standard input.

    \b
    pofx fit corpus.txt -o model
    pofx fit corpus.txt -o lm.arpa.gz
    pofx fit novel.txt --separator "\\n\\n" -o model --family transformer --seconds 120
    """
    from pofx.corpus import split_documents
    from pofx.errors import BadSource
    from pofx.estimation import Spec, fit
    from pofx.specs import NgramSpec, TransformerSpec
    from pofx.store import check_target, is_arpa, save

    _check_heeded(family, smoothing)
    if is_arpa(out) and family != "ngram":
        raise click.UsageError(
            "--out: expected a directory for a transformer, found an .arpa file; name another."
        )
    check_target(out)
    spec: Spec
    if family == "ngram":
        spec = NgramSpec(order, smoothing, alpha, vocab, not no_begin, not no_end)
    else:
        spec = TransformerSpec(
            layers, width, heads, context, vocab, not no_begin, not no_end, seconds, epochs, seed
        )
    found = layout.documents(files)
    documents = [d.text for d in found]
    tally(found)
    if not documents:
        raise BadSource(
            f"{' '.join(files)}: expected at least one document, found none; check the files, --field and --split"
        )
    train, kept = split_documents(documents, held_out)
    if not train:
        train, kept = documents, []
    if save_held_out is not None:
        _write_held_out(save_held_out, kept)
    unspelled = 0
    if vocab == "chars":
        known = set().union(*map(set, train))
        spelled = [d for d in kept if known.issuperset(d)]
        kept, unspelled = spelled, len(kept) - len(spelled)
    checkpoint = _checkpoint(Path(out))
    if family == "transformer":
        _prepare(checkpoint, resume)
    started = time.perf_counter()
    lm = fit(train, spec, validation=kept, progress=_progress(), checkpoint=checkpoint, resume=resume)
    took = time.perf_counter() - started
    save(lm, out)
    if family == "transformer":
        checkpoint.unlink(missing_ok=True)  # only now: had saving failed, --resume would still go on from it
    _report(lm, train, kept, unspelled, took, out, as_json)


def _write_held_out(path: str, kept: list[str]) -> None:
    """The documents kept aside, as JSONL: what `pofx audit --texts` and `pofx score` are honest on."""
    from pofx.cache import write_atomically
    from pofx.cli.plain import dumps

    lines = "".join(dumps({"text": text}) + "\n" for text in kept)
    write_atomically(Path(path), lines.encode("utf-8"))
    click.echo(f"pofx: wrote {path}", err=True)


def _prepare(checkpoint: Path, resume: bool) -> None:
    """See to it, before the fit, that it can be put down; and that no earlier one is lost unseen."""
    from pofx.errors import BadSource

    if checkpoint.is_dir():
        raise BadSource(
            f"{checkpoint}: expected a place for a checkpoint, found a directory; choose another --out"
        )
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not resume:
        click.echo(
            f"pofx: warning: {checkpoint} holds an interrupted fit, which this one replaces; Ctrl-C now and "
            "--resume go on with it instead",
            err=True,
        )


def _check_heeded(family: str, smoothing: str) -> None:
    for owner, names in ONLY.items():
        idle = [f"--{name}" for name in names if owner != family and options.typed(name)]
        if idle:
            raise click.UsageError(
                f"{', '.join(idle)}: expected only with --family {owner}, found --family {family}; change one."
            )
    if options.typed("alpha") and smoothing != "additive":
        raise click.UsageError(
            f"--alpha: expected only with --smoothing additive, found {smoothing}; change one."
        )


def _report(
    lm: LM, train: list[str], kept: list[str], unspelled: int, took: float, out: str, as_json: bool
) -> None:
    from pofx.report.numerals import counted

    n_bytes = sum(len(t.encode("utf-8")) for t in train)
    if len(train) == 1:
        click.echo(
            "pofx: warning: one document, so p(x1) and p(EOS) were seen once; if the file holds several, say how "
            "they are parted: --split, --separator",
            err=True,
        )
    if unspelled:
        click.echo(
            f"pofx: warning: {counted(unspelled, 'held-out document')} left out of the loss, for characters that "
            "the rest has not; --vocab chars+bytes spells them all",
            err=True,
        )
    losses = _losses(lm, kept)
    if as_json:
        record = {
            "model": out,
            "documents": len(train),
            "bytes": n_bytes,
            "seconds": round(took, 3),
            "held_out_documents": len(kept),
            "held_out_unspelled": unspelled,
            **losses,
        }
        click.echo(json.dumps(record, allow_nan=False))
        return
    click.echo(f"{out}: {lm.window}; x0 {lm.begin}; {'EOS' if lm.vocab.end is not None else 'no EOS'}")
    click.echo(f"fitted on {counted(len(train), 'document')}, {counted(n_bytes, 'byte')}, in {took:.2f} s")
    if not kept:
        click.echo("held out: no document, so this says nothing of how it does on new text")
    elif losses["impossible"]:
        click.echo(
            f"held out: {losses['impossible']} of {counted(len(kept), 'document')} have probability zero, so "
            "L(θ) = ∞; a smoothed model gives every text its share"
        )
    else:
        first = "" if lm.begin.known != "none" else "; p(x1) not among the terms"
        rate = losses["bits_per_byte"]
        click.echo(
            f"held out: {counted(len(kept), 'document')}, L(θ) = {losses['nats_per_document']:.3f} nats a document"
            f"{'' if rate is None else f', {rate:.3f} bits per byte'}{first}"
        )
    given = "" if lm.begin.known != "none" else ' --given "…"'
    click.echo(
        f'next: pofx audit {out}\n      pofx sample -m {out}{given}\n      pofx score --text "…"{given} -m {out}'
    )


def _losses(lm: LM, kept: list[str]) -> dict[str, Any]:
    """−log p of the held-out documents; without x0, of what follows the first token of each.

    Null where a document has probability zero, since JSON has no infinity; `impossible` counts those.
    """
    from pofx.lm import whole_texts
    from pofx.units import bits_per_byte

    paths, skips = whole_texts(lm, kept)
    totals = [-float(a.sum()) for a in lm.forward(paths, skip=skips).logp]
    impossible = sum(math.isinf(t) for t in totals)
    n_bytes = sum(len(t.encode("utf-8")) for t in kept)
    finite = bool(kept) and not impossible
    return {
        "nats_per_document": math.fsum(totals) / len(kept) if finite else None,
        "bits_per_byte": bits_per_byte(math.fsum(totals), n_bytes) if finite and n_bytes else None,
        "impossible": impossible,
        "first_token": lm.begin.known != "none",
    }


def _progress() -> Any:
    """A callback that tells on stderr: one live line on a terminal, else a line every ten seconds."""
    live = sys.stderr.isatty()
    told, best = -math.inf, math.inf

    def tell(p: Any) -> None:
        nonlocal told, best
        best = min(best, math.inf if p.validation_bits_per_byte is None else p.validation_bits_per_byte)
        if not live and p.elapsed - told < 10 and p.fraction < 1:
            return
        told = p.elapsed
        line = (
            f"{100 * min(1.0, p.fraction):3.0f} %  {p.elapsed:5.0f} s, {max(0.0, p.eta):4.0f} s to go  "
            f"{p.tokens_per_second:7,.0f} tokens/s  train {p.train_nats:.1f} nats/document, "
            f"{p.train_bits_per_byte:.3f} bits/byte"
        )
        if p.validation_bits_per_byte is not None:
            line += f"  held out {p.validation_bits_per_byte:.3f} (best {best:.3f}, which is kept)"
        click.echo(f"\r\x1b[2K{line}" if live else line, err=True, nl=not live or p.fraction >= 1)

    return tell
