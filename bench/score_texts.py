"""What bench/score.py gives every tool: real texts that every machine has, chosen by seed, cut by token count.

All from `pofx.builtin_documents()`, the docstrings of Python's standard library. Token counts are those of the
model's own tokenizer, without x0. Nothing here depends on which tool reads it.
"""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass
from pathlib import Path

# The method of a worker that does a task.
METHODS = {"A": "sentences", "B": "answers", "C": "strided", "C-disjoint": "disjoint", "D": "draws"}


@dataclass(frozen=True)
class Sizes:
    """How much of each task. A repetition does one slice: 5 repetitions over 5 slices do all of A, B and C once."""

    texts: int = 400  # A: of 3 to 60 tokens
    contexts: int = 40  # B: of about 300 tokens, `answers` each
    answers: int = 10
    context_tokens: int = 300
    documents: int = 20  # C: of `document_tokens`
    document_tokens: int = 3000
    draws: int = 32  # D: of `draw_tokens`
    draw_tokens: int = 128
    slices: int = 5

    def as_dict(self) -> dict:
        return asdict(self)


QUICK = Sizes(
    texts=60, contexts=3, documents=3, document_tokens=1500, draws=8, draw_tokens=32, slices=3
)  # a look, not a result
TINY = Sizes(
    texts=6,
    contexts=1,
    answers=3,
    context_tokens=40,
    documents=1,
    document_tokens=1200,
    draws=2,
    draw_tokens=4,
    slices=1,
)


class Cutter:
    """The model's tokenizer, read from tokenizer.json by the library that all tools use underneath."""

    def __init__(self, checkpoint: Path) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def id_of(self, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise SystemExit(f"--begin: expected a token of the model, found {token!r}")
        return found


def plain(documents: list[str]) -> list[str]:
    """Documents that spell no control token: tools differ in what they make of one."""
    return [d for d in documents if "<|" not in d and not re.search(r"</?[a-z_]+>", d)]


def make(cutter: Cutter, documents: list[str], sizes: Sizes, seed: int = 0) -> dict:
    """Tasks A to D as JSON: `A`, `B`, `C` lists of slices, `D` the numbers of draws and tokens."""
    documents = plain(documents)
    random.Random(seed).shuffle(documents)
    long = stream(documents, cutter, sizes)
    contexts = [next(long) for _ in range(sizes.contexts)]
    texts = sentences(documents, cutter, sizes.texts)
    joined = iter(documents)
    docs = [document(joined, cutter, sizes.document_tokens) for _ in range(sizes.documents)]
    return {
        "A": sliced(texts, sizes.slices),
        "B": sliced(contexts, sizes.slices),
        "C": sliced(docs, sizes.slices),
        "D": {"draws": sizes.draws, "tokens": sizes.draw_tokens},
    }


def sliced(items: list, n: int) -> list[list]:
    n = min(n, len(items))
    return [items[i::n] for i in range(n)]


def sentences(documents: list[str], cutter: Cutter, n: int) -> list[str]:
    """n different sentences of 3 to 60 tokens, one of a document, any (first ones begin too much alike)."""
    rng = random.Random(2)
    out: dict[str, None] = {}
    for d in documents:
        found = [s for s in re.split(r"(?<=[.!?])\s+", " ".join(d.split())) if 3 <= len(cutter.ids(s)) <= 60]
        if found:
            out[rng.choice(found)] = None
        if len(out) == n:
            return list(out)
    raise SystemExit(f"expected {n} sentences in the built-in documents, found {len(out)}")


def stream(documents: list[str], cutter: Cutter, sizes: Sizes):
    """Contexts of about `context_tokens`, cut before a word, each with its own next words and `answers − 1` others'.

    Every answer begins with the space of its first word and is cut alike alone and after its context, so that
    context and answer mean the same tokens to tools that encode them together and to tools that do not.
    """
    rng = random.Random(1)
    prose = [" ".join(d.split()) for d in documents]
    pool = [p for p in prose if len(p.split()) > 30]
    for p in prose:
        words = p.split(" ")
        if len(words) < sizes.context_tokens * 0.6:
            continue
        n = sizes.context_tokens // 5
        while n < len(words) - 12 and len(cutter.ids(" ".join(words[:n]))) < sizes.context_tokens:
            n += 1
        if n >= len(words) - 12:
            continue
        context = " ".join(words[:n])
        answers: dict[str, None] = {}
        following = words[n:]
        while len(answers) < sizes.answers:
            answer = cut_answer(following, rng.randint(1, 12), cutter)
            if answer and cutter.ids(context + answer) == cutter.ids(context) + cutter.ids(answer):
                answers[answer] = None
            other = rng.choice(pool).split(" ")
            following = other[rng.randrange(len(other) - 12) :]
        yield {"context": context, "answers": list(answers)}
    raise SystemExit("the built-in documents have too few long texts for task B")


def cut_answer(words: list[str], most: int, cutter: Cutter) -> str:
    """The first words, space included, as far as they go within `most` tokens; empty where the first is longer."""
    out = ""
    for w in words:
        if len(cutter.ids(f"{out} {w}")) > most:
            break
        out = f"{out} {w}"
    return out


def document(documents, cutter: Cutter, tokens: int) -> str:
    """Documents joined by empty lines, cut before a space so that `tokens` or a few fewer remain."""
    text = ""
    while len(cutter.ids(text)) < tokens:
        text += ("\n\n" if text else "") + next(documents)
    while len(cutter.ids(text)) > tokens:
        over = len(cutter.ids(text)) - tokens
        text = text[: len(text) - over].rsplit(" ", 1)[0].rstrip()
    return text


def windows(n: int, context: int, stride: int) -> list[tuple[int, int, int]]:
    """(from, to, scored from) of each window over n tokens: x0 and at most context − 1 tokens, moved by stride.

    This is the stride method of Hugging Face's guide with x0 kept in front of every window, not the first alone:
    as many positions go through the model, and the numbers can be compared.
    """
    out, done, lo = [], 0, 0
    while done < n:
        hi = min(lo + context - 1, n)
        out.append((lo, hi, done))
        done, lo = hi, lo + stride
    return out
