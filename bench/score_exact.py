"""The reference of bench/score.py: transformers' own modules with every number in float64.

`model.double()` is not enough: norms, rotary angles and softmaxes ask for float32 by name, whatever comes in. Those
requests are answered with float64 here. The weights, and constants stored beside them, are the checkpoint's.
"""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode

from score_peers import Transformers
from score_texts import windows


class InFloat64(TorchFunctionMode):
    """`.float()`, `.to(float32)` and `dtype=float32` mean float64."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = {k: wide(v) for k, v in (kwargs or {}).items()}
        if func is torch.Tensor.float:
            return args[0].double()
        return func(*(wide(a) for a in args), **kwargs)


def wide(argument):
    return torch.float64 if argument is torch.float32 else argument


class Exact(Transformers):
    """log p by float64: of sentences (A), of long texts by the stride rule (C) or lm-eval's windows (C-disjoint)."""

    def __init__(self, options) -> None:
        super().__init__(options)
        self.model.double()

    def run(self, task, items, request):
        with InFloat64():
            return super().run(task, items, request)

    def logp(self, path: list[int], skip: int) -> list[float]:
        """log p of path[skip:], each given all before it."""
        keep = len(path) - skip
        logits = self.model(torch.tensor([path[:-1]]), logits_to_keep=keep).logits[0]
        assert logits.dtype == torch.float64, logits.dtype
        out = []
        for z, target in zip(logits.split(64), torch.tensor(path[skip:]).split(64)):
            out += (z.gather(1, target[:, None])[:, 0] - z.logsumexp(dim=-1)).tolist()
        return out

    def sentences(self, texts, request):
        return [self.logp([self.x0, *self.ids(text)], 1) for text in texts]

    def answers(self, items, request):
        out = []
        for item in items:
            context = [self.x0, *self.ids(item["context"])]
            out += [self.logp(context + self.ids(a), len(context)) for a in item["answers"]]
        return out

    def strided(self, texts, request):
        out = []
        for text in texts:
            ids = self.ids(text)
            terms = []
            for lo, hi, fresh in windows(len(ids), request["context"], request["stride"]):
                terms += self.logp([self.x0, *ids[lo:hi]], 1 + fresh - lo)
            out.append(terms)
        return out

    def disjoint(self, texts, request):
        out = []
        for text in texts:
            terms = []
            for path, skip in rolling(self.ids(text), self.x0, request["context"]):
                terms += self.logp(path, skip)
            out.append(terms)
        return out


def rolling(ids: list[int], x0: int, context: int):
    """lm-eval's windows as (path, skip): x0 before the first only, one token of context later, the last moved back."""
    done = min(context, len(ids))
    yield [x0, *ids[:done]], 1
    while done < len(ids):
        fresh = min(len(ids) - done, context)
        done += fresh
        path = ids[done - context - 1 : done]
        yield path, len(path) - fresh
