"""The texts on which a scorer is tried: heads of documents, random letters, random words, and possible next tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pofx.corpus.builtin import builtin_documents
from pofx.errors import BadSource, BadValue, NotText
from pofx.lm.scorer import Scorer
from pofx.vocab.vocabulary import to_str

# The number of documents whose heads are read, and the characters of a head.
HEADS, HEAD = 8, 240
# The number of random texts of a kind, the letters of a text of letters, and the words of a text of words.
RANDOM, LETTERS, WORDS = 8, 64, 24
# The most distinct words to draw from, the most words that are tried as next tokens, and the most next tokens to try.
DISTINCT, TRIED, CANDIDATES = 2_000, 150, 400
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, eq=False)
class Trial:
    """The texts on which a scorer is tried.

    Attributes:
        heads: Heads of documents.
        letters: The characters that random texts are made of; equally likely.
        words: The words that random texts are made of, equally likely; () where the documents have fewer than 8.
        random_letters: Texts of random letters, all of one length.
        random_words: Texts of random words, each word with a space after it.
        candidates: Strings that may be the next token; the whole alphabet where it is known and small enough.
        whole: Whether the candidates are the whole alphabet.
        note: A description of the choice of the documents.
    """

    heads: tuple[str, ...]
    letters: tuple[str, ...]
    words: tuple[str, ...]
    random_letters: tuple[str, ...]
    random_words: tuple[str, ...]
    candidates: tuple[str, ...]
    whole: bool
    note: str


def make_trial(scorer: Scorer, texts: Sequence[str | bytes] | None, seed: int) -> Trial:
    """Choose the heads of at most 8 documents, in a random order, and make random texts of their letters and words.

    Args:
        scorer: The scorer.
        texts: The documents; None for the built-in documents.
        seed: Seed of the order and of the random texts.

    Raises:
        BadValue: `texts` is one text.
        NotText: No document is a text that the scorer takes.
    """
    if isinstance(texts, str | bytes):
        raise BadValue(
            "expected a list of texts, got one text", "write audit(scorer, [text])", argument="texts"
        )
    source, label = _documents(texts)
    spelled = {c for token in scorer.alphabet for c in token}
    rng = np.random.default_rng([seed, 21])
    heads: list[str] = []
    for i in rng.permutation(len(source)):
        head = source[i][:HEAD]
        if len(heads) < HEADS and head.strip() and (not spelled or set(head) <= spelled):
            heads.append(head)
    if not heads:
        raise NotText(
            f"texts: expected at least one text of the scorer's alphabet, got none of {len(source)}",
            "audit the scorer on texts of its own kind",
        )
    letters = _letters(heads, scorer.alphabet)
    spaced = " " in (spelled or set("".join(heads))) and (not spelled or set(letters) <= spelled)
    words = _words(source, rng) if spaced else ()
    candidates, whole = _candidates(scorer, heads, letters, words, rng)
    return Trial(
        tuple(heads),
        letters,
        words,
        tuple("".join(rng.choice(letters, LETTERS)) for _ in range(RANDOM)),
        tuple("".join(f"{w} " for w in rng.choice(words, WORDS)) for _ in range(RANDOM)) if words else (),
        candidates,
        whole,
        f"the heads of {len(heads)} of {len(source)} {label}",
    )


def _documents(texts: Sequence[str | bytes] | None) -> tuple[list[str], str]:
    if texts is not None:
        return [to_str(text) for text in texts], "texts"
    try:
        return list(builtin_documents()), "built-in documents"
    except BadSource:
        return [], "built-in documents (this Python came without its sources)"


def _letters(heads: Sequence[str], alphabet: Sequence[str]) -> tuple[str, ...]:
    """Return small letters, which no tokenizer normalizes; where the texts have fewer than 8, their commonest characters."""
    found = Counter("".join(heads))
    small = sorted(c for c in found if _WORD.fullmatch(c))
    single = {token for token in alphabet if len(token) == 1}
    some = small if len(small) >= 8 else [c for c, _ in found.most_common(64)]
    return tuple(sorted(c for c in some if not single or c in single)) or tuple(sorted(found))


def _words(source: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    found = sorted({w for text in source[:2_000] for w in text[:HEAD].split() if _WORD.fullmatch(w)})
    if len(found) < 8:
        return ()
    return tuple(found[i] for i in np.sort(rng.permutation(len(found))[:DISTINCT]))


def _candidates(
    scorer: Scorer,
    heads: Sequence[str],
    letters: Sequence[str],
    words: Sequence[str],
    rng: np.random.Generator,
) -> tuple[tuple[str, ...], bool]:
    if scorer.alphabet:
        if len(scorer.alphabet) <= 4 * CANDIDATES:
            return scorer.alphabet, True
        return tuple(scorer.alphabet[i] for i in rng.permutation(len(scorer.alphabet))[:CANDIDATES]), False
    tried = [words[i] for i in np.sort(rng.permutation(len(words))[:TRIED])]
    some = [*letters, *sorted({c for head in heads for c in head}), *tried, *(f" {w}" for w in tried)]
    return tuple(dict.fromkeys(some))[:CANDIDATES], False
