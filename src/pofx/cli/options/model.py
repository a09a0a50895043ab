"""Options that name a model, and the loading of that model with a bar for the person who waits."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pofx.cli.options.chat import Marks, read_messages
from pofx.cli.options.numbers import Whole
from pofx.cli.python_warnings import shown_warnings

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.models.pretrained.checkpoint.stages import Stage, StageListener

F = TypeVar("F", bound=Callable[..., Any])


class ModelName(click.types.StringParamType):
    """The type of a parameter that names a model; a shell completes known names and files."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the built-in model, pretrained models, and files and directories whose names begin so."""
        from pofx.models.pretrained.checkpoint.source import packaged_models

        known = ["builtin", *(n.name for n in packaged_models())]
        names = [CompletionItem(name) for name in known if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


CONTEXT = click.option(
    "--context", type=Whole(2), metavar="N", help="Read longer texts in overlapping windows of N tokens."
)
STRIDE = click.option(
    "--stride",
    type=Whole(1),
    metavar="N",
    help="Tokens from the start of one window to that of the next; half a window by default.",
)
OPTIONS = (
    click.option(
        "-m",
        "--model",
        "model_name",
        type=ModelName(),
        default="builtin",
        envvar="POFX_MODEL",
        show_envvar=True,
        metavar="MODEL",
        help="A directory, a .gguf or .arpa file, a hub id, 'smollm2', or 'builtin' (the default).",
    ),
    click.option(
        "--begin",
        metavar="TOKEN",
        help="Use TOKEN as x0, the start-of-text symbol; results say that x0 is assumed.",
    ),
    click.option("--end", metavar="TOKEN", help="Use TOKEN as EOS, the end-of-text symbol."),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "bfloat16", "int8"]),
        default="float32",
        show_default=True,
        help="Number format of a pretrained model's arithmetic; bfloat16 is faster, and off by about 0.03 nats "
        "per token; int8 takes less memory, and the terms state its error.",
    ),
    CONTEXT,
    STRIDE,
    click.option(
        "--budget",
        type=Whole(1),
        metavar="N",
        help="Tokens that a pretrained model reads at once; lower it if memory runs out.",
    ),
    click.option(
        "--rope",
        type=click.Choice(["short", "long"]),
        default="short",
        show_default=True,
        help="Models with LongRoPE only: which position factors; 'long' for texts beyond the original context.",
    ),
    click.option(
        "--pre",
        metavar="NAME",
        help="GGUF only: the tokenizer's rule for splitting text (gpt-2, llama-bpe, qwen2, …), for a file without the rule.",
    ),
    click.option(
        "--chat",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Condition on a conversation: a file with one JSON object {role, content} per line, rendered by the "
        "model's chat template.",
    ),
    click.option(
        "--adapt",
        is_flag=True,
        help="A mixing model only: go on learning along each text, from the numbers of the fit.",
    ),
    click.option(
        "--normalize",
        is_flag=True,
        help="Score the text as the tokenizer changes it (for example lower-cased), instead of refusing it.",
    ),
)


@dataclass(frozen=True)
class ModelOptions:
    """The options of a model as the user wrote them; `load` loads the model."""

    name: str
    begin: str | None
    end: str | None
    dtype: str
    context: int | None
    stride: int | None
    budget: int | None
    rope: str = "short"
    pre: str | None = None
    chat: str | None = None
    normalize: bool = False
    adapt: bool = False

    def load(self, name: str | None = None, unknown: str = "refuse", shown: bool = True) -> LM:
        """Load the model, or the model `name`; standard error shows slow stages if `shown`."""
        from pofx.models.loading import load

        messages = None if self.chat is None else read_messages(self.chat)
        with _shown() if shown else nullcontext(lambda stage, fraction: None) as progress, shown_warnings():
            lm = load(
                name or self.name,
                self.begin,
                self.end,
                self.dtype,
                context=self.context,
                stride=self.stride,
                budget=self.budget,
                rope=self.rope,
                pre=self.pre,
                adapt=self.adapt,
                normalize=self.normalize,
                unknown=unknown,
                progress=progress,
            )
            if messages is not None:
                from pofx.queries.scoring.chat import chat
                from pofx.transforms.given import given

                lm = given(lm, chat(lm, messages))
        lm.vocab.listener = Marks()
        return lm

    def load_with_stand_ins(self) -> LM:
        """Load one model of several, where `begin` and `end` apply only to a model without its own x0 or EOS."""
        lm = replace(self, begin=None, end=None).load()
        begin = self.begin if lm.begin.known == "none" else None
        end = self.end if lm.vocab.end is None else None
        return lm if begin is None and end is None else replace(self, begin=begin, end=end).load()


# The names of the options of a model beside its name.
OTHERS = tuple(f.name for f in fields(ModelOptions) if f.name != "name")


def model_options(function: F) -> F:
    """Give a verb -m, --begin, --end, --dtype and the other options of a model as one argument `options`."""

    @functools.wraps(function)
    def with_options(*args: Any, model_name: str, **others: Any) -> Any:
        said = {name: others.pop(name) for name in OTHERS}
        return function(*args, options=ModelOptions(model_name, **said), **others)

    out: Any = with_options
    for option in reversed(OPTIONS):
        out = option(out)
    return out  # type: ignore[no-any-return]


def optional_model(help: str, environment: bool = True) -> Callable[[F], F]:
    """Give a verb that needs no model -m and the options of a model as one argument `options`, which is None without -m.

    Args:
        help: The help of -m.
        environment: Whether POFX_MODEL names a model, too; False for a verb that refuses most inputs together with -m.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def with_options(*args: Any, model_name: str | None, **others: Any) -> Any:
            said = {name: others.pop(name) for name in OTHERS}
            options = None if model_name is None else ModelOptions(model_name, **said)
            if options is None:
                unheeded = next(
                    (n for n in OTHERS if said[n] not in (None, False, "short") and n != "dtype"), None
                )
                if unheeded:
                    raise click.UsageError(f"--{unheeded}: expected only with -m MODEL, got without.")
            return function(*args, options=options, **others)

        out: Any = with_options
        for option in reversed(OPTIONS[1:]):
            out = option(out)
        variable: dict[str, Any] = {"envvar": "POFX_MODEL", "show_envvar": True} if environment else {}
        named = click.option(
            "-m", "--model", "model_name", type=ModelName(), metavar="MODEL", help=help, **variable
        )
        return named(out)  # type: ignore[no-any-return]

    return decorate


@contextmanager
def _shown() -> Iterator[StageListener]:
    """Show a bar where standard error is a terminal; elsewhere print one line for a slow stage that happens once."""
    if not sys.stderr.isatty():
        told = False

        def tell(stage: Stage, fraction: float) -> None:
            nonlocal told
            if stage.once and not told:
                told = True
                click.echo("pofx: converting the weights for the first time, once", err=True)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading", total=None)

        def move(stage: Stage, fraction: float) -> None:
            bar.update(task, description=stage, completed=fraction, total=1.0 if fraction > 0 else None)

        yield move
