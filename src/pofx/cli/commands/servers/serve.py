"""pofx serve: answer over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pofx.cli.command import Command
from pofx.cli.options.numbers import Whole
from pofx.cli.serving import options_of_served_models, serve_models, show_page

if TYPE_CHECKING:
    from pofx.server.classifiers.served import ServedClassifier
    from pofx.server.table import ServedModel


@click.command(cls=Command, numbers="Server", short_help="Answer evaluation clients over HTTP.")
@options_of_served_models
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", type=Whole(0, 65535), default=8000, show_default=True, help="The port; 0 for a free one."
)
@click.option(
    "--api-key",
    "key",
    metavar="KEY",
    envvar="POFX_API_KEY",
    show_envvar=True,
    help="The key that clients must send; needed for an address that other machines reach.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Let pages of this site ask (CORS), such as https://example.org; repeatable. By default no page may.",
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="Compute each text alone, so that no bit of a number depends on other requests; slower.",
)
@click.option(
    "--timeout",
    type=Whole(1, 86_400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long the work of one request may take; a longer one is answered with status 503.",
)
@click.option(
    "--grace",
    type=Whole(0, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long admitted requests may take after Ctrl-C or SIGTERM.",
)
@click.option(
    "--prefix-memory",
    "megabytes",
    type=Whole(0, 1 << 20),
    default=512,
    show_default=True,
    metavar="MB",
    help="The memory in which each pretrained model keeps the prefixes that it read last, so that the model reads each "
    "prefix once; 0 for no memory. With --deterministic there is no memory.",
)
@click.option("--open", "opened", is_flag=True, help="Open the page at / in a browser.")
def command(
    names: tuple[str, ...],
    classifiers: tuple[str, ...],
    host: str,
    port: int,
    key: str | None,
    origins: tuple[str, ...],
    deterministic: bool,
    timeout: int,
    grace: int,
    megabytes: int,
    opened: bool,
    **said: Any,
) -> None:
    """Serve models: OpenAI's /v1/completions with true log-probabilities of prompts, pofx's own /v1/score, and a page at /.

    The server answers this machine alone, unless --host and --api-key say otherwise. Ctrl-C or SIGTERM ends it.

    \b
    pofx serve -m smollm2
    pofx serve -m model -m big=other.gguf --port 9000
    pofx serve -c languages
    POFX_API_KEY=… pofx serve --host 0.0.0.0
    """
    from pofx.server.settings import Settings

    settings = Settings(
        host=host,
        port=port,
        api_key=key,
        origins=origins,
        deterministic=deterministic,
        timeout=timeout,
        grace=grace,
        prefixes=megabytes << 20,
    )

    def ready(served: list[ServedModel], found: list[ServedClassifier], at: int) -> None:
        from pofx.server.running.banner import address, banner

        click.echo(banner(served, settings, at, found))
        if opened:
            show_page(address(settings, at))

    serve_models(names, classifiers, said, settings, ready)
