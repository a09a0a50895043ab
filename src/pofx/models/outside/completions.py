"""OpenAI's legacy completions as questions and checked answers: each choice as arrays of one length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource
from pofx.models.outside.asking_progress import report_answer
from pofx.models.outside.http_client import ServerClient

Prompt = str | Sequence[int]
# OpenAI-style servers write this number for log 0, since JSON has no −∞.
NEVER = -9999.0
# The most draws of one answer; OpenAI allows 128.
_DRAWN = 64
_ARRAYS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


@dataclass(frozen=True)
class Choice:
    """The answer to one prompt.

    Attributes:
        text: The text of the answer.
        tokens: The name of each token.
        logp: log p of each token, nats; None for a token without a number.
        tops: The likeliest tokens at each position, by name, with log p; None for a position without them.
        offsets: How many characters of `text` stand before each token; () where the server does not say.
        ids: The ids of generated tokens, where they were asked for; else ().
    """

    text: str
    tokens: tuple[str, ...]
    logp: tuple[float | None, ...]
    tops: tuple[Mapping[str, float] | None, ...]
    offsets: tuple[int, ...]
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Completions:
    """The completions of one model of a server.

    Attributes:
        client: The client of the server.
        model: The name of the model; None leaves the choice to the server.
    """

    client: ServerClient
    model: str | None

    def question(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields with the name of the model."""
        return dict(fields) if self.model is None else {"model": self.model, **fields}

    def post(self, path: str, fields: Mapping[str, Any]) -> Any:
        """Ask a path of the server about the model, and return the JSON value of the answer."""
        value = self.client.post(path, self.question(fields)).json
        report_answer(fields)
        return value

    def accepts(self, fields: Mapping[str, Any]) -> bool:
        """Return whether the server answers a completion of these fields, and does not refuse them."""
        return self.client.ask("POST", "/v1/completions", self.question(fields)).ok

    def choices(self, prompts: Sequence[Prompt], fields: Mapping[str, Any]) -> list[Choice]:
        """Ask for a completion of each prompt, in one question.

        Args:
            prompts: Texts, or lists of ids.
            fields: The other fields of the question; `n` must not be among them.

        Returns:
            A choice for each prompt, in order.

        Raises:
            BadSource: The server refuses, or its answer has another shape.
        """
        sent = [p if isinstance(p, str) else [int(i) for i in p] for p in prompts]
        value = self.post("/v1/completions", {"prompt": sent, **fields})
        found = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(found, list) or len(found) != len(prompts):
            raise self._shape(f"{len(prompts)} choices", found)
        by_index = {c.get("index"): c for c in found if isinstance(c, dict)}
        if set(by_index) != set(range(len(prompts))):
            raise self._shape(f"choices of index 0 to {len(prompts) - 1}", sorted(map(str, by_index)))
        return [self._choice(by_index[i]) for i in range(len(prompts))]

    def draws(self, prompt: Prompt, n: int, seed: int, more: Mapping[str, Any] | None = None) -> list[Choice]:
        """Ask for n draws of one token after a prompt, by the sampler of the server at temperature 1.

        A server that knows `n` draws up to 64 tokens in one answer. Another server is asked once a draw, with another seed.
        """
        sent = prompt if isinstance(prompt, str) else [int(i) for i in prompt]
        fields = {
            "prompt": sent,
            "max_tokens": 1,
            "temperature": 1,
            "top_p": 1,
            "logprobs": 1,
            **(more or {}),
        }
        out: list[Choice] = []
        together = _DRAWN
        while len(out) < n:
            size = min(together, n - len(out))
            value = self.post("/v1/completions", {**fields, "n": size, "seed": seed + len(out)})
            found = value.get("choices") if isinstance(value, dict) else None
            if not isinstance(found, list) or not found or not all(isinstance(c, dict) for c in found):
                raise self._shape("choices", found)
            # A server that ignores `n` gives one choice.
            together = together if len(found) == size else 1
            out.extend(self._choice(c) for c in found[: size if together > 1 else 1])
        return out

    def _choice(self, found: Mapping[str, Any]) -> Choice:
        text, logs = found.get("text"), found.get("logprobs")
        if not isinstance(text, str) or not isinstance(logs, dict):
            raise self._shape("a text and logprobs in each choice", found)
        tokens, logp, tops, offsets = (logs.get(name) for name in _ARRAYS)
        if not isinstance(tokens, list) or not isinstance(logp, list) or len(tokens) != len(logp):
            raise self._shape("tokens and token_logprobs of one length", logs)
        offsets = offsets if isinstance(offsets, list) and len(offsets) == len(tokens) else []
        tops = tops if isinstance(tops, list) and len(tops) == len(tokens) else [None] * len(tokens)
        return Choice(
            text,
            tuple(map(str, tokens)),
            tuple(self._number(x) for x in logp),
            tuple(
                None if t is None else {str(k): self._log(v) for k, v in self._row(t).items()} for t in tops
            ),
            tuple(o for o in offsets if isinstance(o, int)),
            tuple(i for i in found.get("token_ids") or () if isinstance(i, int)),
        )

    def _row(self, found: Any) -> Mapping[str, Any]:
        if not isinstance(found, dict):
            raise self._shape("an object of log-probabilities at each position", found)
        return found

    def _number(self, found: Any) -> float | None:
        return None if found is None else self._log(found)

    def _log(self, found: Any) -> float:
        if isinstance(found, bool) or not isinstance(found, int | float) or math.isnan(found):
            raise self._shape("numbers as log-probabilities", found)
        return -math.inf if found <= NEVER else float(found)

    def _shape(self, expected: str, found: object) -> BadSource:
        return BadSource(
            f"{self.client.address}/v1/completions: expected {expected}, got {found!r:.80}",
            "test the server with pofx check-server",
        )
