"""The record of all that a language model says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from pofx.arithmetic import NUMPY, Engine
from pofx.lm.begin import DECLARED, Begin
from pofx.lm.fitted_documents import FittedDocuments
from pofx.lm.window_rule import WHOLE, WindowRule
from pofx.vocab.vocabulary import Vocab


@dataclass(frozen=True)
class Info:
    """All that an LM says of itself. A transform passes on the fields that it does not change by name.

    Attributes:
        vocab: The vocabulary whose strings the LM is a distribution over.
        context: The longest window in tokens, x0 counted as one; None for unbounded.
        begin: The symbol x0, and how x0 is known.
        window: The rule for texts longer than `context`.
        dtype: The dtype of the arithmetic.
        rounding: The measured average error of log p of a token by this dtype, nats; 0 where it was not measured.
        fingerprint: A name of weights and tokenizer, which does not cover x0 and the window rule; "" for none.
        positive: Whether no token ever has probability 0, as after a softmax; then no prefix is impossible.
        work: The approximate number of multiplications for a token; 0 where a token costs next to nothing.
        memory: The number of last tokens that a next-token distribution depends on, x0 counted as one; None where the
            number is not known.
        interval: Whether each probability is a sum without some of its terms, so that states and traces have bounds.
        leaks: Whether tokens that spell nothing get probability 0, and the other tokens are rescaled. States and traces
            then have a leak, the probability that was removed, from 0 to 1.
        fitted: A record of the documents of each fit that made this LM; () where none is known.
        engine: The libraries and the device that compute for the LM.
    """

    vocab: Vocab
    context: int | None = None
    begin: Begin = DECLARED
    window: WindowRule = WHOLE
    dtype: str = "float64"
    rounding: float = 0.0
    fingerprint: str = ""
    positive: bool = False
    work: int = 0
    memory: int | None = None
    interval: bool = False
    leaks: bool = False
    fitted: tuple[FittedDocuments, ...] = ()
    engine: Engine = NUMPY
