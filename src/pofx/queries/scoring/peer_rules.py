"""The terms of the chain rule that other tools add up, and their x0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

BeginSource = Literal["tokenizer", "bos", "bos or eos", "x0"]
Statistic = Literal["sum", "mean", "perplexity", "log10"]

# The number of tokens in a chunk of llama-perplexity without its option -c.
CHUNK = 512


@dataclass(frozen=True)
class PeerRule:
    """The terms of log p(x1|B) … log p(xn|x<n), log p(E|x) that a tool adds up, and the number that it prints.

    Attributes:
        front: The source of the B of the tool. "tokenizer": the tokens that the tokenizer adds by itself; without such
            tokens the first token is dropped. "bos": the declared BOS. "bos or eos": BOS, or EOS without a BOS. "x0": the
            x0 of an n-gram.
        end: Whether the tool counts p(EOS|x).
        sum: The number that the tool prints: the sum, the mean, exp(−mean), or the sum in log10.
        unit: The unit of the printed number.
        chunk: The number of tokens in a chunk, for a tool that cuts texts into chunks; else None.
    """

    front: BeginSource
    end: bool
    sum: Statistic
    unit: str
    chunk: int | None = None


PEERS: Mapping[str, PeerRule] = {
    # IncrementalLMScorer(model, 'cpu').sequence_score(text)
    "minicons": PeerRule("tokenizer", False, "mean", "nats a token"),
    # HFLM.loglikelihood of ('', text)
    "lm-eval": PeerRule("bos or eos", False, "sum", "nats"),
    # LM(model).get_perplexity(text)
    "lmppl": PeerRule("tokenizer", False, "perplexity", "perplexity a token"),
    # sentence_score(text, log=True)
    "lm-scorer": PeerRule("bos", True, "sum", "nats"),
    # llama-perplexity -c CHUNK -f file
    "llama-perplexity": PeerRule("tokenizer", False, "perplexity", "perplexity a token", CHUNK),
    # model.score(text)
    "kenlm": PeerRule("x0", True, "log10", "log10"),
}

STATISTIC_NAMES: Mapping[Statistic, str] = {
    "sum": "sum",
    "mean": "mean",
    "perplexity": "exp(−mean)",
    "log10": "sum / ln 10",
}
