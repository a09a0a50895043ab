"""Control tokens as the files of a tokenizer declare them: their names, their roles, and candidates for x0 and EOS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource

LISTS = ("additional_special_tokens", "extra_special_tokens")
_ROLES = ("bos", "eos", "unk", "pad")
_SEPARATOR = re.compile(
    r"(?i)(begin|end|start).?of.?(text|sentence|sequence|document)|^\W*(s|bos|eos|eod|eot_id|sep|cls)\W*$"
)
# Names of control tokens are put between signs: <|im_end|>, </s>, [PAD], {{eot}}.
_ENCLOSED = re.compile(r"[▁Ġ ]*[<\[{(|].*\w.*[>\]})|]", re.DOTALL)
# Some text is put between signs, too: <div>, [i]. Only the file that declares such a token makes it a control token.
_MARK = re.compile(r"[▁Ġ ]*(?:<[^<>\s]*\w[^<>\s]*>|\[/?[A-Z][A-Z_]+\]|\[gMASK\])")
_TAG = re.compile(r"[▁Ġ ]*</?(?!(?:s|bos|eos|unk|pad|eod|eot|eom|sep|cls|mask)>)[a-z][a-z0-9]*/?>")


@dataclass(frozen=True)
class Added:
    """An added token: a token that the tokenizer finds in the text before the model sees the text.

    Attributes:
        content: The token's text.
        id: The token's id.
        special: Whether tokenizer.json marks the token as a control token.
        normalized: Whether the tokenizer looks for the token in the normalized text.
        single_word: Whether the token counts only where no letter or digit touches its text.
        lstrip: Whether the token includes the white space before its text.
        rstrip: Whether the token includes the white space after its text.
    """

    content: str
    id: int
    special: bool
    normalized: bool
    single_word: bool
    lstrip: bool
    rstrip: bool


def is_mark(text: str) -> bool:
    """Return whether a token's text looks like the name of a control token: "</s>" and "<|im_end|>" do, "<div>" does not."""
    return _MARK.fullmatch(text) is not None and _TAG.fullmatch(text) is None


def declared_tokens(
    table: Mapping[str, int],
    added: Iterable[Added],
    model: Mapping[str, Any],
    config: Mapping[str, Any],
    name: str,
) -> tuple[dict[str, int], dict[str, int]]:
    """Return the control tokens that tokenizer.json or the files beside it declare.

    Both files count: transformers makes a token special where either file names the token. A token of the model's table
    that spells text stays text, unless tokenizer.json itself marks the token as special. A role in the file beside is not
    enough, since "!" is often named as padding.

    Args:
        table: Tokens of the model and their ids.
        added: The added tokens.
        model: The checked model of tokenizer.json.
        config: The JSON of tokenizer_config.json.
        name: The file, for messages.

    Returns:
        Ids of control tokens by text, and ids by role.

    Raises:
        BadSource: A list of tokens in `config` is of another type.
    """
    ids = {a.content: a.id for a in added}

    def id_of(content: str | None) -> int | None:
        return None if content is None else ids.get(content, table.get(content))

    special = {a.content: a.id for a in added if a.special}
    named = _listed(config, name)
    declared = {}
    for key, value in config.items():
        if key.endswith("_token") and (i := id_of(_content(value))) is not None:
            declared[key.removesuffix("_token")] = i
            named.append(value)
    for content in map(_content, named):
        i = id_of(content)
        if content is not None and i is not None and (content in ids or _ENCLOSED.fullmatch(content)):
            special[content] = i
    unknown = model.get("unk_token")
    if model.get("unk_id") is not None:
        unknown = model["vocab"][model["unk_id"]][0]
    if unknown and (i := id_of(unknown)) is not None:
        special[unknown] = i
        declared.setdefault("unk", i)
    return special, declared


def control_names(
    table: Mapping[str, int], added: Iterable[Added], control: frozenset[int], rows: int
) -> dict[str, int]:
    """Return the id of each control token by its text, from the table of the model and the added tokens."""
    ids = {t: i for t, i in table.items() if i in control} | {a.content: a.id for a in added}
    return {t: i for t, i in ids.items() if t and i in control and i < rows}


def control_candidates(
    declared: Mapping[str, int], end: int | None, names: Mapping[str, int], rows: int
) -> tuple[tuple[str, int], ...]:
    """Return (role, id) of tokens that a model may have seen before a text: declared roles, EOS, separators by name."""
    roles = [(role, declared[role]) for role in _ROLES if role in declared]
    roles += [] if end is None else [("eos", end)]
    roles += [("separator", i) for text, i in names.items() if _SEPARATOR.search(text)]
    once = {i: role for role, i in reversed(roles) if i < rows}
    return tuple((once.pop(i), i) for _, i in roles if i in once)


def _listed(config: Mapping[str, Any], name: str) -> list[Any]:
    """Return the tokens that tokenizer_config.json lists as control tokens."""
    decoder = config.get("added_tokens_decoder") or {}
    if not isinstance(decoder, Mapping) or not all(isinstance(t, Mapping) for t in decoder.values()):
        raise BadSource(
            f"{name}: expected an object of tokens as added_tokens_decoder in the file beside it, got another "
            "value",
            "fetch both files again",
        )
    out = [t for t in decoder.values() if t.get("special")]
    for key in LISTS:
        tokens = config.get(key) or ()
        if not isinstance(tokens, Mapping | list | tuple | str):
            raise BadSource(
                f"{name}: expected a list of tokens as {key} in the file beside it, got "
                f"{type(tokens).__name__}",
                "fetch both files again",
            )
        out += tokens.values() if isinstance(tokens, Mapping) else tokens
    return out


def _content(token: object) -> str | None:
    """Return the text of a token, which these files write as a string or as a record."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) and found else None
