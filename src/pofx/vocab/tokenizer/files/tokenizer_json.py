"""A pretrained `tokenizer.json` and the two files beside it, as plain data, checked before any library opens them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pofx.errors import BadSource
from pofx.vocab.tokenizer.files.control_tokens import Added, declared_tokens
from pofx.vocab.tokenizer.files.refused_steps import check_steps, flat_steps, has_surrogates

FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
MAX_BYTES = 1 << 27  # 128 MB; the largest known file, of Gemma's 262,144 tokens, has 33 MB


@dataclass(frozen=True, eq=False)
class TokenizerFile:
    """The content of a tokenizer.json, and the control tokens that the files beside it declare.

    Attributes:
        name: The file, for messages.
        kind: "BPE" or "Unigram".
        table: The model's tokens and their ids.
        model: The model as the file describes it.
        added: Tokens that the tokenizer cuts out of a text before the model sees the text.
        normalizers: The steps that change a text, in order.
        pre_tokenizers: The steps that split a text, in order.
        decoders: The steps that make a text of tokens, in order.
        post_processor: The tokens that are put around the ids of a text, as the file describes them.
        special: Control tokens, by text.
        declared: Ids by role ("bos", "eos", "unk", "pad" and others), where a token of that text exists.
    """

    name: str
    kind: str
    table: Mapping[str, int]
    model: Mapping[str, Any]
    added: tuple[Added, ...]
    normalizers: tuple[Mapping[str, Any], ...]
    pre_tokenizers: tuple[Mapping[str, Any], ...]
    decoders: tuple[Mapping[str, Any], ...]
    post_processor: Any
    special: Mapping[str, int]
    declared: Mapping[str, int]


def parse(tokenizer: Mapping[str, Any], config: Mapping[str, Any], name: str) -> TokenizerFile:
    """Check a parsed tokenizer.json and its tokenizer_config.json, and return their content.

    No library is called. The type of each field that pofx itself reads is checked.

    Args:
        tokenizer: The JSON of tokenizer.json.
        config: The JSON of tokenizer_config.json; `{}` without such a file.
        name: The file, for messages.

    Raises:
        BadSource: The content is no BPE or Unigram tokenizer whose tokens spell a text exactly.
    """
    model = tokenizer.get("model")
    if not isinstance(model, Mapping):
        _refuse(name, "an object as the model", type(model).__name__)
    kind = model.get("type") or ("BPE" if "merges" in model else "none named")
    if kind == "BPE":
        table = _checked_table(model.get("vocab"), name)
    elif kind == "Unigram":
        table = _checked_pieces(model.get("vocab"), name)
    else:
        raise BadSource(
            f"{name}: expected a BPE or Unigram model, whose tokens spell a text exactly, got {kind!s:.40}",
            "use another model: the tokens of such a model do not say where the spaces were",
        )
    _check_unknown(model, kind, len(table), name)
    added = _checked_added(tokenizer.get("added_tokens") or (), len(table), table, name)
    _check_unicode(table, name)
    _check_unicode((a.content for a in added), name)
    special, declared = declared_tokens(table, added, model, config, name)
    normalizers, pre_tokenizers, decoders = (
        flat_steps(tokenizer.get(part), name) for part in ("normalizer", "pre_tokenizer", "decoder")
    )
    check_steps(normalizers, pre_tokenizers, name)
    return TokenizerFile(
        name=name,
        kind=kind,
        table=table,
        model=model,
        added=tuple(added),
        normalizers=normalizers,
        pre_tokenizers=pre_tokenizers,
        decoders=decoders,
        post_processor=tokenizer.get("post_processor"),
        special=special,
        declared=declared,
    )


def merges_of(file: TokenizerFile) -> list[tuple[str, str]]:
    """Return the merges of a BPE model as pairs; older files write a pair as one text with a space between.

    Raises:
        BadSource: An entry is no pair of texts.
    """
    entries = file.model.get("merges") or []
    if not isinstance(entries, list | tuple):
        _refuse(file.name, "a list of merges", type(entries).__name__)
    joined = isinstance(next(iter(entries), None), str)
    out = []
    for entry in entries:
        pair = entry
        if joined and isinstance(entry, str):
            if entry.startswith("#version"):
                continue
            pair = entry.split(" ")
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            _refuse(file.name, "a pair of tokens as each merge", f"{entry!r:.60}")
        left, right = pair
        if not isinstance(left, str) or not isinstance(right, str):
            _refuse(file.name, "a pair of tokens as each merge", f"{entry!r:.60}")
        out.append((left, right))
    return out


def _refuse(name: str, expected: str, found: str) -> NoReturn:
    raise BadSource(f"{name}: expected {expected}, got {found}", "fetch it again")


def _check_unicode(texts: Iterable[str], name: str) -> None:
    """Refuse tokens that no UTF-8 spells."""
    texts = tuple(texts)
    if has_surrogates("".join(texts)):
        wrong = next((t for t in texts if has_surrogates(t)), texts[0])
        _refuse(name, "Unicode text in each token", f"lone surrogates in {wrong!r:.60}")


def _check_unknown(model: Mapping[str, Any], kind: str, size: int, name: str) -> None:
    """Refuse an unknown token that is no text, or no id of a piece."""
    token, i = model.get("unk_token"), model.get("unk_id")
    if not isinstance(token, str | None):
        _refuse(name, "a text as unk_token", type(token).__name__)
    if i is not None and (kind != "Unigram" or type(i) is not int or not 0 <= i < size):
        _refuse(name, f"the id of one of {size} pieces as unk_id", f"{i!r:.40} in a {kind} model")


def _checked_table(table: object, name: str) -> Mapping[str, int]:
    if not isinstance(table, dict) or not table:
        raise BadSource(
            f"{name}: expected a table of tokens, got {type(table).__name__} (empty, or no table)",
            "download the tokenizer again",
        )
    if set(map(type, table.values())) != {int}:
        wrong = next(t for t, i in table.items() if type(i) is not int)
        raise BadSource(
            f"{name}: expected a whole number as the id of each token, got another value for {wrong!r:.60}",
            "download the tokenizer again",
        )
    if min(table.values()) < 0:
        wrong = min(table, key=table.__getitem__)
        raise BadSource(
            f"{name}: expected ids from 0, got {table[wrong]} for the token {wrong!r:.60}",
            "download the tokenizer again",
        )
    if len(set(table.values())) < len(table):
        raise BadSource(
            f"{name}: expected one token an id, got {_twice(table.values())} for two tokens",
            "download the tokenizer again",
        )
    return table


def _checked_pieces(pieces: object, name: str) -> Mapping[str, int]:
    if not isinstance(pieces, list) or not pieces:
        raise BadSource(
            f"{name}: expected a list of pieces, got {type(pieces).__name__} (empty, or no list)",
            "download the tokenizer again",
        )
    table = {}
    for i, entry in enumerate(pieces):
        piece, score = entry if isinstance(entry, list | tuple) and len(entry) == 2 else (None, None)
        # `math.isfinite` would raise on whole numbers that no float holds.
        if (
            not isinstance(piece, str)
            or not isinstance(score, int | float)
            or not abs(score) <= sys.float_info.max
        ):
            raise BadSource(
                f"{name}: expected a piece and its log-probability, got {pieces[i]!r:.60} as id {i}",
                "download the tokenizer again",
            )
        table[piece] = i
    if len(table) < len(pieces):
        raise BadSource(
            f"{name}: expected one id a piece, got {_twice(p for p, _ in pieces)!r:.60} with two ids",
            "download the tokenizer again",
        )
    return table


def _checked_added(entries: object, size: int, table: Mapping[str, int], name: str) -> list[Added]:
    """Return the added tokens, each with the id that `tokenizers` gives the token: the table's, else the next free id.

    `tokenizers` numbers added tokens itself, and only warns where a file has other ids. The ids of such a file are
    ambiguous, so the file is refused.
    """
    out: list[Added] = []
    seen: dict[str, int] = {}
    free = size
    taken = {i for i in table.values() if i >= size}  # only where the table has holes
    if not isinstance(entries, list | tuple):
        _refuse(name, "a list of added tokens", type(entries).__name__)
    for entry in entries:
        content, declared = (
            (entry.get("content"), entry.get("id")) if isinstance(entry, Mapping) else (None, None)
        )
        if not isinstance(content, str) or type(declared) is not int:
            raise BadSource(
                f"{name}: expected a text and an id in each added token, got {entry!r:.80}",
                "download the tokenizer again",
            )
        given = seen.get(content, table.get(content, free))
        if not content or declared != given:
            what = f"{declared}, where the tokenizers library gives {given}" if content else "an empty token"
            raise BadSource(
                f"{name}: expected the added token {content!r:.60} by its own id, got {what}",
                "download the tokenizer again",
            )
        if content not in table and given in taken:
            raise BadSource(
                f"{name}: expected an unused id for the added token {content!r:.60}, got {given}",
                "download the tokenizer again",
            )
        if content not in seen:
            seen[content] = given
            free = max(free, given + 1)
            flags = [bool(entry.get(f)) for f in ("special", "normalized", "single_word", "lstrip", "rstrip")]
            out.append(Added(content, given, *flags))
    return out


def _twice(values: Iterable[Any]) -> object:
    seen = set()
    return next(v for v in values if v in seen or seen.add(v))  # type: ignore[func-returns-value]
