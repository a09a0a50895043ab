"""ARPA files: n-grams as text with decimal logarithms, which KenLM, SRILM and other tools read and write."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pofx.algorithms.prefix_table import PrefixTable, count_distinct
from pofx.errors import Advice, BadSource, BadValue
from pofx.files.atomic import write_atomically
from pofx.models.ngram.arpa_text import Grams, read_grams
from pofx.models.ngram.counting import Codes
from pofx.models.ngram.model import NgramLM
from pofx.models.ngram.smoothing import Levels, find_histories
from pofx.units import LN10
from pofx.vocab.subwords import BYTE_CHARACTERS
from pofx.vocab.vocabulary import BEGIN_TEXT, END_TEXT, ByteVocab, CharVocab, Vocab
from pofx.vocab.words import CLASS, ClassedWords, WordVocab

OTHER_CLASS = "<UNK>"  # the spelling in some files of the toolkits of CMU and SRI
SEPARATORS = frozenset(" \t\r\n")
NEVER = -99.0  # stands for log10(0)


def write_arpa(lm: NgramLM, path: str | Path) -> None:
    """Write an n-gram model as an ARPA file.

    Each line is `log10 p <tab> tokens <tab> log10 back-off weight`, with ten digits. Words are written as they are. Other
    tokens are spelled byte by byte in the printable alphabet of GPT-2, where a space is Ġ.

    Args:
        lm: The model.
        path: The file to write; it is packed where the name ends in .gz.

    Raises:
        BadValue: The model is no n-gram with an order, or has additive smoothing of order > 1, which backs off to no shorter
            histories.

    Right: `pofx.write_arpa(lm, "lm.arpa.gz")`. Wrong: `pofx.write_arpa(pofx.given(lm, "x"), "a.arpa")`, since a transform is
    no n-gram.
    """
    if not isinstance(lm, NgramLM):
        raise BadValue(
            f"expected an n-gram whose order has a bound, got {type(lm).__name__}",
            "pass a model that was fitted with an order, such as NgramSpec(order=5)",
            argument="lm",
        )
    if not lm.levels.chain and lm.order > 1:
        raise BadValue(
            "expected a model that backs off to shorter histories, got additive smoothing of order "
            f"{lm.order}",
            [
                Advice("use Kneser-Ney smoothing", "smoothing='kneser-ney'", "--smoothing kneser-ney"),
                Advice("use a model of single tokens", "order=1", "--order 1"),
            ],
        )
    raw = "".join(_lines(lm)).encode("utf-8")
    write_atomically(Path(path), gzip.compress(raw, mtime=0) if str(path).lower().endswith(".gz") else raw)


def _lines(lm: NgramLM) -> Iterator[str]:
    table, levels, order = lm.table, lm.levels, lm.order
    names = {0: "", lm.codes.begin: BEGIN_TEXT}
    for i, name in enumerate(_names(lm.vocab)):
        names[i + 1] = name
    listed = {k: np.flatnonzero(levels.seen[k]) for k in range(2, order + 1)}
    with_x0 = lm.begin.known != "none"
    yield "\\data\\\n" + f"ngram 1={lm.vocab.size + with_x0}\n"
    yield "".join(f"ngram {k}={len(listed[k])}\n" for k in range(2, order + 1))
    # All outcomes are listed as 1-grams, since ARPA has no uniform distribution below the 1-grams.
    p, weights = np.exp(lm.unigram()), lm.unigram_weights()
    yield "\n\\1-grams:\n"
    if with_x0:
        yield f"{NEVER:g}\t{BEGIN_TEXT}\t{_log10(weights[lm.codes.begin])}\n"
    for i in range(lm.vocab.size):
        yield f"{_log10(p[i])}\t{names[i + 1]}" + (f"\t{_log10(weights[i + 1])}\n" if order > 1 else "\n")
    for k in range(2, order + 1):
        yield f"\n\\{k}-grams:\n"
        rows = table.words[table.first(k)[listed[k]]]
        columns = [
            table.packing.code(rows, place).astype(np.int64).tolist() for place in range(k - 1, -1, -1)
        ]
        prob = levels.prob[k][listed[k]].tolist()
        weight = levels.weight[k][listed[k]].tolist() if k < order else None
        for j, codes in enumerate(zip(*columns)):
            tokens = " ".join([names[c] for c in codes])
            tail = f"\t{_log10(weight[j])}\n" if weight is not None else "\n"
            yield f"{_log10(prob[j])}\t{tokens}{tail}"
    yield "\n\\end\\\n"


def _log10(p: float) -> str:
    return f"{math.log10(p):.10g}" if p > 0 else f"{NEVER:g}"


def _names(vocab: Vocab) -> list[str]:
    out = []
    for i, spelled in enumerate(vocab.token_bytes):
        if i == vocab.end:
            out.append(END_TEXT)
        elif spelled is None:
            out.append(CLASS)
        elif isinstance(vocab, WordVocab):
            out.append(str(vocab.words[i]))
        else:
            out.append("".join(BYTE_CHARACTERS[b] for b in spelled))
    bad = [n for n in out if not n or not SEPARATORS.isdisjoint(n)]
    if bad or len(set(out)) < len(out):
        raise BadValue(
            f"expected tokens with distinct names without spaces, tabs and line ends, got {bad[:1] or 'two alike'}",
            "rename the tokens, or save the model as a directory",
        )
    return out


def read_arpa(path: str | Path, vocab: str | Vocab | None = None, unknown: str = "refuse") -> NgramLM:
    """Read an n-gram model from an ARPA file.

    The distributions are those of the file, and are not renormalised; `audit` says whether they sum to 1. x0 is `<s>` where
    the file has it, and EOS is `</s>`. `<unk>` (or `<UNK>`) spells nothing, so its mass is a leak. Only spaces and tabs
    separate tokens. A preamble, a byte order mark and packing (gz, zst) are recognised by the content of the file.

    Args:
        path: The file.
        vocab: The unit of the tokens: "bytes" or "chars", as `write_arpa` spells them, or a `Vocab` whose tokens are spelled
            likewise. By default the tokens are bytes if the 1-grams are the 256 bytes, else words with a space between.
        unknown: "refuse" refuses a text with a word that the file does not have. "class" scores such a word as the class
            `<unk>`, as KenLM does. The number is then p of all texts with unknown words in the same places, and the terms
            say so.

    Returns:
        The model, whose next-token distributions are those of the file, in nats.

    Raises:
        BadSource: The file is no ARPA file, breaks off, or disagrees with its own counts.
        BadValue: `vocab` or `unknown` has another value.

    Right: `pofx.read_arpa("lm.arpa.gz")`. Wrong: taking the decimal logarithms in the file for nats.
    """
    check_unknown(unknown)
    name = str(path)
    grams = read_grams(Path(path))
    words = [g[0] for g in grams[1][0]]
    if CLASS in words and OTHER_CLASS in words:
        raise BadSource(
            f"{name}: expected one class of unknown words, got {CLASS} and {OTHER_CLASS}",
            f"write the file with {CLASS} alone",
        )
    spelled = _vocab(words, vocab, name)
    if unknown == "class":
        spelled = _classed(spelled)
    names = {n: i + 1 for i, n in enumerate(_names(spelled))}
    codes = Codes(spelled.size)
    names[BEGIN_TEXT] = codes.begin
    if CLASS in names:
        names[OTHER_CLASS] = names[CLASS]
    if missing := [w for w in words if w not in names]:
        raise BadSource(
            f"{name}: expected the tokens of the vocabulary given, got {missing[0]!r}",
            Advice("give another vocabulary", "vocab=…"),
        )
    return _model(grams, names, codes, spelled, BEGIN_TEXT in words, name)


def check_unknown(unknown: str) -> None:
    """Check the argument `unknown` of `read_arpa`; raise `BadValue` where it is no rule for unknown words."""
    if unknown not in ("refuse", "class"):
        raise BadValue(
            f"expected 'refuse' or 'class', got {unknown!r:.60}",
            "write 'refuse' or 'class'",
            argument="unknown",
        )


def _classed(vocab: Vocab) -> Vocab:
    if not isinstance(vocab, WordVocab):
        raise BadValue(
            "expected a model over words, whose class <unk> can be scored, got another model",
            "leave the option out",
            argument="unknown",
        )
    return ClassedWords(vocab.words, vocab.end is not None)


def _vocab(words: list[str], vocab: str | Vocab | None, name: str) -> Vocab:
    end = END_TEXT in words
    ordinary = [w for w in words if w not in (BEGIN_TEXT, END_TEXT)]
    if isinstance(vocab, Vocab):
        return vocab
    if vocab == "bytes" or (vocab is None and set(ordinary) == set(BYTE_CHARACTERS)):
        return ByteVocab(end)
    if vocab == "chars":
        back = {c: b for b, c in enumerate(BYTE_CHARACTERS)}
        try:
            return CharVocab([bytes(back[c] for c in w).decode("utf-8") for w in ordinary], end)
        except (KeyError, UnicodeDecodeError):
            raise BadSource(
                f"{name}: expected tokens that spell characters, got other tokens",
                Advice("give another vocabulary", "vocab=…"),
            ) from None
    if vocab is not None:
        raise BadValue(
            f"expected 'bytes', 'chars', a Vocab or None (words), got {vocab!r}",
            "pass a name or a Vocab",
            argument="vocab",
        )
    return WordVocab([None if w in (CLASS, OTHER_CLASS) else w for w in ordinary], end)


def _model(
    grams: Grams, names: dict[str, int], codes: Codes, vocab: Vocab, begin: bool, name: str
) -> NgramLM:
    order = len(grams)
    packing = codes.packing(order)

    def packed(tokens: list[tuple[str, ...]], k: int) -> NDArray[np.uint64]:
        try:
            rows = np.array([[names[t] for t in gram] for gram in tokens], dtype=np.uint64).reshape(-1, k)
        except KeyError as e:
            raise BadSource(
                f"{name}: expected tokens listed as 1-grams, got {e.args[0]!r} in a {k}-gram",
                "list the token as a 1-gram, or write the file again",
            ) from None
        padded = np.zeros((len(rows), order), dtype=np.uint64)
        padded[:, :k] = rows[:, ::-1]
        return packing.pack_columns(list(padded.T))

    keys = {k: packed(g[0], k) for k, g in grams.items()}
    # A pruned file may lack the history of an n-gram. The table gets the history, with the p of the back-off distribution.
    contexts = [packed(list({t[:-1] for t in g[0]}), k - 1) for k, g in grams.items() if k > 1]
    table = PrefixTable(count_distinct(np.concatenate([*keys.values(), *contexts]))[0], packing)
    history = find_histories(table)
    levels = Levels({0: np.array([1.0 / vocab.size])}, {}, history, {})
    where = {k: table.group(k)[table.find(q)[0]] for k, q in keys.items()}
    for k in range(order):
        weight = np.full(len(table.first(k)), 1.0)
        if k:
            weight[where[k]] = _probability(grams[k][2])
        else:
            weight[0] = 0.0  # the 1-grams list every outcome
        levels.weight[k] = weight
    for k in range(1, order + 1):
        prob = levels.weight[k - 1][history[k]] * levels.prob[k - 1][table.group(k - 1)[table.first(k)]]
        seen = np.zeros(len(prob), dtype=bool)
        prob[where[k]] = _probability(grams[k][1])
        seen[where[k]] = True
        seen &= table.packing.code(table.words[table.first(k)], 0) != codes.begin
        levels.prob[k], levels.seen[k] = prob, seen
    # Files have six or seven digits, which is the precision of float32.
    return NgramLM(vocab, table, levels, begin, dtype="float32")


def _probability(log10: list[float]) -> NDArray[np.float64]:
    a = np.array(log10)
    return np.where(a > NEVER + 1, np.exp(a * LN10), 0.0)
