"""A small server of a toy model over letters, on a loopback port, with faults that a test can plant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from loopback import Received, Reply, answering
from toy import ToyLM, ToyVocab


class LetterServer:
    """Letters a to e, EOS = 5 and BOS = 6; `most` log-probabilities at each position.

    `fault` may be "scaled" (log p is off by log 2), "cold" (draws at temperature 1/2), "no-tokenizer", "no-echo" or "moody"
    (each answer differs), "shifted" (an echo has the numbers of the token before), or
    "lines" (as "no-tokenizer", and a line end is an a).
    """

    def __init__(self, most: int = 100, fault: str = "", key: str = "") -> None:
        self.lm = ToyLM(ToyVocab(5), seed=3, memory=2)
        self.most, self.fault, self.key = most, fault, key
        self.bare = fault in ("no-tokenizer", "lines")
        self.asked: list[str] = []

    def names(self, ids: list[int]) -> list[str]:
        return ["abcde</s><s>"[i] if i < 5 else ["</s>", "<s>"][i - 5] for i in ids]

    def law(self, before: list[int]) -> np.ndarray:
        logp = self.lm.row([i for i in before if i < 5])
        if self.fault == "moody":
            logp = logp - 0.3 * (len(self.asked) % 3)
        return logp + (np.log(2) if self.fault == "scaled" else 0)

    def choice(self, index: int, prompt: str | list[int], asked: dict, seed: int) -> dict:
        texts = isinstance(prompt, str)
        ids = ["abcde".index(c) for c in prompt.replace("\n", "a")] if texts else list(prompt)
        p = np.exp(self.lm.row([i for i in ids if i < 5])) ** (2 if self.fault == "cold" else 1)
        drawn = [int(np.random.default_rng(seed).choice(6, p=p / p.sum()))] * asked.get("max_tokens", 16)
        shown = [*ids, *drawn] if asked.get("echo") else drawn
        offset = len(ids) + len(drawn) - len(shown)
        rows = [self.law([*ids, *drawn][: offset + k]) for k in range(len(shown))]
        numbers = [float(row[i]) if i < 6 else None for row, i in zip(rows, shown)]
        if asked.get("echo") and numbers:
            numbers[0] = None
            if self.fault == "shifted" and len(numbers) > 2:
                numbers[2:] = numbers[1:-1]
        best = [np.argsort(-row)[: asked["logprobs"]] for row in rows]
        names = self.names(shown)
        return {
            "index": index,
            "text": "".join(n for n, i in zip(names, shown) if i < 5),
            "finish_reason": "length",
            "logprobs": {
                "tokens": names,
                "token_logprobs": numbers,
                "top_logprobs": [
                    {self.names([int(i)])[0]: float(row[i]) for i in top} for row, top in zip(rows, best)
                ],
                "text_offset": [sum(i < 5 for i in shown[:k]) for k in range(len(shown))],
            },
        }

    def answer(self, path: str, asked: dict) -> tuple[int, object]:
        self.asked.append(path)
        if path == "/v1/models":
            return 200, {"data": [{"id": "letters"}, {"id": "others"}]}
        if path == "/tokenizer_info" and not self.bare:
            return 200, {"eos_token": "</s>", "bos_token": "<s>"}
        if path == "/tokenize" and not self.bare:
            special = {"</s>": [5], "<s>": [6]}.get(asked["prompt"])
            if special is None and set(asked["prompt"]) - set("abcde"):
                return 400, {"error": {"message": "no letter"}}
            return 200, {
                "tokens": special or ["abcde".index(c) for c in asked["prompt"]],
                "max_model_len": 64,
            }
        if path != "/v1/completions":
            return 404, {"error": {"message": "not found"}}
        if asked.get("logprobs", 0) > self.most or (self.fault == "no-echo" and asked.get("echo")):
            return 400, {"error": {"message": "too many logprobs"}}
        prompts = asked["prompt"]
        prompts = [prompts] if isinstance(prompts, str) or isinstance(prompts[0], int) else prompts
        known = set("abcde\n" if self.fault == "lines" else "abcde")
        if any(isinstance(p, str) and set(p) - known for p in prompts):
            return 400, {"error": {"message": "no letter"}}
        n, seed = asked.get("n", 1), asked.get("seed", 0)
        rows = [(p, [seed, k]) for p in prompts for k in range(n)]
        return 200, {"choices": [self.choice(i, p, asked, s) for i, (p, s) in enumerate(rows)]}


@contextmanager
def serving(server: LetterServer) -> Iterator[str]:
    """The address of the server while it runs."""

    def reply(received: Received) -> Reply:
        if server.key and received.headers.get("Authorization") != f"Bearer {server.key}":
            status, value = 401, {"error": {"message": "a key, please"}}
        else:
            status, value = server.answer(received.path, json.loads(received.body or b"{}"))
        return Reply(status, json.dumps(value).encode())

    with answering(reply) as url:
        yield url
