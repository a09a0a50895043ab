"""Which documents an audit reads, and whether the vocabulary spells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.corpus.builtin import builtin_documents
from pofx.errors import BadSource, BadValue, NotText
from pofx.lm.fitted_documents import was_chosen_by, was_fitted_on
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.vocab.vocabulary import Vocab, show_bytes, to_bytes

DOCUMENTS = 200
# Documents of which the first token is read: it costs no pass of the model, since p(·|x0) is one law.
OPENINGS = 2_000
# Characters that decide on the first token: the longest tokens of SmolLM2 and Gemma 3 spell fewer than 170 bytes.
OPENING = 400
# Of one document: longer ones are passed over, since 40 of them would be the whole sample.
LONGEST = 1000
# Of all documents. The whole law is read at each position, so a large vocabulary gets fewer: 40,000 up to
# V = 6,000, 5,000 at V = 49,152, never below 4,000.
TOKENS, LEAST_TOKENS, CELLS = 40_000, 4_000, 250_000_000
# Built-in documents tried before giving up on a vocabulary that spells few of them.
TRIED = 2_000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Token ids of documents, without EOS. whole: False for one that had to be cut (its end is no end).

    note: how they were chosen. no_text: how many texts the vocabulary refused. wrong: what is wrong with the
    spelling of others, one line each. openings: first tokens of up to 2,000 documents, for a pretrained model.
    """

    paths: tuple[Ints, ...]
    whole: tuple[bool, ...]
    note: str
    no_text: int
    wrong: tuple[str, ...]
    openings: Ints


def longest_path(lm: LM) -> int | None:
    """The longest text, EOS included, of a model with a window and no rule for it; None where any length goes."""
    return None if lm.window.beyond else lm.context


def spell_text(vocab: Vocab, text: str | bytes) -> tuple[Ints | None, str]:
    """Token ids of a text, or None and what is wrong; None and "" where the vocabulary says `NotText`."""
    try:
        ids = np.asarray(list(vocab.encode(text)), dtype=np.int64)
    except NotText:
        return None, ""
    except (LookupError, ValueError, TypeError) as e:
        return None, f"encode({_shown(text)}) raised {type(e).__name__} instead of NotText"
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocab.size:
        return None, f"encode({_shown(text)}) yields ids outside 0 … {vocab.size - 1}"
    control = [int(i) for i in ids if vocab.token_bytes[i] is None]
    if control:
        return None, f"encode({_shown(text)}) yields the control token {control[0]}"
    back = vocab.decode(ids)  # type: ignore[arg-type]
    if back != to_bytes(text):
        return None, f"decode(encode({_shown(text)})) is {_shown(back)}"
    return ids, ""


