"""The documents that an audit reads, whether the vocabulary spells them, and the budget of the audit."""

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
# The most documents whose first token is read. First tokens need no passes, since p(·|x0) is one distribution.
OPENINGS = 2_000
# The number of characters that decide the first token: the longest tokens of SmolLM2 and Gemma 3 have under 170 bytes.
OPENING = 400
# The longest document, in tokens: 40 documents of this length make the whole sample.
LONGEST = 1000
# The most tokens of all documents. Each position costs V numbers, so a large vocabulary gets fewer tokens. The number is
# 40,000 up to V = 6,000, 5,000 at V = 49,152, and never below 4,000.
TOKENS, LEAST_TOKENS, CELLS = 40_000, 4_000, 250_000_000
# The most tokens of all documents for a server, which reads the whole prefix for each token.
SERVED_TOKENS = 2_000
# The most built-in documents to try, for a vocabulary that spells few of them.
TRIED = 2_000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The documents that an audit reads.

    Attributes:
        paths: Token ids of each document, without EOS.
        whole: Whether each document is whole; False for a document that was cut, whose end is no end of a text.
        note: A description of the choice of the documents.
        no_text: The number of texts that the vocabulary refused.
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
        texts: The documents; None for the built-in documents.
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
        found = (
            "a text that it does not spell" if no_text == 1 else f"{no_text:,} texts that it does not spell"
        )
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
        note += f"; the model was fitted on {known} of them, which flatters the model"
    if chosen := int(was_chosen_by(lm, read).sum()):
        note += f"; the model's weights were chosen by {chosen} of them, which flatters the model a little"
    first = first_tokens(
        lm.vocab, [source[i] for i in order[:OPENINGS]] if lm.vocab.control.candidates else []
    )
    return HeldOut(tuple(paths), tuple(whole), note, no_text, tuple(wrong), first)


def first_tokens(vocab: Vocab, texts: Sequence[str | bytes]) -> Ints:
    """Return the first token of each text that has one."""
    first = (spell_text(vocab, vocab.read(t[:OPENING])[0])[0] for t in texts)
    return np.array([ids[0] for ids in first if ids is not None and len(ids)], dtype=np.int64)


def builtin_first_tokens(vocab: Vocab) -> Ints:
    """Return first tokens of evenly spread built-in documents; no tokens where there are no built-in documents."""
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


# The least vocabulary size for the small budget. Pretrained models have 32,000 to 262,144 ids, and models fitted here at
# most a few thousand.
LARGE = 16_384


@dataclass(frozen=True)
class AuditBudget:
    """The numbers of texts and tokens that an audit reads: small errors show, and an audit takes minutes at most.

    Attributes:
        distributions: The number of next-token distributions for statistics along texts.
        distribution_documents: The number of documents of these distributions.
        distribution_tokens: The number of first tokens of each such document that are read; None for all.
        documents: The number of heads of documents on which the ways to compute log p are compared.
        draws: The number of draws on which the ways to compute log p are compared.
        tokens: The number of tokens of each head.
        reach: The longest text of a comparison, in tokens, where the context is longer.
        drawn: The number of tokens of a draw.
        lives: The number of draws that are followed until they end.
        alive: The most tokens of such a draw.
        heads: The number of documents that are read after every candidate for x0.
        head_tokens: The number of tokens of each such document.
    """

    distributions: int = 2_000
    distribution_documents: int = 100
    distribution_tokens: int | None = None
    documents: int = 12
    draws: int = 12
    tokens: int = 128
    reach: int = 4_097
    drawn: int = 64
    lives: int = 64
    alive: int = 512
    heads: int = 24
    head_tokens: int = 48


# SmolLM2 reads 300 tokens a second and core, and takes 70 ms for a step of a few draws. The small budget is about 14,000
# tokens and 180 steps, a minute of two cores.
SMALL_BUDGET = AuditBudget(
    distributions=400,
    distribution_documents=24,
    distribution_tokens=64,
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
# A small server answered 160 distributions a second, so the 5,000 distributions of this budget take half a minute.
SERVED_BUDGET = replace(SMALL_BUDGET, reach=129)


def budget_for(lm: LM) -> AuditBudget:
    """Return the budget of a model: a small one where distributions are dear, by a large vocabulary or a server."""
    if _is_served(lm):
        return SERVED_BUDGET
    return AuditBudget() if lm.vocab.size < LARGE else SMALL_BUDGET


def _is_served(lm: LM) -> bool:
    """Return whether a server computes the distributions, so that each of them needs a request."""
    return lm.engine.device == "server"
