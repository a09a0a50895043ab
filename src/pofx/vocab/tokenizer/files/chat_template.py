"""A model's own chat template: where the template stands in the model's files, and conversations as ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pofx.errors import BadSource, BadValue
from pofx.files.isolated.process import Failed, run_isolated
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.vocabulary import Vocab

FILE = "chat_template.jinja"
MOST_BYTES = 1 << 20  # of a template; the longest known has 30 KB
MOST_RENDERED = 1 << 20  # characters
TASKS = (
    "pofx.vocab.tokenizer.tasks"  # named, not imported: the tasks need the vocabulary, which needs this file
)
SECONDS, MEMORY = 5.0, 1 << 30
_PRIVATE = range(0xE000, 0xF8FF)


@dataclass(frozen=True)
class Template:
    """A template in Jinja, and the tokens that the template may name: "bos_token", "eos_token" and others."""

    source: str
    special: Mapping[str, str]


class ChatVocab(Protocol):
    """The parts of a vocabulary that encoding a conversation uses."""

    @property
    def control(self) -> ControlTokens:
        """The control tokens of the vocabulary."""

    @property
    def opens(self) -> str:
        """The parts of a text before which the tokenizer puts a space."""

    @property
    def lstrip(self) -> frozenset[str]:
        """The names of control tokens that include the white space before them."""

    @property
    def rstrip(self) -> frozenset[str]:
        """The names of control tokens that include the white space after them."""

    @property
    def continuation(self) -> Vocab:
        """The vocabulary of texts that continue others."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""


def read_template(folder: Path, config: Mapping[str, Any]) -> Template | None:
    """Return the template of a checkpoint, from chat_template.jinja or else tokenizer_config.json; None without one."""
    path = folder / FILE
    special = {k: _content(v) for k, v in config.items() if k.endswith("_token")}
    named = {k: v for k, v in special.items() if v is not None}
    if path.is_file():
        if path.stat().st_size > MOST_BYTES:
            raise BadSource(
                f"{path}: expected a template of at most {MOST_BYTES >> 20} MiB, got a larger one",
                "take the template from the model's author",
            )
        return Template(path.read_text("utf-8", "replace"), named)
    found = config.get("chat_template")
    if isinstance(found, list):  # templates by name, an old way to have several
        templates = [t for t in found if isinstance(t, dict) and t.get("name") == "default"]
        found = templates[-1].get("template") if templates else None
    return Template(found, named) if isinstance(found, str) and found else None


def render_chat(
    vocab: ChatVocab, template: Template, messages: Sequence[Mapping[str, Any]]
) -> tuple[list[int], str]:
    """Return the ids of a conversation up to the place where the model continues, and the text that the template makes.

    The template is rendered by `transformers`, in its sandbox, in a process of its own with limits on time, memory and
    length. Only the template can write control tokens. The content of messages stays text: before the template is
    rendered, an unused character is put into each name of a control token in a message.

    Args:
        vocab: The vocabulary of the model.
        template: The chat template.
        messages: Objects with a role and a content, in order.

    Returns:
        The ids, and the text without the unused character.

    Raises:
        BadValue: The template refuses the messages, or does not end within its limits.
    """
    names = sorted(vocab.control.names, key=len, reverse=True)
    mark = _unused(template.source, messages)
    shielded = _shielded(messages, names, mark)
    request = {
        "template": template.source,
        "messages": shielded,
        "special": dict(template.special),
        "most": MOST_RENDERED,
    }
    try:
        found: str = run_isolated("render", request, SECONDS, MEMORY, TASKS)
    except Failed as e:
        raise BadValue(
            f"expected a conversation that the model's chat template takes, got: {e!s:.200}",
            "read in the template which roles and fields it takes",
            argument="messages",
        ) from None
    parts = re.split("(" + "|".join(map(re.escape, names)) + ")", found) if names else [found]
    ids: list[int] = []
    for k, part in enumerate(parts):
        if k % 2:
            ids.append(vocab.control.names[part])
            continue
        text = part.replace(mark, "")
        if k and parts[k - 1] in vocab.rstrip:
            text = text.lstrip()
        if k + 1 < len(parts) and parts[k + 1] in vocab.lstrip:
            text = text.rstrip()
        if text:
            ids += _opened(vocab, text, first=not ids).encode(text)
    return ids, found.replace(mark, "")


def _opened(vocab: ChatVocab, text: str, first: bool) -> ChatVocab | Vocab:
    """Return the vocabulary that puts a space before this part of a text only where the tokenizer puts a space."""
    bare = vocab.opens == "bare parts" or (vocab.opens == "first part" and first)
    opens = vocab.opens == "every part" or (bare and not text.startswith(" "))
    return vocab if opens else vocab.continuation


def _shielded(found: Any, names: Sequence[str], mark: str) -> Any:
    """Return the messages with `mark` in each name of a control token, and in each beginning of such a name at the end."""
    if isinstance(found, str):
        whole = "|".join(map(re.escape, names))
        text = re.sub(whole, lambda m: m[0][0] + mark + m[0][1:], found) if names else found
        starts = {n[:k] for n in names for k in range(1, len(n))}
        for k in range(min(len(text), max(map(len, names), default=0)), 0, -1):
            if text[-k:] in starts:
                return text[:-k] + text[-k] + mark + text[len(text) - k + 1 :]
        return text
    if isinstance(found, Mapping):
        return {k: _shielded(v, names, mark) for k, v in found.items()}
    if isinstance(found, list | tuple):
        return [_shielded(v, names, mark) for v in found]
    return found


def _unused(*found: Any) -> str:
    everything = repr(found)
    return next(chr(c) for c in _PRIVATE if chr(c) not in everything and repr(chr(c))[1:-1] not in everything)


def _content(token: object) -> str | None:
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None