def choose_documents(lm: LM, texts: Sequence[str | bytes] | None, seed: int) -> HeldOut:
    """At most 200 documents of at most 1,000 tokens, in an order drawn by the seed; `note` says what was left
    out.

    Documents are cut only where none is short enough. Without texts: the built-in ones.
    """
    if isinstance(texts, str | bytes):
        raise BadValue("texts: expected a list of texts, found one text", "write audit(lm, [text])")
    source, label = _source(texts)
    budget = int(np.clip(CELLS // max(lm.vocab.size, 1), LEAST_TOKENS, TOKENS))
    room = LONGEST if longest_path(lm) is None else max(min(LONGEST, (longest_path(lm) or 1) - 1), 1)
    order = np.random.default_rng([seed, 1]).permutation(len(source))
    paths: list[Ints] = []
    long: list[Ints] = []
    read: list[str | bytes] = []
    wrong: list[str] = []
    no_text = used = 0
    for i in order[: TRIED if texts is None else None]:
        if len(paths) == DOCUMENTS or used >= budget:
            break
        ids, problem = spell_text(lm.vocab, lm.vocab.read(source[i])[0])
        if problem:
            wrong.append(problem)
        elif ids is None:
            no_text += 1
        elif len(ids) > room:
            long.append(ids[:room])
        elif len(ids) or lm.begin.known != "none":
            paths.append(ids)
            read.append(source[i])
            used += len(ids) + 1
    if texts is not None and no_text and no_text == len(source):
        found = "it, and it is not" if no_text == 1 else f"{no_text:,}, of which none is"
        raise NotText(
            f"texts: expected at least one text that this vocabulary spells, found {found}",
            "audit the model on texts of its own kind",
        )
    whole = [True] * len(paths)
    note = f"{len(paths)} of {len(source)} {label}"
    if not paths and long:
        paths = long[: max(1, budget // room)]
        whole = [False] * len(paths)
        note = f"the first {room} tokens of {len(paths)} of {len(source)} {label}, none being shorter"
    elif long:
        note += f", passing over {len(long)} of more than {room} tokens"
    if no_text:
        note += f", {no_text} not spelled by this vocabulary"
    if known := int(was_fitted_on(lm, read).sum()):
        note += f"; the model was fitted on {known} of them, so what they say of it flatters it"
    if chosen := int(was_chosen_by(lm, read).sum()):
        note += f"; the model's weights were chosen by {chosen} of them, which flatters it a little"
    first = first_tokens(
        lm.vocab, [source[i] for i in order[:OPENINGS]] if lm.vocab.control.candidates else []
    )
    return HeldOut(tuple(paths), tuple(whole), note, no_text, tuple(wrong), first)


def first_tokens(vocab: Vocab, texts: Sequence[str | bytes]) -> Ints:
    """The first token of each text that has one."""
    first = (spell_text(vocab, vocab.read(t[:OPENING])[0])[0] for t in texts)
    return np.array([ids[0] for ids in first if ids is not None and len(ids)], dtype=np.int64)


def builtin_first_tokens(vocab: Vocab) -> Ints:
    """First tokens of built-in documents, evenly spread; none where there are no such documents."""
    texts = _source(None)[0]
    return first_tokens(vocab, texts[:: max(1, len(texts) // (OPENINGS // 4))])


def _source(texts: Sequence[str | bytes] | None) -> tuple[list[str | bytes], str]:
    if texts is not None:
        return list(texts), "texts"
    try:
        return list(builtin_documents()), "built-in documents"
    except BadSource:
        return [], "built-in documents (this Python came without its sources)"


def _shown(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    shown = show_bytes(data[:80]).replace("␣", " ")
    return f"'{shown[:24]}…'" if len(shown) > 24 else f"'{shown}'"


# Outcomes from which on a model is a large one: pretrained ones have 32,000 to 262,144, our own at most a few thousand.
LARGE = 16_384


@dataclass(frozen=True)
class AuditBudget:
    """laws: whole laws read along texts, of law_documents, of the first law_tokens of each (None: of all).

    documents, draws, tokens: texts on which the ways to compute log p are compared, and how much of each. reach: tokens
    of the one text that is as long as the context, if that is shorter. drawn: tokens of a draw. lives: draws followed
    until they end, at most for `alive` tokens. heads, head_tokens: documents, and how much of each, read behind every
    candidate for x0.
    """

    laws: int = 2_000
    law_documents: int = 100
    law_tokens: int | None = None
    documents: int = 12
    draws: int = 12
    tokens: int = 128
    reach: int = 4_097
    drawn: int = 64
    lives: int = 64
    alive: int = 512
    heads: int = 24
    head_tokens: int = 48


# SmolLM2 reads 300 tokens a second and core, and takes 70 ms for a step of a few draws: in all about 14,000 tokens
# and 180 steps, a minute of two cores.
SMALL_BUDGET = AuditBudget(
    laws=400,
    law_documents=24,
    law_tokens=64,
    documents=6,
    draws=8,
    tokens=48,
    reach=1_025,
    drawn=48,
    lives=16,
    alive=32,
    heads=16,
    head_tokens=40,
)


def budget_for(lm: LM) -> AuditBudget:
    """By the size of the vocabulary, which is what laws cost."""
    return AuditBudget() if lm.vocab.size < LARGE else SMALL_BUDGET
