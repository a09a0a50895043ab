"""pofx page: look at p(x) in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pofx.cli.command import Command
from pofx.cli.options.numbers import Whole
from pofx.cli.serving import options_of_served_models, serve_models, show_page

if TYPE_CHECKING:
    from pofx.server.classifiers.served import ServedClassifier
    from pofx.server.table import ServedModel


@click.command(cls=Command, numbers="Server", short_help="Look at p(x) in a browser.")
@options_of_served_models
@click.option(
    "--port",
    type=Whole(0, 65535),
    default=0,
    help="The port; by default a free one.",
)
@click.option("--no-open", is_flag=True, help="Write the address, and open no browser.")
def command(
    names: tuple[str, ...], classifiers: tuple[str, ...], port: int, no_open: bool, **said: Any
) -> None:
    """Open a page where a text is typed and its log-probability is seen, token by token.

    The page is served to this machine alone, as 'pofx serve' does. Ctrl-C or SIGTERM ends it.

    \b
    pofx page
    pofx page -m smollm2 --begin "<|endoftext|>" -m builtin
    """
    from pofx.server.settings import Settings

    def ready(served: list[ServedModel], found: list[ServedClassifier], at: int) -> None:
        from pofx.server.running.banner import address, classifier_line, model_line

        url = address(settings, at)
        models = "".join(f"  {model_line(m)}\n" for m in served)
        models += "".join(f"{classifier_line(c)}\n" for c in found)
        click.echo(f"pofx shows its page at {url}\n{models}\nCtrl-C ends it.")
        if not no_open:
            show_page(url)

    settings = Settings(port=port)
    serve_models(names, classifiers, said, settings, ready, "pofx page")
