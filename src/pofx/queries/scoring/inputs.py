"""The texts and prefixes of a call, as the model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.scoring.terms import Given, Terms
from pofx.transforms.given import Prefix
from pofx.transforms.given import given as with_prefix

Text = str | bytes


@dataclass(frozen=True)
class Group:
    """Texts that one model scores.

    Attributes:
        lm: The model; for a prefix of ids, the model after these ids.
        rows: The numbers of the texts in the call.
        texts: The texts as the model reads them.
        prefixes: The prefix of each text as the model reads it; "" for no prefix, or for a prefix of ids.
        changed: The normalizers that changed each text or its prefix, "" for none.
        ids: The prefix of ids, or None.
    """

    lm: LM
    rows: Sequence[int]
    texts: Sequence[Text]
    prefixes: Sequence[Text]
    changed: Sequence[str]
    ids: Prefix | None = None


def read_groups(lm: LM, texts: Sequence[Text], given: Given | Sequence[Given]) -> list[Group]:
    """Group texts by the model that reads them, since a model after a prefix of ids is another model.

    Args:
        lm: The model.
        texts: Texts as the user wrote them.
        given: One prefix for all texts, or one prefix for each text.

    Returns:
        One group for all prefixes that are strings, and one for each prefix of ids.

    Raises:
        BadValue: The prefixes are not as many as the texts.
    """
    prefixes = prefix_per_text(given, len(texts))
    rows: dict[Prefix | None, list[int]] = {}
    for i, prefix in enumerate(prefixes):
        rows.setdefault(prefix if isinstance(prefix, Prefix) else None, []).append(i)
    out = []
    for ids, places in rows.items():
        model = lm if ids is None else with_prefix(lm, ids)
        read, changed = read_texts(model, [texts[i] for i in places])
        strings, changed_strings = read_texts(model, [prefixes[i] if ids is None else "" for i in places])
        both = [x or g for x, g in zip(changed, changed_strings)]
        out.append(Group(model, places, read, strings, both, ids))
    return out


class _Record(Protocol):
    @property
    def terms(self) -> Terms: ...


RecordT = TypeVar("RecordT", bound=_Record)


def prefix_per_text(given: Any, n: int) -> list[Any]:
    """Return the argument `given` as one prefix a text.

    Args:
        given: One prefix for all texts, or one prefix for each text.
        n: The number of texts.

    Raises:
        BadValue: The prefixes are not as many as the texts.
    """
    prefixes = [given] * n if isinstance(given, str | bytes | Prefix) else list(given)
    if len(prefixes) != n:
        raise BadValue(
            f"expected one prefix, or one prefix for each of {n} texts, got {len(prefixes)}",
            "pass one prefix for each text",
            argument="given",
        )
    return prefixes


def read_texts(lm: LM, texts: Sequence[str | bytes]) -> tuple[list[str | bytes], list[str]]:
    """Turn each text into the text that the model reads (`Vocab.read`).

    Args:
        lm: The model, whose tokenizer may normalise texts.
        texts: Texts as the user wrote them.

    Returns:
        The texts that the model reads, and the normalizers that changed each text, "" for none.

    Right: `texts, changed = read_texts(lm, texts)`, then `name_normalizers(records, changed)`. Wrong: dividing bits by the
    bytes of the text as the user wrote it.
    """
    pairs = [lm.vocab.read(t) for t in texts]
    return [t for t, _ in pairs], [normalizers for _, normalizers in pairs]


def name_normalizers(records: Sequence[RecordT], changed: Sequence[str]) -> list[RecordT]:
    """Return the records with the normalizers that changed the text of each in its terms.

    Args:
        records: One record a text, in order.
        changed: Normalizers of each text, as `read_texts` returns them.

    Returns:
        The records; only the records of changed texts differ.
    """
    return [
        replace(r, terms=replace(r.terms, normalized=by)) if by else r  # type: ignore[type-var]
        for r, by in zip(records, changed)
    ]
