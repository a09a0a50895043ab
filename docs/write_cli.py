"""Write docs/cli.md from the command line's own --help: `python docs/write_cli.py`; a test fails when it is stale."""

from __future__ import annotations

from pathlib import Path

import click

from pofx.cli.main import VERBS, pofx

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 90
HEAD = """# The command line

This page is written by `python docs/write_cli.py` from the `--help` of each verb; do not edit it.

Exit codes: 0 done; 1 an audit or a check of a server failed, or some rows have no score; 2 refused, with one line on
standard error; 130 interrupted.

| variable | meaning |
|---|---|
| `POFX_MODEL` | the model of a command without `-m` |
| `POFX_CACHE` | the directory of files that pofx can make again; see [cache](cache.md) |
| `POFX_CACHE_LIMIT` | the most room that converted models take there together (20G) |
| `POFX_API_KEY` | the key that clients of `serve` must send, and that `check-server` sends |
| `POFX_DATA` | the directory of files that pofx cannot make again: [pinned verdicts](pretrained.md#x0-is-evidence) |

Each thing has the same spelling in every verb:

| thing | spelling |
|---|---|
| documents | `FILES`, or `--test` where they are held out |
| a text, a prefix | `--text`, `--given` |
| the model | `-m` |
| the number of outcomes, the number of draws | `-k`, `-n` |
| the kind of an outcome, the unit of a length | `--unit` |
| the answer | `--json`, `--html FILE`, `-o FILE`, `--quiet` |

An option with one value is given once; a second one is refused. A shell completes verbs, options and the names of models:

```text
eval "$(_POFX_COMPLETE=bash_source pofx)"   # in ~/.bashrc; zsh_source and fish_source for other shells
```
"""


def render() -> str:
    """The page."""
    parts = [HEAD]
    settings = {k: v for k, v in pofx.context_settings.items() if k == "help_option_names"}
    with click.Context(pofx, info_name="pofx", terminal_width=WIDTH, **settings) as top:
        parts.append(_section("pofx", pofx.get_help(top)))
        for verb in VERBS:
            command = pofx.get_command(top, verb)
            assert command is not None  # noqa: S101  (ours: VERBS is the list of them)
            inner = click.Context(command, parent=top, info_name=verb)
            parts.append(_section(f"pofx {verb}", command.get_help(inner), f"See [{verb}]({verb}.md)."))
            for name, sub in getattr(command, "commands", {}).items():
                below = click.Context(sub, parent=inner, info_name=name)
                parts.append(_section(f"pofx {verb} {name}", sub.get_help(below)))
    return "\n".join(parts)


def _section(title: str, help_text: str, see: str = "") -> str:
    body = "\n".join(line.rstrip() for line in help_text.splitlines())
    return f"## {title}\n\n{see + chr(10) + chr(10) if see else ''}```text\n{body}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
