"""Which documents an audit reads, whether the vocabulary spells them, and how much the audit reads in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pofx.corpus.builtin import builtin_documents
from pofx.errors import BadSource, BadValue, NotText
from pofx.lm.fitted_documents import was_chosen_by, was_fitted_on
from pofx.lm.model import LM
from pofx.lm.trace import Ints
from pofx.vocab.vocabulary import Vocab, show_bytes, to_bytes

DOCUMENTS = 200
# Documents whose first token is read, without a pass of the model for each: p(·|x0) is one distribution.
OPENINGS = 2_000
# Characters that decide on the first token: the longest tokens of SmolLM2 and Gemma 3 spell fewer than 170 bytes.
OPENING = 400
# Longest document, in tokens: 40 longer documents would be the whole sample.
LONGEST = 1000
# Tokens of all documents. Each position costs V numbers, so a large vocabulary gets fewer tokens: 40,000 up to V = 6,000,
# 5,000 at V = 49,152, never below 4,000.
TOKENS, LEAST_TOKENS, CELLS = 40_000, 4_000, 250_000_000
# A server reads the whole prefix for each token.
SERVED_TOKENS = 2_000
# Built-in documents to try, where a vocabulary spells few of them.
TRIED = 2_000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The documents that an audit reads.

    Attributes:
        paths: Token ids of each document, without EOS.
        whole: Whether each document is whole; False for a document that was cut, whose end is no end of a text.
        note: How the documents were chosen.
        no_text: How many texts the vocabulary refused.
        wrong: A line for each text that is not spelled faithfully.
        openings: First tokens of up to 2,000 documents, for a pretrained model.
    """

    paths: tuple[Ints, ...]
    whole: tuple[bool, ...]
    note: str
    no_text: int
    wrong: tuple[str, ...]
    openings: Ints


def longest_path(lm: LM) -> int | None:
    """Return the longest text, EOS included, of a model with a window and no rule beyond it; None for any length."""
    return None if lm.window.beyond else lm.context


def spell_text(vocab: Vocab, text: str | bytes) -> tuple[Ints | None, str]:
    """Encode a text, and check that the ids spell it.

    Args:
        vocab: The vocabulary.
        text: The text.

    Returns:
        The ids and "". Or None and a description of the fault; or None and "" where the vocabulary says `NotText`.
    """
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
    """Choose at most 200 documents of at most 1,000 tokens, in an order drawn by the seed.

    Documents are cut only where none is short enough.

    Args:
        lm: The model.
        texts: The documents; None for the built-in ones.
        seed: Seed of the order.

    Returns:
        The documents as token ids; their note says what was left out.

    Raises:
        BadValue: `texts` is one text.
        NotText: The vocabulary spells none of the texts.
    """
    if isinstance(texts, str | bytes):
        raise BadValue("expected a list of texts, got one text", "write audit(lm, [text])", argument="texts")
    source, label = _source(texts)
    budget = int(np.clip(CELLS // max(lm.vocab.size, 1), LEAST_TOKENS, TOKENS))
    budget = SERVED_TOKENS if _is_served(lm) else budget
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
            f"texts: expected at least one text that this vocabulary spells, got {found}",
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
    """Return the first token of each text that has one."""
    first = (spell_text(vocab, vocab.read(t[:OPENING])[0])[0] for t in texts)
    return np.array([ids[0] for ids in first if ids is not None and len(ids)], dtype=np.int64)


def builtin_first_tokens(vocab: Vocab) -> Ints:
    """Return first tokens of built-in documents, evenly spread; none where there are no built-in documents."""
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


# Vocabulary size from which on a model gets the small budget: pretrained models have 32,000 to 262,144 ids, our own at
# most a few thousand.
LARGE = 16_384


@dataclass(frozen=True)
class AuditBudget:
    """How much an audit reads: enough for small errors, and minutes where a token costs milliseconds.

    Attributes:
        laws: Next-token distributions read along texts.
        law_documents: Documents that they are read along.
        law_tokens: First tokens of each document that are read; None for all.
        documents: Heads of documents on which the ways to compute log p are compared.
        draws: Draws on which they are compared.
        tokens: Tokens of each head.
        reach: Longest text that is compared, in tokens, where the context is longer.
        drawn: Tokens of a draw.
        lives: Draws that are followed until they end.
        alive: Most tokens of such a draw.
        heads: Documents read after every candidate for x0.
        head_tokens: Tokens of each such document.
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
# A small server answered 160 distributions a second: in all about 5,000, half a minute.
SERVED_BUDGET = replace(SMALL_BUDGET, reach=129)


def budget_for(lm: LM) -> AuditBudget:
    """Return the budget by what a next-token distribution costs: much for a large vocabulary, or where a server is asked."""
    if _is_served(lm):
        return SERVED_BUDGET
    return AuditBudget() if lm.vocab.size < LARGE else SMALL_BUDGET


def _is_served(lm: LM) -> bool:
    """Whether another process computes, and each distribution is a question to it."""
    return lm.engine.device == "server"
