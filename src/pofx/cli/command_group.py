"""A command that has commands: it says which there are when none, or another, was named."""

from __future__ import annotations

from typing import Any

import click

from pofx.cli.spelling import in_shell


class Group(click.Group):
    """As click's, but a command that is none is told which there are."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error names the options of that command."""
        from pofx.errors import PofxError

        try:
            return super().invoke(ctx)
        except PofxError as e:
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            verb = ctx if command is None else click.Context(command, ctx, ctx.invoked_subcommand)
            raise in_shell(e, verb) from e

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse a word that is no command of this group."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(f"expected a verb ({', '.join(known)}), found {args[0]!r}.", ctx)
        return super().resolve_command(ctx, args)
