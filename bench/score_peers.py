"""The peers of bench/score.py, each used as its own documentation says, by one method `run`.

x0 is the same token for all. Where a tool has no argument for it, its text stands in front of the context: both
tokenizers read `<|endoftext|>` there as the token. No tool is patched.
"""

from __future__ import annotations

import torch

from score_texts import METHODS, windows


def touched(model) -> int:
    """The bytes of the weights, every page of them read: a mapped file counts as memory only once it is."""
    tensors = {p.data_ptr(): p for p in model.parameters()}
    for p in tensors.values():
        p.detach().sum().item()
    return sum(p.numel() * p.element_size() for p in tensors.values())


def load_model(checkpoint: str, dtype=torch.float32):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype).eval()


class Transformers:
    """A plain loop over transformers: `log_softmax` over the logits, as in most scripts."""

    def __init__(self, options) -> None:
        from transformers import AutoTokenizer

        self.model = load_model(options.checkpoint)
        self.weights = touched(self.model)
        self.tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
        self.x0 = self.tokenizer.convert_tokens_to_ids(options.begin)

    def about(self) -> dict:
        return {"weights": self.weights}

    def ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def run(self, task: str, items, request: dict) -> dict:
        with torch.inference_mode():
            return {"terms": getattr(self, METHODS[task])(items, request)}


