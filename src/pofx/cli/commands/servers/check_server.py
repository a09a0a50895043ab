"""pofx check-server: test whether a server gives the log-probabilities of prompts as evaluation clients expect them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pofx.cli.command import Command
from pofx.cli.options import arguments
from pofx.cli.options.model import ModelName, ModelOptions

if TYPE_CHECKING:
    from pofx.server_check.check import ServerCheck


@click.command(cls=Command, short_help="Test any OpenAI-style server that scores prompts.")
@click.argument("url", metavar="URL")
@click.option(
    "--model", metavar="NAME", help="The name of the model at the server; by default the first it lists."
)
@click.option(
    "--api-key",
    envvar="POFX_API_KEY",
    show_envvar=True,
    metavar="KEY",
    help="The key of the server, which is sent to URL only.",
)
@click.option(
    "--reference",
    type=ModelName(),
    metavar="MODEL",
    help="A model that pofx loads and that the server runs: its numbers are compared, in nats a token.",
)
@arguments.json_option
def command(url: str, model: str | None, api_key: str | None, reference: str | None, as_json: bool) -> None:
    """Test a server: does /v1/completions give the log-probabilities of prompts as evaluation clients expect them?

    Each check prints one line: pass, warn, fail, or skip for a check that is impossible on this server. Exit code 1 if a
    check failed, 2 if the server cannot be reached. The test sends about 150 requests.

    \b
    pofx check-server http://127.0.0.1:8000
    pofx check-server http://127.0.0.1:8000/v1 --model smollm2 --reference smollm2
    """
    from pofx.models.outside.address import is_loopback
    from pofx.models.outside.http_client import ServerClient
    from pofx.server_check.check import check_server

    with ServerClient(url, api_key) as client:
        if api_key is not None and client.address.startswith("http:") and not is_loopback(client.address):
            click.echo(f"pofx: warning: the key travels to {client.address} unencrypted; use https", err=True)
        lm = None
        if reference is not None:
            client.ask(
                "GET", "/v1/models"
            )  # an address without a server is refused before a large model is read
            lm = ModelOptions(reference, None, None, "float32", None, None, None).load()
        failed = _print(check_server(client, model, lm), as_json)
    if failed:
        click.get_current_context().exit(1)


def _print(test: ServerCheck, as_json: bool) -> bool:
    """Print what the checks find; return whether any failed."""
    if as_json:
        from dataclasses import asdict

        from pofx.report.json_records import dumps

        report = test.report()
        click.echo(dumps({**asdict(report), "failed": report.failed}))
        return report.failed
    from rich.console import Console

    from pofx.cli.output.server_lines import print_findings

    return print_findings(test, Console())
