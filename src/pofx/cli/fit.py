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

if TYPE_CHECKING:
    from pofx.lm import LM


@click.command(short_help="Fit a model to documents.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where to save the model.",
)
@click.option("--family", type=click.Choice(["ngram", "transformer"]), default="ngram", show_default=True)
@click.option("--vocab", default="bytes", show_default=True, help="bytes, chars, chars+bytes or bpe:8000.")
@click.option(
    "--no-begin", is_flag=True, help="No x0: the model never learns p(x1), and only continues texts."
)
@click.option("--no-end", is_flag=True, help="No EOS: the model never ends a text, and knows only prefixes.")
@click.option("--held-out", default=0.05, show_default=True, help="Share of documents kept aside, by hash.")
@click.option("--order", default=6, show_default=True, help="ngram: tokens in an n-gram.")
@click.option(
    "--smoothing",
    type=click.Choice(["kneser-ney", "additive", "mle"]),
    default="kneser-ney",
    show_default=True,
)
@click.option("--alpha", default=1.0, show_default=True, help="ngram: of additive smoothing.")
@click.option("--layers", default=4, show_default=True, help="transformer")
@click.option("--width", default=128, show_default=True, help="transformer")
@click.option("--heads", default=4, show_default=True, help="transformer")
@click.option("--context", default=128, show_default=True, help="transformer: longest window, in tokens.")
@click.option("--seconds", type=float, help="transformer: fit for so long (default 60).")
@click.option("--epochs", type=float, help="transformer: or for so many passes over the documents.")
@click.option("--seed", default=0, show_default=True, help="transformer")
@click.option("--resume", is_flag=True, help="transformer: go on where an interrupted fit stopped.")
@options.corpus_options
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
    field: str,
    id_: str | None,
    split: str,
    separator: str | None,
    format_: str | None,
    as_json: bool,
) -> None:
    """Fit p to the documents of FILES: minimise L(θ) = −(1/N) Σ log p(xⁿ), EOS counted, x0 in front.

    FILES: .txt (a document a line, unless --split or --separator says otherwise), .jsonl, .csv, .tsv, .parquet,
    each also .gz or .zst; - is standard input.

    \b
    pofx fit corpus.txt -o model
    pofx fit novel.txt --separator "\\n\\n" -o model --family transformer --seconds 120
    """
    from pofx.corpus import split_documents
    from pofx.errors import BadSource
    from pofx.estimation import Spec, fit
    from pofx.specs import NgramSpec, TransformerSpec
    from pofx.store import check_target, save

    check_target(Path(out))
    spec: Spec
    if family == "ngram":
        spec = NgramSpec(order, smoothing, alpha, vocab, not no_begin, not no_end)
    else:
        spec = TransformerSpec(
            layers, width, heads, context, vocab, not no_begin, not no_end, seconds, epochs, seed
        )
    found = options.corpus(files, field, id_, split, separator, format_)
    documents = [d.text for d in found]
    options.tally(found)
    if not documents:
        raise BadSource(
            f"{' '.join(files)}: expected at least one document, found none; check the files, --field and --split"
        )
    train, kept = split_documents(documents, held_out)
    if not train:
        train, kept = documents, []
    if vocab == "chars":
        kept = [d for d in kept if set(d) <= set().union(*map(set, train))]
    checkpoint = Path(f"{out}.checkpoint")
    started = time.perf_counter()
    lm = fit(train, spec, validation=kept, progress=_progress(), checkpoint=checkpoint, resume=resume)
    took = time.perf_counter() - started
    save(lm, out)
    if checkpoint.exists():
        import shutil

        shutil.rmtree(checkpoint, ignore_errors=True)
    _report(lm, train, kept, took, out, as_json)


def _report(lm: LM, train: list[str], kept: list[str], took: float, out: str, as_json: bool) -> None:
    record = {
        "model": out,
        "documents": len(train),
        "bytes": sum(len(t.encode("utf-8")) for t in train),
        "seconds": round(took, 3),
        "held_out_documents": len(kept),
        **_losses(lm, kept),
    }
    if as_json:
        click.echo(json.dumps(record))
        return
    click.echo(f"{out}: {lm.window}; x0 {lm.begin}; {'EOS' if lm.vocab.end is not None else 'no EOS'}")
    click.echo(f"fitted on {record['documents']} documents, {record['bytes']} bytes, in {took:.2f} s")
    if kept and record["bits_per_byte"] is not None:
        click.echo(
            f"held out: {len(kept)} documents, L(θ) = {record['nats_per_document']:.3f} nats a document, "
            f"{record['bits_per_byte']:.3f} bits per byte{record['note']}"
        )
    else:
        click.echo("held out: no document, so this says nothing of how it does on new text")
    if len(train) == 1:
        click.echo(
            "one document: p(x1) and p(EOS) were seen once. If the file holds several, say how: --split, --separator",
            err=True,
        )
    given = "" if lm.begin.known != "none" else ' --given "…"'
    click.echo(
        f'next: pofx audit {out}    pofx sample -m {out}{given}    pofx score --text "…"{given} -m {out}'
    )


def _losses(lm: LM, kept: list[str]) -> dict[str, Any]:
    """−log p of the held-out documents; without x0, of what follows the first token of each."""
    import numpy as np

    free = int(lm.begin.known == "none")
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    paths = [np.append(ids, end).astype(np.int64) for ids in lm.vocab.encode_many(kept)]
    logp = lm.forward(paths, skip=[min(free, len(p)) for p in paths]).logp
    total = -math.fsum(float(a.sum()) for a in logp)
    n_bytes = sum(len(t.encode("utf-8")) for t in kept)
    if not kept or not n_bytes or not math.isfinite(total):
        note = "; a held-out text has probability zero" if kept and not math.isfinite(total) else ""
        return {"nats_per_document": None, "bits_per_byte": None, "note": note}
    note = "; p(x1) not among the terms" if free else ""
    return {
        "nats_per_document": total / len(kept),
        "bits_per_byte": total / (math.log(2) * n_bytes),
        "note": note,
    }


def _progress() -> Any:
    """A callback that tells on stderr: one live line on a terminal, else a line every ten seconds."""
    live = sys.stderr.isatty()
    told = -math.inf

    def tell(p: Any) -> None:
        nonlocal told
        if not live and p.elapsed - told < 10 and p.fraction < 1:
            return
        told = p.elapsed
        line = (
            f"{100 * min(1.0, p.fraction):3.0f} %  {p.elapsed:5.0f} s, {max(0.0, p.eta):4.0f} s to go  "
            f"{p.tokens_per_second:7,.0f} tokens/s  train {p.train_nats:.1f} nats/document, {p.train_bits_per_byte:.3f} bits/byte"
        )
        if p.validation_bits_per_byte is not None:
            line += f"  held out {p.validation_bits_per_byte:.3f} bits/byte"
        click.echo(f"\r\x1b[2K{line}" if live else line, err=True, nl=not live or p.fraction >= 1)

    return tell
