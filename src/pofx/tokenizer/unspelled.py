"""Why a text is none of a pretrained vocabulary: the first place where its tokens say something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pofx.errors import NotText

_CURES = {f: f"pass unicodedata.normalize({f!r}, text)" for f in ("NFC", "NFD", "NFKC", "NFKD")}
_CURES |= {"Lowercase": "pass text.lower()", "Strip": "pass text.strip()"}


def unspelled(data: bytes, said: bytes, say: Callable[[str], bytes], normalizers: Sequence[str]) -> NotText:
    """The error for a text of which the tokens say `said`, by the first difference.

    say: what the tokens of a text say. normalizers: what the tokenizer does to a text first, by name.
    """
    start, c = _character_at(data, _first_difference(data, said))
    try:
        where = f"at character {len(data[:start].decode())}"
        data.decode()
    except UnicodeDecodeError:
        where = f"at byte {start}"
    if not c and start < len(data):
        return NotText(
            f"expected UTF-8, found byte 0x{data[start]:02X} {where}, for which this tokenizer has no token; "
            "decode the text first, or use a model whose tokenizer falls back to bytes"
        )
    if c and not say(c) and not (c.isspace() and "Strip" in normalizers):
        return NotText(
            f"expected characters for which this tokenizer has tokens, found {c!r} (U+{ord(c):04X}) {where}; "
            "replace it, or use a model whose tokenizer falls back to bytes"
        )
    # In ASCII: composed and decomposed letters look the same.
    found, back = (b[start : start + 24].decode("utf-8", "replace")[:6] for b in (data, said))
    by = (
        f"its normalizer is {' + '.join(normalizers)}" if normalizers else "by its pre_tokenizer or its model"
    )
    cures = [_CURES[n] for n in normalizers if n in _CURES]
    return NotText(
        f"expected a text that comes back from the tokenizer as it was, found {found!a} {where}, which comes back "
        f"as {back!a} ({by}), so its probability would be that of another string; "
        f"{cures[0] if cures else 'change the text'}, or use another model"
    )


def _character_at(data: bytes, at: int) -> tuple[int, str]:
    """The character of which byte `at` is a part, and where it starts; "" at the end and for a stray byte."""
    for start in range(at, max(at - 4, -1), -1):
        c = data[start : start + 4].decode("utf-8", "ignore")[:1]
        if c and data.startswith(c.encode(), start) and start + len(c.encode()) > at:
            return start, c
    return at, ""


def _first_difference(a: bytes, b: bytes) -> int:
    n = min(len(a), len(b))
    differs = np.frombuffer(a[:n], dtype=np.uint8) != np.frombuffer(b[:n], dtype=np.uint8)
    return int(differs.argmax()) if differs.any() else n
