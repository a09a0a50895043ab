"""pofx serve: answer over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pofx.cli.command import Command
from pofx.cli.options.model import OPTIONS, ModelName, ModelOptions
from pofx.cli.options.named_models import named_models
from pofx.cli.options.numbers import Whole

if TYPE_CHECKING:
    from pofx.lm.model import LM


def _options_of_models(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a model, which here hold for all models; a conversation is a matter of each request."""
    for option in reversed(OPTIONS[1:]):
        function = option(function)
    function.__click_params__ = [p for p in function.__click_params__ if p.name != "chat"]  # type: ignore[attr-defined]
    return function


@click.command(cls=Command, numbers="Server", short_help="Answer evaluation clients over HTTP.")
@click.option(
    "-m",
    "--model",
    "names",
    type=ModelName(),
    multiple=True,
    metavar="[NAME=]MODEL",
    help="A directory, a .gguf or .arpa file, a hub id, 'smollm2', or 'builtin' (the default); repeatable. Clients call a "
    "model by NAME, by default the last part of MODEL without its ending.  [env var: POFX_MODEL]",
)
@_options_of_models
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
    "--grace",
    type=Whole(0, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long admitted requests may take after Ctrl-C or SIGTERM.",
)
def command(
    names: tuple[str, ...],
    host: str,
    port: int,
    key: str | None,
    origins: tuple[str, ...],
    deterministic: bool,
    grace: int,
    **said: Any,
) -> None:
    """Serve models: OpenAI's /v1/completions with true log-probabilities of prompts, and pofx's own /v1/score.

    The server answers this machine alone, unless --host and --api-key say otherwise. Ctrl-C or SIGTERM ends it.

    \b
    pofx serve -m smollm2
    pofx serve -m model -m big=other.gguf --port 9000
    POFX_API_KEY=… pofx serve --host 0.0.0.0
    """
    from pofx.errors import require

    for module in ("starlette", "uvicorn", "orjson", "pydantic", "prometheus_client"):
        require(module, "serve", "pofx serve")
    from pofx.server.app import make_app
    from pofx.server.incoming.protect import check_settings
    from pofx.server.running.banner import banner
    from pofx.server.running.lifecycle import bind, run
    from pofx.server.settings import Settings

    settings = Settings(
        host=host, port=port, api_key=key, origins=origins, deterministic=deterministic, grace=grace
    )
    check_settings(settings)
    names = names or (os.environ.get("POFX_MODEL") or "builtin",)
    named = named_models(names, ModelOptions(names[0], **said))
    with bind(host, port) as at:
        models = [(name, _loaded(options, len(named) == 1)) for name, options in named]
        app = make_app(models, settings)
        run(app, at, settings, lambda at: click.echo(banner(app.state.table, settings, at)))


def _loaded(options: ModelOptions, alone: bool) -> LM:
    """A model without notes on texts, which here are those of clients; `--begin` of several is for those without x0."""
    lm = options.load() if alone else options.load_with_stand_ins()
    lm.vocab.listener = None
    return lm
