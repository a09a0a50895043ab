"""pofx decompress: restore every byte of a file that `pofx compress` has compressed."""

from __future__ import annotations

import click

from pofx.cli.options import packing
from pofx.cli.options.arguments import json_option, quiet_option
from pofx.cli.options.model import ModelOptions, optional_model
from pofx.cli.options.numbers import Whole
from pofx.cli.options.written import Verb, Written
from pofx.units import count_noun


@click.command(cls=Verb, short_help="Restore every byte of what was compressed.")
@click.argument("file")
@click.option(
    "-o",
    "--out",
    type=Written(allow_dash=True, unnamed=packing.unpacked_name),
    metavar="FILE",
    help=f"Where to write; by default FILE without {packing.ENDING}.",
)
@optional_model("The model that FILE was compressed with, if any.")
@click.option(
    "--max-bytes",
    type=Whole(),
    metavar="N",
    help="Refuse a file that claims to hold more than N bytes; by default, more than both 1 MB and 100 times "
    "its own size.",
)
@quiet_option
@json_option
def command(
    file: str,
    out: str | None,
    options: ModelOptions | None,
    max_bytes: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Restore the bytes that were compressed to FILE (- for standard input).

    The bytes are checked by their hash: the output is exactly what was compressed, or there is an error and no file.

    \b
    pofx decompress book.txt.pofx -o book.txt
    """
    from pofx.errors import Undecodable
    from pofx.queries.compression.blocks import read_compressed
    from pofx.queries.compression.decompress import check_claim, decompress

    path = packing.unpacked_name({"file": file}) if out is None else out
    if path is None:
        raise click.UsageError(
            f"{file}: expected a name that ends in {packing.ENDING}; name the file to write with -o."
        )
    if path == "-" and as_json:
        raise click.UsageError("--json: expected a file to write (-o FILE), got standard output.")
    blob = packing.read(file)
    try:
        # A damaged file is refused before a model is loaded.
        coded = read_compressed(blob)
        check_claim(coded, len(blob), max_bytes)
        needed = bool(coded.identity)
        lm = options.load() if needed and options is not None else None
        with packing.progress_bar(quiet) as progress:
            data = decompress(lm, blob, max_bytes=max_bytes, progress=progress)
    except Undecodable as e:
        where = "standard input" if file == "-" else file
        raise e.within(where) from None
    packing.write(path, data, quiet)
    if not quiet:
        click.echo(f"pofx: {count_noun(len(blob), 'byte')} to {len(data):,}; every hash agrees", err=True)
    if as_json:
        from pofx.report.json_records import dumps

        click.echo(dumps({"compressed_bytes": len(blob), "bytes": len(data), "identity": coded.identity}))
