"""The command `pofx`. The file of a verb is imported when the verb is called, so that `pofx --help` answers at once."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from pofx.cli import streams
from pofx.cli.command import TYPED, Group
from pofx.cli.python_warnings import shown_warnings
from pofx.cli.spelling import in_shell

# verb -> its line in `pofx --help`; pofx.cli.commands.<room>.<verb> holds `command`, with _ for - in its name.
VERBS = {
    "fit": "Fit a model to documents.",
    "score": "Give the log-probability of texts, term by term.",
    "words": "Give the surprisal of each word; the sum is that of the text.",
    "stimuli": "Give the surprisal of the word or region in each row of a table.",
    "reading": "Measure how well surprisals predict reading times.",
    "marginal": "Give the probability of a string, summed over all its tokenisations.",
    "next": "List what may come next: words, characters, bytes or tokens.",
    "sample": "Draw texts from a model.",
    "infill": "Fill the gap between a prefix and a suffix.",
    "condition": "Give the distribution of texts that meet a condition.",
    "compress": "Compress a file to about -log2 p(its text) bits.",
    "decompress": "Restore every byte of what was compressed.",
    "audit": "Check whether a model is the joint distribution it claims to be.",
    "corpus": "Check whether documents are independent draws of one p.",
    "classify": "Classify texts, by one model per class and Bayes' rule.",
    "filter": "Keep good documents of known languages, each once.",
    "jobs": "Tell how far a job in a directory is.",
    "verify": "Check that the output directory of a job is whole.",
    "posterior": "Tell which of several models a text is from.",
    "evaluate": "Answer questions with choices; judge minimal pairs.",
    "diff": "Compare two models on the same texts.",
    "page": "Look at p(x) in a browser.",
    "serve": "Answer evaluation clients over HTTP.",
    "check-server": "Test whether a server gives true log-probabilities of prompts.",
    "models": "List the models at hand.",
    "cache": "Show or clear the files that pofx keeps and can make again.",
    "demo": "See p(x) at work: fit, score, sample and audit on text that is on every machine.",
}

# The room of each verb's file below pofx.cli.commands.
ROOMS = {
    "models": ("fit", "audit", "models", "cache", "demo"),
    "scoring": ("score", "words", "stimuli", "reading", "marginal", "next", "posterior", "evaluate", "diff"),
    "strings": ("sample", "infill", "condition", "compress", "decompress"),
    "corpora": ("corpus", "classify", "filter"),
    "jobs": ("jobs", "verify"),
    "servers": ("page", "serve", "check-server"),
}

HELP = """p(x) for language models: a joint probability distribution over strings.

    p(x) = p(x1|x0) · p(x2|x0,x1) · … · p(EOS|x0,x)

x0 is the start-of-text symbol (BOS), and EOS is the end-of-text symbol. Numbers are nats
unless a unit says otherwise. Without -m, pofx uses a small model of the Python documentation; 'pofx models' lists others.

\b
Try: pofx score --text "She loves smol kittens"
     pofx demo
"""


def module_of(verb: str) -> str:
    """Return the name of the module that holds a verb."""
    room = next(r for r, verbs in ROOMS.items() if verb in verbs)
    return f"pofx.cli.commands.{room}.{verb.replace('-', '_')}"


class Verbs(Group):
    """The verbs, which are imported only when they run."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Keep the arguments as they were typed, since a page shows the command that made the page."""
        typed = list(args)
        ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta[TYPED] = typed
        return ctx

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a new user needs them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb's file."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(module_of(cmd_name)).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        if os.environ.get("POFX_CACHE_LIMIT") and not {"-h", "--help"} & set(ctx.args):
            from pofx.files.cache import limit

            limit()  # every verb refuses a malformed limit, also a verb that converts nothing
        return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs, without importing a verb."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    help=HELP,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "--version", package_name="pofx")
@click.pass_context
def pofx(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Run a command.

    Exit codes: 0 done; 1 an audit or a check of a server failed, or some rows have no score; 2 refused, with one line on
    stderr; 130 Ctrl-C.
    """
    from pofx.errors import Interrupted, PofxError
    from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error

    streams.prepare()
    try:
        with shown_warnings():
            code = pofx.main(args=arguments, standalone_mode=False, prog_name="pofx")
        sys.stdout.flush()  # only this call reports a full disk
    except click.exceptions.Abort:
        code = _say("interrupted", 130)
    except KeyboardInterrupt:
        code = _say("interrupted", 130)
    except click.UsageError as e:
        verb = e.ctx.command_path if e.ctx is not None else "pofx"
        said = _one_line(e.format_message())
        end = "" if said.endswith((".", "?")) else "."
        code = _say(f"error: {said}{end} See '{verb} --help'.", 2)
    except click.ClickException as e:
        code = _say(f"error: {_one_line(e.format_message())}", 2)
    except PofxError as e:
        stopped = isinstance(e, Interrupted)
        code = _say(f"{'' if stopped else 'error: '}{_one_line(str(e))}", 130 if stopped else 2)
    except SystemExit:
        code = 0  # click and rich exit with 1 at a closed pipe (head, less), though the reader is content
    except BrokenPipeError:
        code = 0  # the reader of the pipe is content
        streams.silence()
    except OSError as e:
        where = "" if e.filename is None else f"{os.fsdecode(e.filename)}: "
        said = f"{where}{e.strerror or e}"
        if is_out_of_memory(e):
            said = str(in_shell(out_of_memory_error()))
        elif e.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            said = f"{where}expected room to write, got: {e.strerror}; make room, or choose another path"
        elif e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            said += "; choose another path, or change the permissions"
        elif e.errno == errno.ENOENT:
            said += "; check the path"
        code = _say(f"error: {_one_line(said)}", 2)
        streams.silence()
    except (MemoryError, RuntimeError) as e:
        if not is_out_of_memory(e):
            raise
        code = _say(f"error: {in_shell(out_of_memory_error())}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str, code: int) -> int:
    click.echo(f"pofx: {message}", err=True)
    return code


def _one_line(message: str) -> str:
    # Names come from files and arguments, and an escape sequence in a name must not reach the terminal.
    line = " ".join(message.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
