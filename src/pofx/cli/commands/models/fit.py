"""pofx fit: fit a model to documents."""

from __future__ import annotations

import time
from pathlib import Path

import click

from pofx.cli.options import arguments, ngram
from pofx.cli.options.layout import Layout, layout_options, tally
from pofx.cli.options.ngram import check_alpha, check_family, compact_options, ngram_options, vocab_option
from pofx.cli.options.numbers import Real, Whole
from pofx.cli.options.written import Values, Written, model_finished
from pofx.cli.output.fit_report import ProgressPrinter, Read, print_report
from pofx.cli.running.fit_checkpoint import checkpoint_of, continues, prepare
from pofx.cli.running.fit_in_group import FitVerb
from pofx.files.limits import parse_size
from pofx.models.specs import SIZES, NgramSpec

# Options that not every family uses. With another family such an option is a mistake, which nobody would notice.
ONLY = {
    "ngram": ("order", "smoothing", "alpha", "prune", "quantize"),
    "ngram or mixing": ("memory",),
    "ngram or transformer": ("vocab", "no_begin", "no_end", "workers"),
    "transformer": ("layers", "width", "heads", "context", "seconds", "epochs", "seed", "resume", "ray"),
}


def _size(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    size = None if text is None else parse_size(text)
    if text is not None and not size:
        raise click.UsageError(f"--memory: expected a size such as 500M or 2G, got {text!r:.40}.")
    return size


def _finished(out: Path, values: Values) -> bool:
    """Return whether a finished model stands at the path, which no stopped fit was about to replace."""
    return model_finished(out, values) and not (values["resume"] and checkpoint_of(out).exists())


@click.command(cls=FitVerb, numbers="Fit", short_help="Fit a model to documents.")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=Written(dir_okay=True, beside=lambda path: [checkpoint_of(path)], finished=_finished),
    metavar="DIR",
    help="Directory of the saved model; an n-gram may also go to a file, NAME.arpa or NAME.arpa.gz.",
)
@click.option(
    "--family",
    type=click.Choice(["ngram", "mixing", "transformer"]),
    default="ngram",
    show_default=True,
    help="Kind of model: ngram counts, and takes a second; mixing mixes the predictions of many contexts of bytes, at "
    "some 100 kB a second; transformer is a neural network.",
)
@vocab_option()
@click.option(
    "--no-begin", is_flag=True, help="Fit without x0: the model never learns p(x1), and only continues texts."
)
@click.option(
    "--no-end", is_flag=True, help="Fit without EOS: the model never ends a text, and knows only prefixes."
)
@click.option(
    "--held-out",
    type=Real(0, 1),
    default=0.05,
    show_default=True,
    help="Share of documents to hold out, chosen by a hash of their text.",
)
@click.option(
    "--save-held-out",
    type=Written(),
    metavar="FILE",
    help="Write the held-out documents to FILE, as JSONL.",
)
@ngram_options("ngram")
@compact_options
@click.option(
    "--workers",
    type=Whole(1, 1024),
    metavar="N",
    help="Use N processes. ngram: count in bounded memory; the model is the same, byte for byte. transformer: share each "
    "step; the model is the same up to rounding.",
)
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="transformer: with --workers, the other processes are actors of Ray: on this machine, or on the cluster at ADDRESS "
    "(HOST:PORT, or auto).",
)
@click.option(
    "--memory",
    metavar="SIZE",
    callback=_size,
    help="ngram: fit within about this much memory, such as 500M; the rest lies on the disk beside the model. "
    "With --workers alone 2G. mixing: the most memory of the tables, 256M by default.",
)
@click.option(
    "--layers",
    type=Whole(*SIZES["layers"]),
    default=4,
    show_default=True,
    help="transformer: number of blocks.",
)
@click.option(
    "--width",
    type=Whole(*SIZES["width"]),
    default=128,
    show_default=True,
    help="transformer: size of the vector of each token.",
)
@click.option(
    "--heads",
    type=Whole(*SIZES["heads"]),
    default=4,
    show_default=True,
    help="transformer: number of attention heads, which share the width.",
)
@click.option(
    "--context",
    type=Whole(*SIZES["context"]),
    default=128,
    show_default=True,
    help="transformer: length of the longest window, in tokens.",
)
@click.option("--seconds", type=Real(above=True), help="transformer: seconds of fitting (default 60).")
@click.option(
    "--epochs", type=Real(above=True), help="transformer: passes over the documents, instead of --seconds."
)
@click.option(
    "--seed",
    type=Whole(),
    default=0,
    show_default=True,
    help="transformer: seed of the first weights and of the order of documents.",
)
@click.option("--resume", is_flag=True, help="transformer: continue a fit that was interrupted.")
@layout_options
@arguments.quiet_option
@arguments.json_option
def command(
    files: tuple[str, ...],
    out: str,
    family: str,
    vocab: str,
    no_begin: bool,
    no_end: bool,
    held_out: float,
    order: int | None,
    smoothing: str,
    alpha: float,
    compact: tuple[tuple[int, ...], int | None],
    workers: int | None,
    ray: str | None,
    memory: int | None,
    layers: int,
    width: int,
    heads: int,
    context: int,
    seconds: float | None,
    epochs: float | None,
    seed: int,
    resume: bool,
    layout: Layout,
    quiet: bool,
    as_json: bool,
    save_held_out: str | None,
) -> None:
    """Fit p to the documents of FILES: minimise L(θ) = −(1/N) Σ log p(x_n).

    Each document x_n is read after x0, and its EOS is counted. FILES are .txt (one document per line, unless --split or
    --separator says otherwise), .jsonl, .csv, .tsv or .parquet, each also .gz, .zst, .bz2 or .xz; - is standard input.

    \b
    pofx fit corpus.txt -o model
    pofx fit corpus.txt -o lm.arpa.gz
    pofx fit novel.txt --separator "\\n\\n" -o model --family transformer --seconds 120
    """
    from pofx.corpus.empty_input import no_documents_in
    from pofx.corpus.split import split_documents
    from pofx.models.fitting import Spec, fit
    from pofx.models.saving import check_target, save
    from pofx.models.specs import MixingSpec, TransformerSpec

    _check_heeded(family, smoothing)
    ngram.check_place(family, order, out, workers, memory)
    check_target(out)
    spec: Spec
    if family == "ngram":
        spec = NgramSpec(order, smoothing, alpha, vocab, not no_begin, not no_end, *compact)
    elif family == "mixing":
        spec = MixingSpec() if memory is None else MixingSpec(memory)
    else:
        spec = TransformerSpec(
            layers, width, heads, context, vocab, not no_begin, not no_end, seconds, epochs, seed
        )
    if isinstance(spec, NgramSpec) and (workers is not None or memory is not None):
        _fit_in_parts(spec, files, layout, held_out, out, memory, workers, as_json, save_held_out, quiet)
        return
    found = layout.documents(files)
    documents = [d.text for d in found]
    tally(found)
    if not documents:
        raise no_documents_in(files)
    train, kept = split_documents(documents, held_out)
    if not train:
        train, kept = documents, []
    aside = kept
    kept = _spelled(kept, set().union(*map(set, train))) if vocab == "chars" else kept
    checkpoint = checkpoint_of(Path(out))
    if family == "transformer":
        resume = continues(checkpoint, resume)
        prepare(checkpoint, resume)
    started = time.perf_counter()
    told = ProgressPrinter(quiet)
    lm = fit(
        train,
        spec,
        validation=kept,
        progress=told,
        checkpoint=checkpoint,
        resume=resume,
        workers=workers or 1,
        ray=ray,
    )
    # The time of a resumed fit includes the time of its earlier runs.
    took = time.perf_counter() - started if told.last is None else told.last.elapsed
    save(lm, out)
    if (
        save_held_out is not None
    ):  # written after the model, so that a resumed fit does not find its own output
        _write_held_out(save_held_out, aside, quiet)
    if family == "transformer":
        checkpoint.unlink(missing_ok=True)  # if saving fails, --resume still goes on from the checkpoint
    read = Read(len(train), sum(len(t.encode("utf-8")) for t in train))
    passes = None if told.last is None else told.last.passes
    print_report(lm, read, kept, len(aside) - len(kept), took, passes, out, as_json)


