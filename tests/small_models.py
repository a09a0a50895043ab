"""Models that tests of several queries and transforms ask: a toy, and n-grams of a few documents."""

from __future__ import annotations

from typing import Any

import pofx
from pofx.lm.model import LM
from toy import ToyLM, ToyVocab

TOY = ToyLM()


NO_BEGIN = ToyLM(begin=False)


NO_END = ToyLM(ToyVocab(3, end=False))


CORPUS = ["the cat sat", "a cat", "the dog", "dogs sat", "cats and dogs", "the end", "", "a"]


def ngram(documents: list[str] = CORPUS, **options: Any) -> LM:
    return pofx.fit(documents, pofx.NgramSpec(**{"order": 3, **options}))


BYTES = ngram()


MLE = ngram(smoothing="mle")
