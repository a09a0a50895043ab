"""genlm-bytes in bench/strings.py, as its README walks a beam: `beam = await (beam.prune() << byte)`, then `logZ`.

What is set, and why. x0: `tokenizer.bos_token`, which its first context is. EOS: named in `eos_byte_strings`, else
its printed name counts as text; `prefill` would count it as text all the same, so bytes are fed one by one. timeout
0: it waits 20 ms for more queries by default, and all that can come have come. One trie, built at load, for all
beams; the cache of log-probabilities is emptied before every run. `logZ`, not the product of `logp_next`: only that
is a bound of log P(text). Its backend keeps no keys and values of its hypotheses: each call reads all tokens again.

Its sums over the vocabulary are of float32 numbers, and the one over all of it comes out below 1 (SmolLM2 after x0: by
7e-5), which makes every token after it that much likelier than it is: its `logZ` is above log P(text) where nothing is
pruned. So each hypothesis' weight is put right by the sums of its own history, read off on the way (`low`).

threshold: `prune_threshold`; its README has 0.05, its default is 0. primed: `cache_kv` of x0 and the tokens of the
text first, one call that leaves the log-probabilities after each of them in its cache: the beam then calls the model
for hypotheses off that path only. It can be done where the whole text is known.
"""

from __future__ import annotations

import asyncio
import math

import torch

from score_peers import load_model, touched


class Genlm:
    def __init__(self, options) -> None:
        from genlm.backend.llm import AsyncTransformer
        from genlm.bytes import BeamParams, ByteBeamState
        from transformers import AutoTokenizer

        self.beam, self.params = ByteBeamState, BeamParams
        self.tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
        self.tokenizer.bos_token = options.begin
        model = load_model(options.checkpoint, torch.float32)
        self.weights = touched(model)
        self.llm = AsyncTransformer(model, self.tokenizer, timeout=0.0)
        self.eos = [self.tokenizer.eos_token.encode()]
        self.loop = asyncio.new_event_loop()  # one: the trie's queue lives in it
        first = ByteBeamState.initial(self.llm, BeamParams(K=1, eos_byte_strings=self.eos))
        self.first = self.loop.run_until_complete(first).states
        self.sums: dict[tuple, float] = {}  # log of the sum of each distribution, by its context
        self.watch(type(self.first[0]))

    def watch(self, state: type) -> None:
        materialize = state.materialize

        async def watched(this):
            found = await materialize(this)
            self.sums[tuple(this.lm_state.context)] = float(this.mass[this.root])
            return found

        state.materialize = watched
        for first in self.first:
            self.sums[tuple(first.lm_state.context)] = float(first.mass[first.root])

    def about(self) -> dict:
        return {"weights": self.weights}

    def run(self, task, items, request):
        self.llm.clear_cache()
        self.llm.batch_size = request.get("batch", 20)
        params = self.params(
            K=request["beam"], prune_threshold=request["threshold"], eos_byte_strings=self.eos
        )
        found = self.loop.run_until_complete(self.texts(items, params, request))
        return {"terms": [float(beam.logZ) for beam in found], "low": [self.low(beam) for beam in found]}

    def low(self, beam) -> float:
        """`logZ` with the weights put right."""
        total = -math.inf
        for state in beam.states:
            context = tuple(state.lm_state.context)
            off = sum(self.sums[context[:k]] for k in range(1, len(context) + 1))
            low, high = sorted((total, float(state.weight) + off))
            total = high + math.log1p(math.exp(low - high))
        return total

    async def texts(self, texts, params, request):
        if request["primed"]:
            for text in texts:
                ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
                self.llm.cache_kv([self.tokenizer.bos_token_id, *ids])
        if request.get("gather", True):
            return await asyncio.gather(*(self.text(t, params) for t in texts))
        return [await self.text(t, params) for t in texts]

    async def text(self, text, params):
        beam = self.beam(self.first, params)
        for byte in text.encode():
            beam = await (beam.prune() << byte)
        return beam
