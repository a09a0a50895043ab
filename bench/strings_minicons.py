"""minicons in bench/strings.py: `word_score_tokenized`, with the correction of word beginnings."""

from __future__ import annotations

from score_peers import Minicons


class Words(Minicons):
    """bos_token is on: without it, with a tokenizer that adds no BOS, word k has the score of word k + 1."""

    def run(self, task, items, request):
        out, size = [], request.get("batch", 4)
        for at in range(0, len(items), size):
            out += self.scorer.word_score_tokenized(
                items[at : at + size],
                str.split,
                bow_correction=request.get("correct", True),
                bos_token=self.bos,
                surprisal=True,
            )
        return {"words": out}
