"""The space that a tokenizer puts before a text: the step is removed, since the space is no part of the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pofx.errors import BadSource
from pofx.vocab.tokenizer.files.tokenizer_json import TokenizerFile
from pofx.vocab.tokenizer.normalized import normalizer_function

# The parts of a text, between control tokens, before which a tokenizer puts a space. "bare parts" are the parts that do not
# begin with a space; "first part" is the first part, unless this part begins with a space.
Opens = Literal["none", "every part", "bare parts", "first part"]


def remove_opening_space(
    file: TokenizerFile, mark: str | None
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], Opens, str]:
    """Return the steps of a tokenizer without the space that they put before a text.

    Args:
        file: The tokenizer.
        mark: The character that stands for a space in the table of tokens, or None.

    Returns:
        The normalizers and the pre_tokenizers without that space, the parts of a text before which the tokenizer puts a
        space, and the text that the normalizers put before a text.

    Raises:
        BadSource: A step puts a space before every piece, or the space before a text is unlike any other space.
    """
    opens: Opens = "none"
    prepended = ""
    normalizers: list[Mapping[str, Any]] = []
    pre_tokenizers: list[Mapping[str, Any]] = []
    for step in file.normalizers:
        if step["type"] == "Prepend" and step["prepend"] in (mark, " "):
            opens, prepended = "every part", step["prepend"] + prepended
        else:
            normalizers.append(step)
    for k, step in enumerate(file.pre_tokenizers):
        puts = step.get("add_prefix_space", step["type"] in ("Metaspace", "ByteLevel"))
        scheme = step.get("prepend_scheme", "always" if puts else "never")
        if scheme == "always" and k > 0:
            raise BadSource(
                f"{file.name}: expected a space before the text at most, got {step['type']} after another "
                "pre_tokenizer, which puts a space before every piece",
                "use another model: this model gives no probability of the text itself",
            )
        if scheme != "never":
            if opens == "none":
                opens = "first part" if scheme == "first" else "bare parts"
            never = {"prepend_scheme": "never"} if step["type"] == "Metaspace" else {}
            step = {**step, "add_prefix_space": False, **never}
        pre_tokenizers.append(step)
    if prepended:
        _check_opening(file, normalizers, pre_tokenizers, mark)
    return normalizers, pre_tokenizers, opens, prepended


def _check_opening(
    file: TokenizerFile,
    normalizers: Sequence[Mapping[str, Any]],
    pre_tokenizers: Sequence[Mapping[str, Any]],
    mark: str | None,
) -> None:
    """Raise `BadSource` where a space before a text is not what the file's own normalizer puts there."""
    own, opened = "a", " a"
    for step in file.normalizers:
        own = normalizer_function(step)(own)
    for step in normalizers:
        opened = normalizer_function(step)(opened)
    if any(step["type"] == "Metaspace" for step in pre_tokenizers):
        own, opened = own.replace(" ", mark or " "), opened.replace(" ", mark or " ")
    if own != opened:
        raise BadSource(
            f"{file.name}: expected a normalizer that puts a space like any other before a text, got a normalizer "
            f"that makes {own!a:.40} of 'a' and {opened!a:.40} of ' a'",
            "use another model",
        )
