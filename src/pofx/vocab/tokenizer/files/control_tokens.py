"""Control tokens as the files of a tokenizer have them: their names, and candidates for x0 and EOS."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pofx.vocab.tokenizer.files.tokenizer_json import TokenizerFile

_ROLES = ("bos", "eos", "unk", "pad")
_SEPARATOR = re.compile(
    r"(?i)(begin|end|start).?of.?(text|sentence|sequence|document)|^\W*(s|bos|eos|eod|eot_id|sep|cls)\W*$"
)


def control_names(file: TokenizerFile, control: frozenset[int], rows: int) -> dict[str, int]:
    """Control tokens' texts and ids, by the table of the model and by the added tokens."""
    ids = {t: i for t, i in file.table.items() if i in control} | {a.content: a.id for a in file.added}
    return {t: i for t, i in ids.items() if t and i in control and i < rows}


def control_candidates(
    declared: Mapping[str, int], end: int | None, names: Mapping[str, int], rows: int
) -> tuple[tuple[str, int], ...]:
    """(role, id) of what a model may have seen before a text: declared roles, EOS, and tokens named as separators."""
    roles = [(role, declared[role]) for role in _ROLES if role in declared]
    roles += [] if end is None else [("eos", end)]
    roles += [("separator", i) for text, i in names.items() if _SEPARATOR.search(text)]
    once = {i: role for role, i in reversed(roles) if i < rows}
    return tuple((once.pop(i), i) for _, i in roles if i in once)
