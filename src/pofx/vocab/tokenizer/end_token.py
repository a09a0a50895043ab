"""The token that ends texts: the declarations of a checkpoint's files, weighed against the bytes that tokens spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pofx.vocab.tokenizer.files.control_tokens import is_mark
from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

# The evidence that an id is EOS. "control": the id is of a control token. "mark": its token spells text that looks like the
# name of a control token. "bare": no token has the id. "text": its token spells other text. "beyond": the id is not in the
# model.
Grade = Literal["control", "mark", "bare", "text", "beyond"]


@dataclass(frozen=True)
class DeclaredEnd:
    """The EOS of a checkpoint, and the reason for this choice.

    Attributes:
        id: The id of EOS; None where no file names a credible id.
        note: A sentence on files that contradict each other, or on an id that is not credible; "" where the files agree.
    """

    id: int | None
    note: str


def choose_end(vocab: TokenizerVocab, named: Mapping[str, Sequence[int]]) -> DeclaredEnd:
    """Choose the EOS that the files of a checkpoint declare.

    A token that spells text is EOS only where the tokenizer's files name the same token. Otherwise the choice is the first
    id of a control token. Without such an id the choice is the tokenizer's own EOS, and without this EOS an id whose token
    looks like a mark or has no name.

    Args:
        vocab: The vocabulary without an EOS; its `declared` has the declarations of the tokenizer's own files.
        named: For each file, the most trusted one first, the ids that the file lists as EOS.

    Right: `choose_end(read_tokenizer(folder, rows), {"config.json": [2]})`. Wrong: for the EOS that a user names, which
    needs no evidence.
    """
    own = vocab.declared.get("eos")
    every = [(file, i) for file, ids in named.items() for i in ids]
    taken = next((i for _, i in every if _grade(vocab, i) == "control"), None)
    if taken is None and own is not None:
        agreed = own in [i for _, i in every] and _grade(vocab, own) != "beyond"
        taken = own if agreed or _grade(vocab, own) == "control" else None
    for grade in ("mark", "bare"):
        if taken is None:
            taken = next((i for _, i in every if _grade(vocab, i) == grade), None)
    return DeclaredEnd(taken, _note(vocab, named, own, taken))


def _note(
    vocab: TokenizerVocab, named: Mapping[str, Sequence[int]], own: int | None, taken: int | None
) -> str:
    said = [(file, list(ids)) for file, ids in named.items() if ids]
    every = [i for _, ids in said for i in ids]
    first = said[0][1] if said else []
    doubtful = [i for i in first if i != taken and _grade(vocab, i) in ("text", "beyond")]
    contradicted = own is not None and own not in every
    unsure = taken is None and own is not None
    if not (doubtful or contradicted or unsure or (taken is not None and taken not in first)):
        return ""
    if not first:
        said.insert(0, (next(iter(named), "config.json"), []))
    found = [
        f"eos_token_id {', '.join(_shown(vocab, i) for i in ids) or 'null'} in {file}" for file, ids in said
    ]
    found.append(f"eos_token {'none' if own is None else _shown(vocab, own)} in the tokenizer's files")
    what = "none" if taken is None else _shown(vocab, taken)
    return (
        f"expected files that agree on the EOS, got {' and '.join(found)}; taken: {what}; "
        "name the token that ends texts to choose (end=, --end)"
    )


def _grade(vocab: TokenizerVocab, i: int) -> Grade:
    if not 0 <= i < vocab.size:
        return "beyond"
    spelled = vocab.token_bytes[i]
    if spelled is None:
        return "control" if i in vocab.control_ids else "bare"
    return "mark" if is_mark(spelled.decode("utf-8", "replace")) else "text"


def _shown(vocab: TokenizerVocab, i: int) -> str:
    grade = _grade(vocab, i)
    if grade == "beyond":
        return f"{i} (not one of {vocab.size} ids)"
    if grade == "bare":
        return f"{i} (no token)"
    return f"{i} ({vocab.show(i)!r:.40}{', which spells text' if grade == 'text' else ''})"
