"""A pretrained `tokenizer.json` and the two files beside it, as plain data, checked before any library opens them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource, NotText, PofxError
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error
from pofx.vocab.tokenizer.files.refused_steps import check_steps

FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
MAX_BYTES = 1 << 27  # Gemma's 262,144 tokens take 33 MB, pretty-printed; nobody's take 128
LISTS = ("additional_special_tokens", "extra_special_tokens")
# Names of control tokens are put between signs: <|im_end|>, </s>, [PAD], {{eot}}.
_ENCLOSED = re.compile(r"[▁Ġ ]*[<\[{(|].*\w.*[>\]})|]", re.DOTALL)
# So is text, which no file but the one that names it as a control token would take for one: <div>, [i].
_MARK = re.compile(r"[▁Ġ ]*(?:<[^<>\s]*\w[^<>\s]*>|\[/?[A-Z][A-Z_]+\]|\[gMASK\])")
_TAG = re.compile(r"[▁Ġ ]*</?(?!(?:s|bos|eos|unk|pad|eod|eot|eom|sep|cls|mask)>)[a-z][a-z0-9]*/?>")


@dataclass(frozen=True)
class Added:
    """A token that is found in the text before the model sees it."""

    content: str
    id: int
    special: bool
    normalized: bool
    single_word: bool
    lstrip: bool
    rstrip: bool


@dataclass(frozen=True, eq=False)
class TokenizerFile:
    """What a tokenizer.json says, and which of its tokens the files beside it declare as control tokens.

    table: the model's tokens and ids. special: control tokens by text. declared: ids by role, "bos", "eos",
    "unk", "pad" and others, where a token of that text exists.
    """

    name: str
    kind: str
    table: Mapping[str, int]
    model: Mapping[str, Any]
    added: tuple[Added, ...]
    normalizer: Mapping[str, Any] | None
    pre_tokenizer: Mapping[str, Any] | None
    post_processor: Mapping[str, Any] | None
    decoder: Mapping[str, Any] | None
    special: Mapping[str, int]
    declared: Mapping[str, int]


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Whatever goes wrong inside is the file's fault: `BadSource` in one line.

    Rust's panics too: `tokenizers` raises them as a BaseException that `except Exception` lets through.
    """
    try:
        yield
    except PofxError as e:
        if not isinstance(e, NotText):
            raise
        raise BadSource(f"{name}: {e.message}", "fetch it again") from None
    except BaseException as e:  # a panic of tokenizers is no Exception
        if is_out_of_memory(e):
            raise out_of_memory_error() from None
        if not isinstance(e, Exception) and type(e).__name__ != "PanicException":
            raise
        what = " ".join(str(e).split())[:200] or type(e).__name__
        raise BadSource(
            f"{name}: expected a tokenizer.json that the tokenizers library can run, found: "
            f"{type(e).__name__}: {what}",
            "fetch it again",
        ) from None


def parse(tokenizer: Mapping[str, Any], config: Mapping[str, Any], name: str) -> TokenizerFile:
    """The checked content of a parsed tokenizer.json and of its tokenizer_config.json; `BadSource` for any other."""
    with refusing(name):
        model = tokenizer["model"]
        kind = model.get("type") or ("BPE" if "merges" in model else "none named")
        if kind == "BPE":
            table = _checked_table(model["vocab"], name)
        elif kind == "Unigram":
            table = _checked_pieces(model["vocab"], name)
        else:
            raise BadSource(
                f"{name}: expected a BPE or Unigram model, whose tokens spell a text exactly, found {kind!s:.40}",
                "that model's tokens do not say where the spaces were",
            )
        added = _checked_added(tokenizer.get("added_tokens") or (), len(table), table, name)
        special, declared = _control_tokens(table, added, model, config)
        check_steps(flat_steps(tokenizer.get("normalizer")), flat_steps(tokenizer.get("pre_tokenizer")), name)
        return TokenizerFile(
            name=name,
            kind=kind,
            table=table,
            model=model,
            added=tuple(added),
            normalizer=tokenizer.get("normalizer"),
            pre_tokenizer=tokenizer.get("pre_tokenizer"),
            post_processor=tokenizer.get("post_processor"),
            decoder=tokenizer.get("decoder"),
            special=special,
            declared=declared,
        )


