"""The base of all commands: an option is given once, help is grouped, and a mistyped word gets the nearest known word."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from pofx.cli.spelling import in_shell

# The heading of --help for each option. An option of no group decides the numbers.
_GROUPS = {
    "Input": "id text texts given given_field suffix chat field kind context_field choices_field good_field "
    "bad_field word_field item_fields order_field text_files join attach frequency_files time_field by_field surprisals "
    "baseline group_field label_field language_field languages good bad cluster format split separator encoding "
    "delimiter quoting max_document max_expansion max_bytes test_files",
    "Model": "model model_name against names reference served api_key begin end dtype context stride budget rope pre "
    "adapt normalize unknown",
    "Output": "out record previous rest per k top show_ entropy rank keep with_terms no_text fresh overwrite tokens quiet "
    "as_json html_path explain save_held_out all_classes forget _click_default_help",
}
# The key under which the context of a command keeps the arguments of `pofx`, as they were typed.
TYPED = "pofx.typed"
_HEADING = {name: heading for heading, names in _GROUPS.items() for name in names.split()}


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean 'score'?` where a known word is near, else an empty string."""
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


class Numbers(click.Option):
    """An option whose value is all numbers that follow it, such as `--prune 0 1 1 2`."""


class Command(click.Command):
    """A command that refuses an option with one value given twice, and whose --help has groups.

    Args:
        numbers: The heading of the options that belong to no group of input, model or output.
    """

    def __init__(self, *args: Any, numbers: str = "Numbers", **others: Any) -> None:
        super().__init__(*args, **others)
        self.numbers = numbers

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an option with one value that is given twice: click would silently take the last."""
        args = _joined(args, {name for p in self.params if isinstance(p, Numbers) for name in p.opts})
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(list(args))
            given = Counter(
                p for p in order if isinstance(p, click.Option) and not (p.multiple or p.is_flag or p.count)
            )
            for option, times in given.items():
                if times > 1:
                    raise click.UsageError(f"{_spelled(option)}: expected once, got {times} times.", ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings Input, Model, `numbers` and Output."""
        parts: dict[str, list[tuple[str, str]]] = {h: [] for h in ("Input", "Model", self.numbers, "Output")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                parts[_HEADING.get(parameter.name or "", self.numbers)].append(record)
        for heading, records in parts.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class Group(click.Group):
    """A command with subcommands. After an unknown word the error suggests the nearest command, or lists all commands."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which a user needs them."""
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
            near = did_you_mean(args[0], known)
            verbs = "" if near else f" ({', '.join(known)})"
            raise click.UsageError(f"expected a verb{verbs}, got {args[0]!r}{near or '.'}", ctx)
        return super().resolve_command(ctx, args)


def _joined(args: Sequence[str], names: set[str]) -> list[str]:
    """Make one argument of the numbers after each option of a name; a file whose name is a number needs `./` there."""
    out: list[str] = []
    for arg in args:
        if len(out) > 1 and out[-2] in names and arg.isdecimal():
            out[-1] += f" {arg}"
        else:
            out.append(arg)
    return out


def _spelled(option: click.Option) -> str:
    """Return the shortest spelling of an option: `-m`, `--given`."""
    return min(option.opts, key=len)
