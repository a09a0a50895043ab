"""pofx compress: compress a file to about as many bits as its surprisal under a model."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.options import arguments, packing
from pofx.cli.options.model import ModelOptions, optional_model
from pofx.cli.options.numbers import Whole
from pofx.cli.options.pages import write_page
from pofx.cli.options.written import Verb, Written
from pofx.units import count_noun

if TYPE_CHECKING:
    from pofx.queries.compression.compress import Compression


@click.command(cls=Verb, short_help="Compress a file to about -log2 p(its text) bits.")
@click.argument("file")
@click.option(
    "-o",
    "--out",
    type=Written(allow_dash=True, unnamed=packing.packed_name),
    metavar="FILE",
    help=f"Where to write; by default FILE{packing.ENDING}.",
)
@click.option("--explain", is_flag=True, help="Show what the bits are spent on, and what the model costs.")
@click.option(
    "--lanes",
    type=Whole(1, 1024),
    metavar="N",
    help="With -m: cut the text into N parts and code them side by side, which is faster; the output is a "
    "little longer.",
)
@optional_model(
    "A directory, a .gguf or .arpa file, a hub id, 'smollm2' or 'builtin'; without it, no model is needed."
)
@arguments.quiet_option
@arguments.json_option
@arguments.html_option
def command(
    file: str,
    out: str | None,
    explain: bool,
    lanes: int | None,
    options: ModelOptions | None,
    quiet: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Compress FILE (any bytes; - for standard input) by arithmetic coding, to about -log2 p(text) bits.

    p is that of the model of -m; without -m, p is learned from FILE itself during coding. The output is decoded and
    compared before it is written. Decompression needs the same model; unless the model is an n-gram, it also needs the
    same machine and the same libraries.

    \b
    pofx compress book.txt
    pofx compress notes.txt -m model --explain
    pofx compress notes.txt -m model --html bits.html
    """
    from pofx.queries.compression.compress import compression

    if lanes is not None and options is None:
        raise click.UsageError("--lanes: expected only with -m MODEL, got without.")
    path = packing.packed_name({"file": file}) if out is None else out
    if path == "-" and (explain or as_json):
        raise click.UsageError(
            "--explain and --json: expected a file to write (-o FILE), got standard output."
        )
    if path == "-" and sys.stdout.isatty():
        raise click.UsageError("-: expected a pipe or a file to write to (-o FILE), got a terminal.")
    data = packing.read(file)
    lm = None if options is None else options.load()
    with packing.progress_bar(quiet) as progress:
        made = compression(lm, data, lanes, progress=progress)
    packing.write(path, made.blob, quiet)
    if not quiet:
        each = f", {8 * len(made.blob) / len(data):.4f} bits a byte" if data else ""
        click.echo(
            f"pofx: {count_noun(len(data), 'byte')} to {len(made.blob):,}{each}; decoded and compared",
            err=True,
        )
    if not (explain or as_json or html_path):
        return
    import lzma

    model = 0
    if options is not None:
        model = _model_size(options.name)
    xz = len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
    if html_path:
        from pofx.report.html.page import Section, compression_block

        title = "The bits of a compressed file"
        models = [] if options is None else [(options.name, lm)]
        write_page(html_path, title, [Section(title, (compression_block(made, xz),))], models, quiet)
    if as_json:
        from pofx.report.json_records import dumps

        click.echo(dumps(_record(made, model, xz)))
    elif explain:
        from rich.console import Console

        from pofx.report.terminal.compression import break_even_sentence, compression_table

        console = Console()
        console.print(compression_table(made, xz))
        if options is not None:
            console.print(break_even_sentence(made, model, xz), highlight=False)


def _record(made: Compression, model: int, xz: int) -> dict[str, Any]:
    fields = {f.name: getattr(made, f.name) for f in dataclasses.fields(made) if f.name != "blob"}
    from pofx.report.terminal.compression import break_even

    return {
        **fields,
        "compressed_bytes": len(made.blob),
        "payload_bits": made.payload_bits,
        "xz_bytes": xz,
        "model_bytes": model,
        "break_even_bytes": break_even(made, model, xz),
    }


def _model_size(name: str) -> int:
    """Return the bytes of the files of a model by its name, which a decoder needs beside the compressed file."""
    from pofx.models.saving import RECORD

    path = Path(name)
    if path.is_file():
        return path.stat().st_size
    if not path.is_dir():
        path = _in_cache(name)
    # The record of fitted documents decides no number, so a decoder does not need the record.
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and p.name != RECORD)


def _in_cache(name: str) -> Path:
    from pofx.files.cache import cache_dir
    from pofx.models.loading import BUILTIN

    if name == BUILTIN:
        models = [
            p for p in cache_dir().glob("builtin-*") if p.is_dir()
        ]  # the documents are files beside the models
        made = sorted(models, key=lambda p: p.stat().st_mtime)
        return made[-1] if made else cache_dir() / BUILTIN
    from pofx.models.pretrained.checkpoint.source import find_checkpoint

    return find_checkpoint(name)