def flat_steps(part: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The steps of a normalizer, pre_tokenizer or decoder, a Sequence of them laid out flat."""
    if part is None:
        return []
    if not isinstance(part.get("type"), str):  # the library guesses what is meant
        raise TypeError(f"a step of the pipeline without a type: {part!r:.60}")
    for inner in ("normalizers", "pretokenizers", "decoders"):
        if part["type"] == "Sequence" and inner in part:
            return [step for p in part[inner] for step in flat_steps(p)]
    return [part]


def is_mark(text: str) -> bool:
    """Whether a token's text looks like the name of a control token, as "</s>" and "<|im_end|>" do and "<div>" does not."""
    return _MARK.fullmatch(text) is not None and _TAG.fullmatch(text) is None


def _checked_table(table: object, name: str) -> Mapping[str, int]:
    if not isinstance(table, dict) or not table:
        raise BadSource(
            f"{name}: expected a table of tokens, found {type(table).__name__} (empty, or no table)", None
        )
    if set(map(type, table.values())) != {int}:
        wrong = next(t for t, i in table.items() if type(i) is not int)
        raise BadSource(
            f"{name}: expected a whole number as the id of each token, found another for {wrong!r:.60}", None
        )
    if min(table.values()) < 0:
        wrong = min(table, key=table.__getitem__)
        raise BadSource(
            f"{name}: expected ids from 0, found {table[wrong]} for the token {wrong!r:.60}", None
        )
    if len(set(table.values())) < len(table):
        raise BadSource(
            f"{name}: expected one token an id, found {_twice(table.values())} for two of them", None
        )
    return table


def _checked_pieces(pieces: object, name: str) -> Mapping[str, int]:
    if not isinstance(pieces, list) or not pieces:
        raise BadSource(
            f"{name}: expected a list of pieces, found {type(pieces).__name__} (empty, or no list)", None
        )
    table = {}
    for i, (piece, log_probability) in enumerate(pieces):
        if not isinstance(piece, str) or not math.isfinite(log_probability):
            raise BadSource(
                f"{name}: expected a piece and its log-probability, found {pieces[i]!r:.60} as id {i}", None
            )
        table[piece] = i
    if len(table) < len(pieces):
        raise BadSource(
            f"{name}: expected one id a piece, found {_twice(p for p, _ in pieces)!r:.60} with two of them",
            None,
        )
    return table


def _checked_added(
    entries: Iterable[Mapping[str, Any]], size: int, table: Mapping[str, int], name: str
) -> list[Added]:
    """The added tokens, each with the id that `tokenizers` gives it: the table's, else the next free one.

    It numbers them itself and only warns where a file says otherwise, so such a file means two things.
    """
    out: list[Added] = []
    seen: dict[str, int] = {}
    free = size
    taken = {i for i in table.values() if i >= size}  # only where the table has holes
    for entry in entries:
        content, declared = entry["content"], entry["id"]
        if not isinstance(content, str) or type(declared) is not int:
            raise BadSource(
                f"{name}: expected a text and an id in each added token, found {entry!r:.80}", None
            )
        given = seen.get(content, table.get(content, free))
        if not content or declared != given:
            what = f"{declared}, where the tokenizers library gives it {given}" if content else "an empty one"
            raise BadSource(
                f"{name}: expected the added token {content!r:.60} by its own id, found {what}", None
            )
        if content not in table and given in taken:
            raise BadSource(
                f"{name}: expected another id for the added token {content!r:.60}, found {given}, taken", None
            )
        if content not in seen:
            seen[content] = given
            free = max(free, given + 1)
            flags = [bool(entry.get(f)) for f in ("special", "normalized", "single_word", "lstrip", "rstrip")]
            out.append(Added(content, given, *flags))
    return out


def _control_tokens(
    table: Mapping[str, int], added: Iterable[Added], model: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[dict[str, int], dict[str, int]]:
    """Control tokens by text, and ids by role. Both files count: transformers makes special what either names.

    A token of the model's table that spells text stays text, though the file beside names it in a role ("!" as padding,
    an old habit), unless tokenizer.json itself marks it special.
    """
    ids = {a.content: a.id for a in added}

    def id_of(content: str | None) -> int | None:
        return None if content is None else ids.get(content, table.get(content))

    special = {a.content: a.id for a in added if a.special}
    named = [t for t in (config.get("added_tokens_decoder") or {}).values() if t.get("special")]
    for key in LISTS:
        found = config.get(key) or ()
        named += found.values() if isinstance(found, dict) else found
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


def _content(token: object) -> str | None:
    """The text of a token, which these files write as a string or as a record."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) and found else None


def _twice(values: Iterable[Any]) -> object:
    seen = set()
    return next(v for v in values if v in seen or seen.add(v))  # type: ignore[func-returns-value]
