"""Servers that differ from pofx's own, and are right; and servers that can be asked little."""

import json
import random

import numpy as np
from exact_server import END, ExactServer, Refused


class LikeVllm(ExactServer):
    """BOS is echoed before texts, with null; 20 rows at most; no tokenizer, but the ids of a prompt in its answer."""

    most_rows = 20

    def choice(self, index, prompt, asked):
        ids, silent = self.ids_of(prompt, asked)
        out = super().choice(index, ids if silent else prompt, asked)
        return {**out, "prompt_token_ids": ids} if asked.get("return_token_ids") else out

    def answer(self, method, path, body):
        return super().answer(method, "/nothing" if "token" in path else path, body)


class LikeOpenAI(ExactServer):
    """Five rows at most, to which the token itself is added; texts only; offsets; no other path."""

    most_rows = 5

    def ids_of(self, prompt, asked):
        if not isinstance(prompt, str):
            raise Refused("prompt: expected a text")
        return super().ids_of(prompt, asked)

    def numbers(self, ids, silent, shown, k, asked):
        found = super().numbers(ids, silent, shown, k, asked)
        for name, x, row in zip(found["tokens"], found["token_logprobs"], found["top_logprobs"]):
            if row is not None:
                row.setdefault(name, x)
        return found

    def answer(self, method, path, body):
        return super().answer(method, path if path == "/v1/completions" else "/nothing", body)


class LikeLlamaCpp(ExactServer):
    """No echo; another shape of /tokenize."""

    def choice(self, index, prompt, asked):
        if asked.get("echo"):
            raise Refused("echo is not supported")
        return super().choice(index, prompt, asked)

    def tokenize(self, asked):
        found = super().tokenize({"prompt": asked.get("content")})
        return {"tokens": found["tokens"]}

    def detokenize(self, asked):
        return {"content": super().detokenize(asked)["prompt"]}

    def tokenizer_info(self):
        raise Refused("not found", 404)


class WithoutBegin(ExactServer):
    """A model without BOS: index 0 is null for texts, too."""

    def ids_of(self, prompt, asked):
        return super().ids_of(prompt, {**asked, "add_special_tokens": False})

    def tokenizer_info(self):
        return {"eos_token": "</s>", "bos_token": None}


class Opaque(ExactServer):
    """Ids are read, and nobody says which ids a text has."""

    def answer(self, method, path, body):
        return super().answer(method, "/nothing" if "token" in path else path, body)


class LettersOnly(ExactServer):
    """A model of small letters and the space."""

    def ids_of(self, prompt, asked):
        if isinstance(prompt, str) and not set(prompt) <= set("abcdefghijklmnopqrstuvwxyz "):
            raise Refused("prompt: expected letters")
        return super().ids_of(prompt, asked)

    def tokenize(self, asked):
        if not set(asked["prompt"].removesuffix("</s>").removesuffix("<s>")) <= set(
            "abcdefghijklmnopqrstuvwxyz "
        ):
            raise Refused("prompt: expected letters")
        return super().tokenize(asked)


class WordsOnly(ExactServer):
    """A model that reads its own words alone."""

    words = "once upon a time there was a server of few words"

    def draw(self, ids, asked):
        return self.vocab.encode(self.words) if asked["max_tokens"] > 1 else super().draw(ids, asked)

    def ids_of(self, prompt, asked):
        if isinstance(prompt, str) and prompt not in (self.words, ""):
            raise Refused("prompt: expected my words")
        return super().ids_of(prompt, asked)


class Sparse(ExactServer):
    """Three tokens in four have no probability, and rows leave them out."""

    def law(self, before):
        row = np.where(np.arange(END + 1) % 4 == len(before) % 4, super().law(before), -np.inf)
        return row - np.logaddexp.reduce(row)

    def top(self, row, k):
        return {name: x for name, x in super().top(row, k).items() if x > -np.inf}

    def number(self, row, i):
        return max(super().number(row, i), -9999.0)


class Memoryless(ExactServer):
    """A model that looks at no history: all its rows are one row, and that is right."""

    def law(self, before):
        return self.lm.row([])


class Busy(ExactServer):
    """Every third request is put off."""

    asked = 0

    def answer(self, method, path, body):
        self.asked += 1
        if self.asked % 3 == 0:
            return 429, b'{"error": {"message": "busy"}}'
        return super().answer(method, path, body)


class Dies(ExactServer):
    """After 40 requests no answer comes any more."""

    asked = 0

    def answer(self, method, path, body):
        self.asked += 1
        if self.asked > 40:
            raise ConnectionError
        return super().answer(method, path, body)


class Locked(ExactServer):
    """A key is wanted."""

    def answer(self, method, path, body):
        return 401, b'{"error": {"message": "no key"}}'


class NoServer(ExactServer):
    """Pages of a site that is no server of models."""

    def answer(self, method, path, body):
        return 404, b"<html>\x1b[31mnothing here"


class Hostile(ExactServer):
    """Names and texts hold escape sequences, and errors are endless."""

    model = "\x1b[31mred\x1b]0;title\x07\nmodel"

    def choice(self, index, prompt, asked):
        out = super().choice(index, prompt, asked)
        return {**out, "text": "\x1b[2J\n" + out["text"], "finish_reason": "stop" * 10_000}

    def error(self, refused):
        return 400, {"error": "\x1b[31m\n" * 100_000}


class Junk(ExactServer):
    """Answers whose values have other types, one of each in turn."""

    kinds = (
        *(None, [], "a", 7, {}, {"choices": None}, {"choices": [7]}, {"choices": []}),
        {"choices": [{"text": None}]},
        *({"choices": [{"text": "a", "index": 0, "logprobs": x}]} for x in (None, [], 7)),
        *(
            {
                "choices": [
                    {
                        "text": "a",
                        "index": 0,
                        "logprobs": {"tokens": t, "token_logprobs": n, "top_logprobs": r},
                    }
                ]
            }
            for t, n, r in (
                (["a"], None, None),
                ([7], [0.0], [{}]),
                (["a"], ["a"], [{}]),
                (["a"], [1e400], [{}]),
                (["a"], [0.0], [7]),
                (["a"], [0.0], [{"a": None}]),
                ([], [], []),
                (["a", "b"], [True, -1.0], [{"a": -1}, {}]),
            )
        ),
        *({"choices": [{"text": "a", "index": i}]} for i in ("0", 1, -1, 2**70)),
    )

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def completions(self, asked):
        return self.kinds[self.kind]

    def events(self, whole, asked):
        return [whole]


class Mutated(ExactServer):
    """In each answer a value that is drawn at random is replaced by one of another kind, or left out."""

    values = (None, True, 0, -1, 2**70, -1e308, 1.5, "", "a", [], {}, [[]], [None], {"a": None}, "\ud800")

    def __init__(self, seed):
        super().__init__()
        self.rng = random.Random(seed)

    def dumps(self, value):
        value = json.loads(json.dumps(value))
        if self.rng.random() < 0.7:
            self.mutate(value)
        return json.dumps(value).encode()

    def mutate(self, value):
        while True:
            keys = list(value) if isinstance(value, dict) else range(len(value))
            if not keys:
                return
            key = self.rng.choice(keys)
            inner = value[key]
            if isinstance(inner, dict | list) and inner and self.rng.random() < 0.8:
                value = inner
            elif self.rng.random() < 0.3:
                del value[key]
                return
            else:
                value[key] = self.rng.choice(self.values)
                return
