"""pofx in bench/strings.py, through its public face."""

from __future__ import annotations

import math

import pofx


class Pofx:
    def __init__(self, options) -> None:
        self.lm = pofx.load(options.source, begin=options.begin)
        self.laws: dict[int, pofx.LM] = {}  # made in the warm-up, as the peer's trie is made at load

    def about(self) -> dict:
        return {}

    def run(self, task, items, request):
        return self.words(items) if task == "words" else self.bytes(items, request["beam"])

    def bytes(self, texts, beam):
        """log P(text) in nats, under the beam and as a lower bound. The term of EOS is left out of both."""
        if beam not in self.laws:
            self.laws[beam] = pofx.bytewise(self.lm, beam=beam)
        scored = pofx.score(self.laws[beam], texts)
        return {
            "terms": [s.prefix_total for s in scored],
            # The peer leaves the mass of control tokens where it is; the same here.
            "low": [float(s.low[:-1].sum()) + math.log1p(-s.terms.leak) for s in scored],
        }

    def words(self, texts):
        found = pofx.words(self.lm, texts)
        return {"words": [[(w.text, w.surprisal - w.ending) for w in text.words] for text in found]}


class Space(Pofx):
    """Word scores with minicons' boundary, by `lm.forward`: the tokens that begin with a space, and these alone.

    Not pofx's numbers, but its log-probabilities in minicons' formula: what is left between the two then is rounding.
    """

    def words(self, texts):
        import numpy as np

        vocab = self.lm.vocab
        opens = np.array([bool(b) and b.startswith(b" ") for b in vocab.token_bytes])
        ids = [vocab.encode(t) for t in texts]
        # A last token that is not scored, so that the distribution after the text is read as well.
        trace = self.lm.forward([[*row, vocab.end] for row in ids], pofx.Want(masses=opens[None]))
        out = []
        for text, row, logp, masses in zip(texts, ids, trace.logp, trace.masses):
            starts = [k for k, t in enumerate(row) if k == 0 or opens[t]] + [len(row)]
            behind = [0.0, *(float(masses[k, 0]) for k in starts[1:])]
            found = text.split()
            assert len(found) == len(starts) - 1, text
            out.append(
                [
                    (word, -float(logp[lo:hi].sum()) - behind[k + 1] + behind[k])
                    for k, (word, lo, hi) in enumerate(zip(found, starts, starts[1:]))
                ]
            )
        return {"words": out}
