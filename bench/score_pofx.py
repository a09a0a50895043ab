"""pofx in bench/score.py, through its public face."""

from __future__ import annotations

import copy

import pofx
from score_texts import METHODS


class Pofx:
    """`lm.forward` for the terms that the peers give too; the EOS term, which they leave out, is a row of its own."""

    dtype = "float32"

    def __init__(self, options) -> None:
        self.lm = pofx.load(options.source, begin=options.begin, dtype=self.dtype)
        # Reads every weight once: a mapped file counts as memory only then.
        self.lm.forward([self.lm.vocab.encode("a b")])

    def about(self) -> dict:
        return {}

    def run(self, task, items, request):
        return getattr(self, METHODS[task])(items, request)

    def sentences(self, texts, request):
        trace = self.lm.forward(self.lm.vocab.encode_many(texts))
        return {"terms": [row.tolist() for row in trace.logp]}

    def answers(self, items, request):
        encode = self.lm.vocab.encode_many
        paths, skips = [], []
        for context, item in zip(encode([item["context"] for item in items]), items):
            for a in encode(item["answers"]):
                paths.append([*context, *a])
                skips.append(len(context))
        return {"terms": [row.tolist() for row in self.lm.forward(paths, skip=skips).logp]}

    def strided(self, texts, request):
        from pofx.transforms.windowed import windowed

        lm = windowed(self.lm, request["context"], request["stride"])
        return {"terms": [row.tolist() for row in lm.forward(lm.vocab.encode_many(texts)).logp]}

    disjoint = strided

    def draws(self, items, request):
        n = request.get("draws", items["draws"])
        most = request.get("tokens", items["tokens"])
        draws = pofx.sample(endless(self.lm), n, max_tokens=most, seed=request.get("seed", 0))
        assert all(len(d.logp) == most for d in draws)
        return {"tokens": n * most}


def endless(lm: pofx.LM) -> pofx.LM:
    """The same distribution without an EOS, so that every draw has all its tokens, as in the peer."""
    out = copy.copy(lm)
    out.vocab = copy.copy(lm.vocab)
    out.vocab.end = None
    return out


class Bfloat16(Pofx):
    dtype = "bfloat16"


class Complete(Pofx):
    """`pofx.score`, what a user calls: complete texts, the EOS term included, one more position a text."""

    def sentences(self, texts, request):
        scored = pofx.score(self.lm, texts)
        return {"terms": [s.logp[:-1].tolist() for s in scored]}


class Alone(Pofx):
    """Every text in a pass of its own: the same bits in any batch."""

    def __init__(self, options) -> None:
        from pofx.transforms.deterministic import deterministic

        super().__init__(options)
        self.lm = deterministic(self.lm)
