"""pofx models: list the models that can be loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.spelling import in_shell


@click.command(cls=Command, short_help="List the models at hand.")
@click.argument("directory", default=".", type=click.Path(exists=True, file_okay=False))
@arguments.json_option
def command(directory: str, as_json: bool) -> None:
    """List the built-in model, the pretrained models, and the models saved in DIRECTORY (by default, the current one)."""
    rows: list[dict[str, Any]] = [
        {
            "model": "builtin",
            "family": "ngram",
            "x0": True,
            "EOS": True,
            "what": "the docstrings of the Python standard library",
        }
    ]
    rows += _pretrained()
    rows += _saved(Path(directory))
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pofx.report.visible import visible

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("model", "family", "x0", "EOS", "what"):
        table.add_column(name)
    for row in rows:
        # `Text` keeps a name in square brackets, which `rich` would read as markup.
        table.add_row(
            *(
                Text(visible(cell))
                for cell in (row["model"], row["family"], _yes(row["x0"]), _yes(row["EOS"]), row["what"])
            )
        )
    Console().print(table)
    click.echo("Make a model: pofx fit FILE -o model    Use a model: pofx score --text … -m model", err=True)


def _pretrained() -> list[dict[str, Any]]:
    """Return the models with a name, installed or not, and the models converted from other GGUF files."""
    from pofx.errors import BadSource
    from pofx.files.cache import entries, model_path
    from pofx.files.json_file import read_object
    from pofx.models.pretrained.checkpoint.rules import GGUF_CARD, MAX_CONFIG
    from pofx.models.pretrained.checkpoint.source import packaged_models

    # The x0 of a model is known only after a pinned audit and the tokenizer are read, except for these two models.
    x0 = {"smollm2": False, "gemma3-270m": True}
    out: list[dict[str, Any]] = [
        {
            "model": n.name,
            "family": "pretrained",
            "x0": x0.get(n.name),
            "EOS": True,
            "what": n.what if n.installed else f"not installed; {n.get}",
            "installed": n.installed,
            "get": n.get,
        }
        for n in packaged_models()
    ]
    for e in entries():
        try:
            card = read_object(model_path(e.name) / GGUF_CARD, MAX_CONFIG, infinite=True)
        except BadSource:
            continue  # no converted model
        if card.get("source") not in x0:
            out.append(
                {
                    "model": e.name,
                    "family": "pretrained",
                    "x0": card.get("add_bos") is True,
                    "EOS": card.get("eos") is not None,
                    "what": f"converted from {str(card.get('source'))[:60]}.gguf",
                    "installed": True,
                }
            )
    return out


def _saved(directory: Path) -> list[dict[str, Any]]:
    from pofx.errors import PofxError
    from pofx.models.saving import CARD, read_card

    out: list[dict[str, Any]] = []
    below = sorted(p.parent for p in directory.glob(f"*/{CARD}") if not p.parent.name.startswith("."))
    for home in [directory, *below] if (directory / CARD).is_file() else below:
        try:
            card = read_card(home)
        except PofxError as e:
            out.append({"model": str(home), "family": "?", "x0": None, "EOS": None, "what": str(in_shell(e))})
            continue
        out.append(
            {
                "model": str(home),
                "family": str(card.get("family")),
                "x0": card.get("begin") is True,
                "EOS": card.get("end") is True,
                "what": str(card.get("window", "")),
            }
        )
    out += [
        {"model": str(p), "family": "ngram", "x0": None, "EOS": None, "what": "ARPA file"}
        for p in sorted([*directory.glob("*.arpa"), *directory.glob("*.arpa.gz")])
    ]
    return out


def _yes(there: bool | None) -> str:
    return "?" if there is None else "yes" if there else "no"
