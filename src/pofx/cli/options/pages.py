"""The page of --html, with the sections of a verb, the command that made the page, and the models."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from pofx.cli.command import TYPED
from pofx.cli.options.arguments import write_text

if TYPE_CHECKING:
    from pofx.lm.model import LM
    from pofx.lm.scorer import Scorer
    from pofx.report.html.blocks import Section
    from pofx.report.html.made import ModelNote

# Options whose value is a secret.
_KEYS = ("--api-key",)


def write_page(
    path: str,
    title: str,
    sections: Sequence[Section],
    models: Iterable[tuple[str, LM | Scorer | None]],
    quiet: bool = False,
    lead: str = "",
) -> None:
    """Write a page, and name the file on standard error unless `quiet`.

    Args:
        path: The file.
        title: The title of the page.
        sections: The sections, in order.
        models: The name and the LM of each model whose numbers the page shows; None for a model that is not loaded.
        quiet: Whether standard error stays empty.
        lead: A line under the title; "" for none.
    """
    write_noted_page(path, title, sections, [note_of(name, model) for name, model in models], quiet, lead)


def note_of(name: str, model: LM | Scorer | None) -> ModelNote:
    """Return what the foot of a page says of a model, so that the model itself need not stay in memory."""
    from pofx.report.html.page import ModelNote, model_note

    return ModelNote(name) if model is None else model_note(name, model)


def write_noted_page(
    path: str,
    title: str,
    sections: Sequence[Section],
    notes: Iterable[ModelNote],
    quiet: bool = False,
    lead: str = "",
) -> None:
    """Write a page as `write_page` does, with the notes of models that may be gone."""
    from pofx.report.html.page import Made, page

    write_text(path, page(title, sections, lead, Made(typed_command(), tuple(notes))), quiet)


def typed_command() -> str:
    """Return the command line as it was typed, its keys left out; "" where no command line was typed."""
    typed: list[str] = click.get_current_context().meta.get(TYPED, [])
    shown: list[str] = []
    hide = False
    for word in typed:
        name, mark, _ = word.partition("=")
        if hide:
            shown.append("…")
        elif name in _KEYS and mark:
            shown.append(f"{name}=…")
        else:
            shown.append(re.sub(r"(\w://)[^/@\s]+@", r"\1…@", word))  # a password in an address
        hide = not hide and word in _KEYS
    # `shlex` would quote the mark "…" of a removed key, since the mark is no ASCII.
    return (
        " ".join(["pofx", *(word if word == "…" else shlex.quote(word) for word in shown)]) if typed else ""
    )
