"""A value of each type that a session shows by one line."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

import pofx
from pofx.classification.bayes import bayes
from pofx.classification.evaluation import evaluate
from small_models import BYTES, MLE, NO_BEGIN, NO_END

TEXT = "the cat sat"
SMALL = pofx.TransformerSpec(layers=1, width=8, heads=1, context=8, epochs=1)
LABELS = ["a", "b", "a", "b"]
TEXTS = ["the cat", "dogs", "a cat", "dogs sat"]


def classifier() -> pofx.GenerativeClassifier:
    return pofx.GenerativeClassifier(pofx.NgramSpec(order=2)).fit(TEXTS, LABELS)


@lru_cache
def values() -> dict[str, Any]:
    fitted = classifier()
    log_p = fitted.joint_.log_likelihood(TEXTS)
    found = bayes(log_p, fitted.class_log_prior_)
    return {
        "LM": BYTES,
        "Scored": pofx.score(BYTES, [TEXT])[0],
        "Trace": BYTES.forward([BYTES.vocab.encode(TEXT)], pofx.Want(entropy=True)),
        "Worded": pofx.words(BYTES, [TEXT])[0],
        "Next": pofx.next(BYTES, "the ", 4),
        "Draw": pofx.sample(BYTES, 1, seed=3)[0],
        "Audit": pofx.audit(BYTES, TEXTS),
        "CorpusReport": pofx.corpus_report([*TEXTS, *(f"{t}, {i}" for t in TEXTS for i in range(9))]),
        "Marginal": pofx.marginal(BYTES, TEXT),
        "Conditioned": pofx.condition(BYTES, pofx.Contains("dog"), n=16, max_tokens=12),
        "MixturePosterior": pofx.posterior(pofx.mixture([BYTES, MLE]), [TEXT])[0],
        "Compression": pofx.compression(BYTES, TEXT * 9),
        "Posterior": found,
        "Evaluation": evaluate(found.log_p, np.array([0, 1, 0, 1])),
        "Joint": fitted.joint_,
        "GenerativeClassifier": fitted,
        "LearningCurve": pofx.fit(TEXTS * 9, SMALL).learning_curve,
    }


OTHERS = {
    "warped": lambda: pofx.sample(pofx.warp(BYTES, temperature=0.5), 1, seed=3)[0],
    "given": lambda: pofx.score(BYTES, [" sat"], "the cat")[0],
    "prefix": lambda: pofx.score(NO_END, ["ab"])[0],
    "bytes": lambda: pofx.score(BYTES, [b"\xff\n\x00" * 90])[0],
    "empty": lambda: pofx.score(BYTES, [""])[0],
    "impossible": lambda: pofx.score(MLE, ["zzz"])[0],
    "hostile": lambda: pofx.score(BYTES, ["\u202e\x1b[31m<script>" * 300])[0],
    "no x0": lambda: NO_BEGIN,
    "many models": lambda: pofx.posterior(pofx.mixture([BYTES] * 9), [TEXT])[0],
    "cut off": lambda: pofx.sample(BYTES, 1, max_tokens=2, seed=3)[0],
}