def chosen(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(logits, dim=-1).gather(-1, targets[..., None])[..., 0]


class OneByOne(Transformers):
    def sentences(self, texts, request):
        out = []
        for text in texts:
            ids = torch.tensor([[self.x0, *self.ids(text)]])
            out.append(chosen(self.model(ids[:, :-1]).logits, ids[:, 1:])[0].tolist())
        return out


class Padded(Transformers):
    """Batches in the order given, padded on the right, with an attention mask."""

    def sentences(self, texts, request):
        out, size = [], request.get("batch", 16)
        for at in range(0, len(texts), size):
            paths = [[self.x0, *self.ids(t)] for t in texts[at : at + size]]
            longest = max(map(len, paths))
            ids = torch.tensor([p + [self.x0] * (longest - len(p)) for p in paths])
            mask = torch.tensor([[1] * len(p) + [0] * (longest - len(p)) for p in paths])
            logp = chosen(self.model(ids[:, :-1], attention_mask=mask[:, :-1]).logits, ids[:, 1:])
            out += [row[: len(p) - 1].tolist() for row, p in zip(logp, paths)]
        return out


class HandCache(Transformers):
    """What a careful hand writes: a context once, its head on the last position only, its cache for all answers."""

    def answers(self, items, request):
        out = []
        for item in items:
            answers = [self.ids(a) for a in item["answers"]]
            context = torch.tensor([[self.x0, *self.ids(item["context"])]])
            read = self.model(context, use_cache=True, logits_to_keep=1)
            first = torch.log_softmax(read.logits[0, -1], dim=-1)
            cache = read.past_key_values
            cache.batch_repeat_interleave(len(answers))
            longest = max(map(len, answers))
            ids = torch.tensor([a + [self.x0] * (longest - len(a)) for a in answers])
            rest = (
                chosen(self.model(ids[:, :-1], past_key_values=cache).logits, ids[:, 1:])
                if longest > 1
                else torch.zeros(len(answers), 0)
            )
            out += [[first[a[0]].item(), *row[: len(a) - 1].tolist()] for a, row in zip(answers, rest)]
        return out


class Stride(Transformers):
    """The stride method of the guide "Perplexity of fixed-length models": the model's own loss on each window."""

    def strided(self, texts, request):
        out = []
        for text in texts:
            ids = self.ids(text)
            total = 0.0
            for lo, hi, fresh in windows(len(ids), request["context"], request["stride"]):
                inputs = torch.tensor([[self.x0, *ids[lo:hi]]])
                labels = inputs.clone()
                labels[:, : 1 + fresh - lo] = -100
                total -= self.model(inputs, labels=labels).loss.item() * (hi - fresh)
            out.append(total)
        return out


class Generate(Transformers):
    """`generate` from the untouched distribution (no top-k, no temperature); EOS is a token like any other, so that every
    row has all its tokens and tools do the same work."""

    def run(self, task, items, request):
        config = self.model.generation_config
        config.eos_token_id, config.pad_token_id = None, self.x0
        torch.manual_seed(request.get("seed", 0))
        n = request.get("draws", items["draws"])
        tokens = request.get("tokens", items["tokens"])
        ids = self.model.generate(
            torch.full((n, 1), self.x0),
            attention_mask=torch.ones((n, 1), dtype=torch.long),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=tokens,
        )
        assert ids.shape == (n, 1 + tokens), ids.shape
        return {"tokens": n * tokens}


class Minicons:
    """minicons' IncrementalLMScorer. It prepends `tokenizer.bos_token`, so that is set to x0."""

    def __init__(self, options) -> None:
        from minicons.scorer import IncrementalLMScorer
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
        x0 = tokenizer.convert_tokens_to_ids(options.begin)
        self.bos = (
            tokenizer("a")["input_ids"][0] != x0
        )  # else the tokenizer adds it, and bos_token would double it
        if self.bos:
            tokenizer.bos_token = options.begin
        self.scorer = IncrementalLMScorer(options.checkpoint, "cpu", tokenizer=tokenizer, dtype=torch.float32)
        self.weights = touched(self.scorer.model)

    def about(self) -> dict:
        return {"weights": self.weights}

    def run(self, task, items, request):
        out, size = [], request.get("batch", 4)
        if task == "A":
            for at in range(0, len(items), size):
                out += self.scorer.sequence_score(
                    items[at : at + size], reduction=torch.Tensor.tolist, bos_token=self.bos
                )
            return {"terms": out}
        assert task == "B", task
        pairs = [(item["context"], a) for item in items for a in item["answers"]]
        for at in range(0, len(pairs), size):
            contexts, answers = map(list, zip(*pairs[at : at + size]))
            out += self.scorer.conditional_score(
                contexts, answers, separator="", reduction=torch.Tensor.tolist, bos_token=self.bos
            )
        return {"terms": out}


class LMEval:
    """lm-evaluation-harness' HFLM: loglikelihood for A and B, loglikelihood_rolling (disjoint windows) for C."""

    def __init__(self, options) -> None:
        import logging

        from lm_eval.models.huggingface import HFLM
        from transformers import AutoTokenizer

        logging.disable(logging.WARNING)
        tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
        x0 = tokenizer.convert_tokens_to_ids(options.begin)
        # It puts x0 before an empty context only; before another one x0 has to be spelt, unless the tokenizer adds it.
        self.spelt = "" if tokenizer("a")["input_ids"][0] == x0 else options.begin
        self.lm = HFLM(
            options.checkpoint,
            tokenizer=tokenizer,
            device="cpu",
            dtype="float32",
            prefix_token_id=x0,
            batch_size=1,
        )
        self.weights = touched(self.lm.model)

    def about(self) -> dict:
        return {"weights": self.weights}

    def run(self, task, items, request):
        from lm_eval.api.instance import Instance

        self.lm.batch_size_per_gpu = request.get("batch", 16)
        self.lm._max_length = request.get("context")

        def instances(kind, arguments):
            return [Instance(kind, {}, a, i) for i, a in enumerate(arguments)]

        if task.startswith("C"):
            asked = instances("loglikelihood_rolling", [(text,) for text in items])
            return {"terms": self.lm.loglikelihood_rolling(asked, disable_tqdm=True)}
        if task == "A":
            pairs = [("", text) for text in items]
        else:
            pairs = [(self.spelt + item["context"], a) for item in items for a in item["answers"]]
        found = self.lm.loglikelihood(instances("loglikelihood", pairs), disable_tqdm=True)
        return {"terms": [total for total, _ in found]}
