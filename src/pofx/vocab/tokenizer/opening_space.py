"""The space that a tokenizer puts before a text, taken out of its steps: it is no part of what the text says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pofx.errors import BadSource
from pofx.vocab.tokenizer.files.tokenizer_json import TokenizerFile, flat_steps
from pofx.vocab.tokenizer.normalized import normalizer_function

# Before which parts of a text, between control tokens, a tokenizer puts a space: none; each; each that begins with none; the
# first, if it begins with none.
Opens = Literal["none", "every part", "bare parts", "first part"]


def remove_opening_space(
    file: TokenizerFile, mark: str | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None, Opens, str]:
    """Normalizer and pre_tokenizer that put no space before a text, whether they used to, and what the normalizer put."""
    opens: Opens = "none"
    prepended, normalizers, pre_tokenizers = "", [], []
    for step in flat_steps(file.normalizer):
        if step["type"] == "Prepend" and step["prepend"] in (mark, " "):
            opens, prepended = "every part", step["prepend"] + prepended
        else:
            normalizers.append(step)
    for k, step in enumerate(flat_steps(file.pre_tokenizer)):
        puts = step.get("add_prefix_space", step["type"] in ("Metaspace", "ByteLevel"))
        scheme = step.get("prepend_scheme", "always" if puts else "never")
        if scheme == "always" and k > 0:
            raise BadSource(
                f"{file.name}: expected a space before the text at most, found {step['type']} behind another "
                "pre_tokenizer, which puts one before every piece",
                "no probability of the text itself can be had",
            )
        if scheme != "never":
            if opens == "none":
                opens = "first part" if scheme == "first" else "bare parts"
            step = {**step, "add_prefix_space": False}
            if step["type"] == "Metaspace":
                step["prepend_scheme"] = "never"
        pre_tokenizers.append(step)
    if prepended:
        _check_opening(file, normalizers, pre_tokenizers, mark)
    return (
        {"type": "Sequence", "normalizers": normalizers} if normalizers else None,
        {"type": "Sequence", "pretokenizers": pre_tokenizers} if pre_tokenizers else None,
        opens,
        prepended,
    )


def _check_opening(
    file: TokenizerFile,
    normalizers: Sequence[Mapping[str, Any]],
    pre_tokenizers: Sequence[Mapping[str, Any]],
    mark: str | None,
) -> None:
    """`BadSource` where a space before a text is not what the file's own normalizer puts there."""
    own, opened = "a", " a"
    for step in flat_steps(file.normalizer):
        own = normalizer_function(step)(own)
    for step in normalizers:
        opened = normalizer_function(step)(opened)
    if any(step["type"] == "Metaspace" for step in pre_tokenizers):
        own, opened = own.replace(" ", mark or " "), opened.replace(" ", mark or " ")
    if own != opened:
        raise BadSource(
            f"{file.name}: expected a normalizer that puts a space like any other before a text, found one "
            f"that makes {own!a:.40} of 'a' and {opened!a:.40} of ' a'",
            "use another model",
        )
