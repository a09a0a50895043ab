"""A command that has commands: it says which there are when none, or another, was named."""

from __future__ import annotations

import click


class Group(click.Group):
    """As click's, but a command that is none is told which there are."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse a word that is no command of this group."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(f"expected a verb ({', '.join(known)}), found {args[0]!r}.", ctx)
        return super().resolve_command(ctx, args)
