"""pofx filter: keep the documents of known languages whose probability is that of a sample, and each document once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.command import Group
from pofx.cli.commands.corpora.filter_fit import fit
from pofx.cli.options import arguments
from pofx.cli.options.arguments import Keeping, keeping_options
from pofx.cli.options.filter_page import write_filter_page
from pofx.cli.options.layout import Layout, layout_options
from pofx.cli.options.rows import keep_option
from pofx.cli.options.sharding import Sharding, sharding_options
from pofx.cli.options.written import Verb, Written
from pofx.cli.output.filter_report import print_sides
from pofx.cli.running.filter_recipe import FilterRecipe
from pofx.errors import Argument, BadValue
from pofx.files.urls import is_url

if TYPE_CHECKING:
    from pofx.jobs.filter_rows import FilterRows
    from pofx.jobs.filtered.running import FilterEnd
    from pofx.jobs.job import Job


@click.group(
    cls=Group, short_help="Keep good documents of known languages, each once.", invoke_without_command=True
)
@click.pass_context
def command(context: click.Context) -> None:
    """Keep the documents of a corpus that are of a known language, neither too surprising nor too predictable, and no copy.

    \b
    pofx filter fit sample.jsonl --language en=en.txt --language de=de.txt -o quality
    pofx filter fit sample.txt --good good.txt --bad bad.txt -o quality
    pofx filter apply quality web/*.jsonl.gz -o kept/ --rest rejected/ --workers 8
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


command.add_command(fit)


class _Directory(Written):
    """The type of an output directory, whose name needs no / at its end."""

    def is_in_store(self, path: str) -> bool:
        """Return whether the path is the URL of a prefix of a store."""
        return is_url(path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name with / at its end; the name of a file, which is refused later, as it is."""
        return value if value.endswith("/") or Path(value).is_file() else f"{value}/"


def _never(path: Path, values: Any) -> bool:
    return False  # the run itself compares what stands there with its plan


@command.command(cls=Verb, short_help="Filter files into two directories.")
@click.argument("directory", metavar="DIR")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=_Directory(dir_okay=True, finished=_never),
    metavar="KEPT/",
    help="The directory of documents that are kept; it may be in a store, such as s3://bucket/kept/.",
)
@click.option(
    "--rest",
    required=True,
    type=_Directory(dir_okay=True, finished=_never),
    metavar="REST/",
    help="The directory of all other documents, each with the reason.",
)
@click.option(
    "--dedupe",
    type=click.Choice(["near", "exact", "none"]),
    default="near",
    show_default=True,
    help="Of documents that are equal (exact), or also of those that share 80 % of their 5-character shingles (near), "
    "keep the first one.",
)
@click.option(
    "--drop",
    multiple=True,
    type=click.Choice(["fitted", "midway"]),
    help="Also drop documents on which a model of the filter was fitted, or that begin or end mid-way (repeatable).",
)
@keep_option
@keeping_options
@sharding_options
@layout_options
@arguments.quiet_option
@arguments.json_option
@arguments.html_option
def apply(
    directory: str,
    files: tuple[str, ...],
    out: str,
    rest: str,
    dedupe: Any,
    drop: tuple[str, ...],
    keep: tuple[str, ...],
    keeping: Keeping,
    sharding: Sharding,
    layout: Layout,
    quiet: bool,
    as_json: bool,
    html_path: str | None,
) -> None:
    """Judge each document of FILES by the filter in DIR, and write it to KEPT or to REST.

    The columns say the language and its posterior, log p, bits per byte and their quantile in the filter's sample, whether
    the document begins or ends mid-way, whether a model was fitted on it, which document it is a copy of, and why it is not
    kept. Exit code 1 if some rows hold no document; REST/errors says why.
    """
    from pofx.errors import require
    from pofx.jobs.documents import Documents
    from pofx.jobs.filtered.running import SCORES

    require("pyarrow", "data", "writing Parquet")
    _check_stores(out, rest)
    documents = Documents(layout.files(files), layout, keep=keep)
    documents.look()
    recipe = FilterRecipe(
        directory, documents, keep, f"{out.rstrip('/')}/{SCORES}", keeping, dedupe, tuple(sorted(set(drop)))
    )
    rows = recipe.rows()
    rows.columns({})
    ended = _followed(recipe.job(rows), rows, recipe, sharding, (out, rest), quiet or as_json)
    print_sides(ended, out, rest, as_json, quiet)
    if html_path and ended.kept is not None:
        from pofx.jobs.filtered.running import judged_documents

        write_filter_page(html_path, rows.quality, judged_documents(out, rest), directory, quiet)
    if ended.failed or (ended.rest is not None and ended.rest.errors):
        click.get_current_context().exit(1)


def _check_stores(out: str, rest: str) -> None:
    """Refuse a side in a store that cannot be reached, or that holds the other side, before long work."""
    from pofx.files.folders.opening import open_folder

    if is_url(out) and (out.startswith(rest) or rest.startswith(out)):
        raise BadValue(
            f"expected a prefix beside that of -o, {out!r}, got {rest!r}",
            "name another prefix",
            argument=Argument("rest", "--rest"),
        )
    for side in (out, rest):
        if is_url(side):
            open_folder(side).check()


def _followed(
    job: Job, rows: FilterRows, recipe: FilterRecipe, sharding: Sharding, sides: tuple[str, str], quiet: bool
) -> FilterEnd:
    """Run the filter, and show how far it is."""
    from pofx.cli.output.unit_meter import unit_meter
    from pofx.jobs.filtered.running import Stage, run_filter
    from pofx.jobs.sharded.running import ShardedJob
    from pofx.jobs.sharded.sizing import unit_bytes

    sharded = ShardedJob(
        recipe,
        job.out,
        sharding.wanted,
        lambda: sharding.unit_bytes or unit_bytes(job, sharding.processes),
        sharding.max_error_rate,
        job.fresh or job.overwrite,
        sharding.ray,
    )
    run = run_filter(job, rows.dedupe, sharded, *sides)
    with unit_meter(not quiet) as meter:
        try:
            while True:
                event = next(run)
                if isinstance(event, Stage):
                    meter.stage(event.told)
                else:
                    meter.note(event)
        except StopIteration as stop:
            ended: FilterEnd = stop.value
            return ended
        except KeyboardInterrupt:
            run.close()
            click.echo(
                f"pofx: interrupted; the units that are judged are kept in {job.out}; the same command goes on from there",
                err=True,
            )
            click.get_current_context().exit(130)
