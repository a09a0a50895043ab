"""pofx serve: answer over HTTP."""

from __future__ import annotations

import click

from pofx.cli.command import Command
from pofx.cli.options.model import ModelName, ModelOptions
from pofx.cli.options.numbers import Whole


@click.command(cls=Command, short_help="Answer evaluation clients over HTTP.")
@click.option(
    "-m",
    "--model",
    "names",
    type=ModelName(),
    multiple=True,
    required=True,
    metavar="MODEL",
    help="A directory, a .gguf or .arpa file, a hub id, 'smollm2' or 'builtin' (repeatable).",
)
@click.option(
    "--begin", metavar="TOKEN", help="Use TOKEN as x0, the start-of-text symbol, of models that have none."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", type=Whole(0, 65535), default=8000, show_default=True, help="The port; 0 for a free one."
)
@click.option(
    "--deterministic",
    is_flag=True,
    help="Compute each text alone, so that a number does not depend on other requests; slower.",
)
def command(names: tuple[str, ...], begin: str | None, host: str, port: int, deterministic: bool) -> None:
    """Serve models: OpenAI's /v1/completions with true log-probabilities of prompts, and pofx's own /v1/score.

    \b
    pofx serve -m smollm2
    pofx serve -m model -m other.gguf --port 9000
    """
    from pofx.errors import require

    require("starlette", "serve", "pofx serve")
    require("uvicorn", "serve", "pofx serve")
    import uvicorn

    from pofx.server.app import make_app
    from pofx.server.settings import Settings

    options = [ModelOptions(name, begin, None, "float32", None, None, None) for name in names]
    models = [(o.name, o.load()) for o in options]
    settings = Settings(host=host, port=port, deterministic=deterministic)
    uvicorn.run(make_app(models, settings), host=host, port=port, log_level="warning")
