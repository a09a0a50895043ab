"""A model that is a function of the caller: an LM where the function gives whole distributions, else a scorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from pofx.algorithms.logspace import Floats
from pofx.errors import BadValue
from pofx.lm.begin import DECLARED, Begin
from pofx.lm.info import Info
from pofx.lm.model import LM
from pofx.lm.scorer import Scorer, Unit
from pofx.models.outside.by_prefix import Prefix, PrefixLM
from pofx.models.outside.listed_vocab import ListedVocab
from pofx.models.outside.scored_paths import score_passes
from pofx.vocab.vocabulary import Vocab

_WITHOUT = "the caller says that the function has no answer for the empty prefix"


@overload
def from_callable(
    next_logprobs: Callable[[list[int]], Any],
    vocab: Vocab | None = None,
    *,
    token_bytes: Sequence[bytes | None] | None = None,
    end: int | None = None,
    begin: bool = True,
    score: Callable[[str], Any] | None = None,
    ends: bool = False,
    sample: Callable[[list[int], int, int], Sequence[int]] | None = None,
    name: str = "",
) -> LM: ...


@overload
def from_callable(
    *,
    score: Callable[[str], Any],
    ends: bool = False,
    pieces: Callable[[str], Sequence[str | bytes]] | None = None,
    unit: Unit | None = None,
    alphabet: Sequence[str] = (),
    sample: Callable[[str, int, int], Sequence[str]] | None = None,
    name: str = "",
) -> Scorer: ...


def from_callable(
    next_logprobs: Callable[[list[int]], Any] | None = None,
    vocab: Vocab | None = None,
    *,
    token_bytes: Sequence[bytes | None] | None = None,
    end: int | None = None,
    begin: bool = True,
    score: Callable[[str], Any] | None = None,
    ends: bool = False,
    pieces: Callable[[str], Sequence[str | bytes]] | None = None,
    unit: Unit | None = None,
    alphabet: Sequence[str] = (),
    sample: Callable[..., Any] | None = None,
    name: str = "",
) -> LM | Scorer:
    """Make an LM of a function that gives next-token distributions, or a `Scorer` of a function that scores a text.

        next_logprobs(x)[v] = log p(v | x0, x),   score(x)[i] = log p(x_i | x0, x_<i);   nats

    Every query works on the LM. A `Scorer` has no next-token distribution, so it is no LM, and `audit` alone takes it.
    An LM may have both functions: `score` then scores whole texts, and `audit` compares its numbers with the distributions.
    Every query calls the functions again, and no result is cached.

    Args:
        next_logprobs: A function of the ids of a prefix without x0, which returns log p of every next token, `[V]` nats.
        vocab: The vocabulary of the ids.
        token_bytes: In place of `vocab`, the bytes that each id spells, None for a control token. A text is then cut from
            its start into the longest tokens that fit.
        end: The id of EOS, whose entry in `token_bytes` is None; None for a model without EOS. Only with `token_bytes`.
        begin: Whether `next_logprobs([])` is log p(x1 | x0). If not, the LM has no x0, and answers after a prefix alone.
        score: A function of a text, which returns log p of each token, `[t]` nats.
        ends: Whether the last number of `score` belongs to EOS.
        pieces: A function of a text, which returns the string or the bytes of the token of each number of `score`.
        unit: The unit of a number of `score`: "byte", "character" or "token"; None for an unknown unit.
        alphabet: All strings that may be the next token of `score`; () where these strings are not known.
        sample: The sampler of the program itself, a function (prefix, n, seed), which draws n next tokens. For an LM the
            prefix is a list of ids and the draws are ids. For a scorer prefix and draws are strings, and "" is EOS.
        name: The name of the model in messages.

    Returns:
        An LM if `next_logprobs` is given, else a `Scorer`.

    Raises:
        BadValue: No function, no vocabulary or two, or an argument of the other function. A query raises `BadValue` later,
            if an answer of `next_logprobs` has another shape than `[V]`, or an answer of `score` is not one number a token.

    Right: `audit(from_callable(next_logprobs, token_bytes=[b"a", b"b", None], end=2), texts)`.
    Wrong: `from_callable(lambda ids: probabilities)`, which lacks a vocabulary and returns no logarithms.
    """
    scored = None if score is None else _numbers_of(score)
    if next_logprobs is None:
        if score is None or scored is None:
            raise BadValue(
                "expected next_logprobs or score, got none",
                "pass a function that gives whole distributions, or score",
                argument="next_logprobs",
            )
        _refuse(
            "without next_logprobs",
            vocab=vocab,
            token_bytes=token_bytes,
            end=end,
            begin=None if begin else begin,
        )
        return Scorer(
            name or getattr(score, "__name__", "score"),
            lambda texts: [scored(text) for text in texts],
            ends,
            None if pieces is None else lambda text: [_as_bytes(p) for p in pieces(text)],
            unit,
            tuple(alphabet),
            sample,
        )
    _refuse("with next_logprobs", pieces=pieces, unit=unit, alphabet=alphabet or None)
    _refuse("without score", ends=ends if score is None and ends else None)
    if (vocab is None) == (token_bytes is None) or (vocab is not None and end is not None):
        raise BadValue(
            "expected a vocabulary, or token_bytes and end, got "
            + ("neither" if vocab is None and token_bytes is None else "both"),
            "pass vocab, or the bytes of each id",
            argument="vocab",
        )
    known = ListedVocab(token_bytes, end) if vocab is None and token_bytes is not None else vocab
    assert known is not None  # noqa: S101  (ours: one of the two was checked to be there)
    info = Info(known, begin=DECLARED if begin else Begin("none", note=_WITHOUT))
    own = None if sample is None else lambda prefix, n, seed: sample(list(prefix), n, seed)

    def distributions(rows: Sequence[Prefix]) -> Any:
        return np.stack([np.asarray(next_logprobs(list(row))) for row in rows])

    passes = None if scored is None else score_passes(scored, ends, known, distributions, begin)
    return PrefixLM(distributions, info, own, passes=passes)


def _refuse(where: str, **others: object) -> None:
    """Refuse arguments that belong to the other function; `where` says beside which function they have no meaning."""
    for argument, value in others.items():
        if value is not None:
            raise BadValue(
                f"expected no value {where}, got {value!r:.60}",
                "leave the argument out",
                argument=argument,
            )


def _numbers_of(score: Callable[[str], Any]) -> Callable[[str], Floats]:
    return lambda text: _numbers(score(text))


def _numbers(found: Any) -> Floats:
    numbers = np.asarray(found)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "fiu"):
        raise BadValue(
            f"expected one number a token, got {numbers.dtype} of shape {list(numbers.shape)}",
            "return log p of each token of the text, nats",
            argument="score",
        )
    return numbers.astype(np.float64)


def _as_bytes(piece: str | bytes) -> bytes:
    return piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else bytes(piece)
