"""Records that the tests of reports show: scores of odd texts, an audit, and a console that keeps its text."""

from __future__ import annotations

import io
import math

import numpy as np
from rich.console import Console, RenderableType

from pofx.classification.evaluation import evaluate
from pofx.lm.trace import Want
from pofx.models.ngram.model import NgramLM, fit_ngram
from pofx.models.specs import NgramSpec
from pofx.queries.findings import Audit, BeginEvidence, Finding, Series
from pofx.queries.scoring.score import Scored, score
from pofx.vocab.vocabulary import ByteVocab, Vocab

TEXTS = ["the cat sat on the mat", "a cat sat", "the mat\nsat", "naïve 🙂 cat", "the the cat"]


ALL = Want(entropy=True, rank=True, top=5)


HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)><!-- ]]> \"'`&amp; javascript:"
    "\x00\x01\x1b[31m\u202eevil\u2066\u200b\ufeff שלום e\u0301 \t\r\n[red]markup[/red] http://x.test//y"
)


NAN, INF = math.nan, math.inf


def fitted(vocab: Vocab, **spec: object) -> NgramLM:
    texts = [vocab.encode_array(t) for t in TEXTS]
    return fit_ngram(texts, NgramSpec(order=3, end=vocab.end is not None, **spec), vocab)  # type: ignore[arg-type]


LM = fitted(ByteVocab())


ENDLESS = fitted(ByteVocab(end=False))


def scored(text: str | bytes, lm: NgramLM = LM, want: Want = ALL, given: str = "") -> Scored:
    return score(lm, [text], given, want)[0]


AUDIT = Audit(
    "improper",
    "Some texts never end.",
    BeginEvidence("<s>", "trained", 3.9, 8.0, 5.6, 0.06, 512),
    (
        Finding("rows sum to 1", "pass", 2.4e-13, 1e-9, "|1 − Σ p|", "Every row must be a law. " * 4),
        Finding(
            "texts end",
            "warn",
            0.0039,
            0.001,
            "P(length > 1,000)",
            "Mass on texts that never end.",
            Series("alive", "share", "line", (("0", 1.0), ("10", NAN), ("20", 0.1))),
        ),
        Finding("forward equals extend", "fail", INF, 1e-4, "nats a text", "The same number either way."),
        Finding("no number", "pass", None, None, "", "Nothing to measure."),
    ),
    512,
    3,
)


EVALUATION = evaluate(np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]))


def show(item: RenderableType, width: int = 80) -> str:
    console = Console(
        width=width, file=io.StringIO(), record=True, color_system="truecolor", force_terminal=True
    )
    console.print(item)
    return console.export_text()
