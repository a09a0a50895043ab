"""The error of a text that a pretrained tokenizer cannot spell, which names the first place where decoding differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pofx.errors import Advice, NotText
from pofx.vocab.vocabulary import to_bytes

_CURES = {f: f"pass unicodedata.normalize({f!r}, text)" for f in ("NFC", "NFD", "NFKC", "NFKD")}
_CURES |= {"Lowercase": "pass text.lower()", "Strip": "pass text.strip()"}


def unencodable_error(
    data: bytes,
    said: bytes,
    say: Callable[[str], bytes],
    normalizers: Sequence[str],
    by: str = "",
    read: str | bytes | None = None,
) -> NotText:
    """Return the error of a text that its tokens do not spell, with the first difference.

    Args:
        data: The text.
        said: The bytes that the tokens of the text spell.
        say: A function of a text, which returns the bytes that the tokens of the text spell.
        normalizers: The names of the tokenizer's normalizers.
        by: The names of the normalizers that changed this text.
        read: The normalized text; None where no tokens spell the normalized text either.
    """
    start, c = _character_at(data, _first_difference(data, said))
    try:
        where = f"at character {len(data[:start].decode())}"
        data.decode()
    except UnicodeDecodeError:
        where = f"at byte {start}"
    if not c and start < len(data):
        return NotText(
            f"expected UTF-8, got byte 0x{data[start]:02X} {where}, for which this tokenizer has no token",
            "decode the text first, or use a model whose tokenizer falls back to bytes",
        )
    if c and not say(c) and not (c.isspace() and "Strip" in normalizers):
        return NotText(
            f"expected characters for which this tokenizer has tokens, got {c!r} (U+{ord(c):04X}) {where}",
            "replace the character, or use a model whose tokenizer falls back to bytes",
        )
    # The message is in ASCII, since composed and decomposed letters look the same.
    found, back = (b[start : start + 24].decode("utf-8", "replace")[:6] for b in (data, said))
    by = by or " + ".join(normalizers)
    why = f"its normalizer is {by}" if by else "by its pre_tokenizer or its model"
    cures: list[str | Advice] = []
    cures += [_CURES[n] for n in by.split(" + ") if n in _CURES] if read is None or " + " not in by else []
    cures += ["change the text"] if read is None and not cures else []
    if read is not None:
        cures.append(
            Advice(
                f"score the text as the model reads it, {_shown(read, start)}",
                "normalize=True",
                "--normalize",
            )
        )
    return NotText(
        f"expected a text that the tokenizer decodes to itself, got {found!a} {where}, which decodes to {back!a} ({why}), "
        "so the probability would be that of another string",
        [*cures, "use another model"],
    )


def _shown(text: str | bytes, at: int) -> str:
    """Return the text around a byte, in quotes and in ASCII."""
    data = to_bytes(text)
    lo = max(0, at - 12) if at > 24 else 0
    part = data[lo : lo + 48].decode("utf-8", "ignore")
    return f"{'…' if lo else ''}{part!a}{'…' if lo + 48 < len(data) else ''}"


def _character_at(data: bytes, at: int) -> tuple[int, str]:
    """Return the place and the text of the character that has byte `at`; the text is "" at the end and for a stray byte."""
    for start in range(at, max(at - 4, -1), -1):
        c = data[start : start + 4].decode("utf-8", "ignore")[:1]
        if c and data.startswith(c.encode(), start) and start + len(c.encode()) > at:
            return start, c
    return at, ""


def _first_difference(a: bytes, b: bytes) -> int:
    n = min(len(a), len(b))
    differs = np.frombuffer(a[:n], dtype=np.uint8) != np.frombuffer(b[:n], dtype=np.uint8)
    return int(differs.argmax()) if differs.any() else n