def _spelled(kept: list[str], known: set[str]) -> list[str]:
    """Return the held-out documents that the characters of the others spell."""
    return [d for d in kept if known.issuperset(d)]


def _fit_in_parts(
    spec: NgramSpec,
    files: tuple[str, ...],
    layout: Layout,
    held_out: float,
    out: str,
    memory: int | None,
    workers: int | None,
    as_json: bool,
    save_held_out: str | None,
    quiet: bool,
) -> None:
    from pofx.cli.running.fit_in_parts import fit_in_parts
    from pofx.models.loading import load
    from pofx.models.saving import is_arpa_name

    if is_arpa_name(out):
        raise click.UsageError(
            "--workers, --memory: expected a directory for the model, got an .arpa file; name a directory."
        )
    done = fit_in_parts(spec, files, layout, held_out, out, memory, workers)
    if save_held_out is not None:
        _write_held_out(save_held_out, done.held_out, quiet)
    lm = load(out)
    kept = done.held_out
    if spec.vocab == "chars":
        kept = _spelled(kept, {piece.decode("utf-8") for piece in lm.vocab.token_bytes if piece})
    read = Read(done.fit.record.documents, done.fit.bytes)
    print_report(lm, read, kept, len(done.held_out) - len(kept), done.seconds, None, out, as_json)


def _write_held_out(path: str, kept: list[str], quiet: bool) -> None:
    """Write the held-out documents as JSONL, of which an n-gram has seen none, and a transformer chose its weights by."""
    from pofx.report.json_records import dumps

    lines = "".join(dumps({"text": text}) + "\n" for text in kept)
    arguments.write_text(path, lines, quiet)


def _check_heeded(family: str, smoothing: str) -> None:
    check_family(ONLY, family)
    check_alpha(smoothing)
