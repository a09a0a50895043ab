"""The names and ids of x0 and EOS, as clients send and read them."""

from __future__ import annotations

from pofx.server.table import ServedModel
from pofx.vocab.vocabulary import BEGIN_TEXT, END_TEXT


def begin_id(served: ServedModel) -> int | None:
    """Return the id of x0: V where x0 is not in the vocabulary, None for a model without x0."""
    begin = served.lm.begin
    if begin.known == "none":
        return None
    return served.lm.vocab.size if begin.id is None else begin.id


def begin_name(served: ServedModel) -> str | None:
    """Return the name of x0; None for a model without x0."""
    i = begin_id(served)
    if i is None:
        return None
    vocab = served.lm.vocab
    spelled = vocab.token_bytes[i] if i < vocab.size else None
    if spelled is None:
        return served.lm.begin.text or BEGIN_TEXT
    return spelled.decode("utf-8", "replace")


def end_name(served: ServedModel) -> str | None:
    """Return the name of EOS; None for a model without EOS."""
    vocab = served.lm.vocab
    if vocab.end is None:
        return None
    return next((name for name, i in vocab.control.names.items() if i == vocab.end), END_TEXT)


def special_ids(served: ServedModel) -> dict[str, int]:
    """Return the ids of EOS and x0, by their names."""
    ids = {end_name(served): served.lm.vocab.end, begin_name(served): begin_id(served)}
    return {name: i for name, i in ids.items() if name is not None and i is not None}


def control_names(served: ServedModel) -> dict[int, str]:
    """Return the name of each id that spells nothing."""
    named = {i: name for name, i in served.lm.vocab.control.names.items()}
    return {**named, **{i: name for name, i in special_ids(served).items()}}
