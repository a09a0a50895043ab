"""The options of verbs that write a file of rows: the file, and the fields of the input that rows keep or need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from pofx.cli.options.sharding import is_directory
from pofx.cli.options.written import Values, Written
from pofx.files.urls import is_url

F = TypeVar("F", bound=Callable[..., Any])


def _keep(where: str, target: str) -> Callable[[F], F]:
    return click.option(
        "--keep",
        multiple=True,
        metavar="NAME",
        help=f"{where}: copy this field of the input into {target} (repeatable).",
    )


keep_option = _keep("-o", "the rows")
# The option of a verb that also writes a page.
keep_or_show_option = _keep("-o or --html", "the rows or the page")
given_field_option = click.option(
    "--given-field",
    metavar="NAME",
    help="jsonl, csv, parquet: condition each row's text on the prefix in its field NAME.",
)


def _rows_beside(path: Path) -> Iterator[Path]:
    """Yield the files that stand beside a file of rows while the run lasts."""
    from pofx.files.journal_files import files_beside

    if not path.is_dir():
        yield from files_beside(path)


def _rows_finished(path: Path, values: Values) -> bool:
    """Return whether a file of rows is finished; a known file is compared with this run after the model is loaded."""
    from pofx.files.finished_runs import is_known
    from pofx.files.journal_files import is_finished

    return not path.is_dir() and is_finished(path) and not is_known(path)


class WrittenRows(Written):
    """The type of -o: a file of rows, or a directory of parts, whose run itself looks at what stands there."""

    def is_in_store(self, path: str) -> bool:
        """Return whether the path is the URL of a directory of parts."""
        return is_url(path) and is_directory(path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a directory as it was typed; `click` refuses one where a file is expected."""
        return value if is_directory(value) else super().convert(value, param, ctx)


def rows_out_option(unit: str) -> Callable[[F], F]:
    """Give a verb -o for a file with one row per `unit`."""
    return click.option(
        "-o",
        "--out",
        type=WrittenRows(beside=_rows_beside, finished=_rows_finished),
        metavar="FILE|DIR/",
        help=f"With FILES: write one row per {unit} to a .csv, .tsv, .jsonl (also .gz, .zst), .parquet or .arrow file, or "
        "to parts in a directory, by several processes. The same command continues a run that was stopped.",
    )
