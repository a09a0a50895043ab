"""The probe with which checks ask a server: requests, their parsed answers, and the abilities of the server."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pofx.lm.model import LM
from pofx.models.outside.http_client import Answer, ServerClient
from pofx.server_check.choice import Choice, choices_of
from pofx.server_check.finding import Broken, Refused, Unaskable, quoted

Prompt = str | tuple[int, ...]

# The probe asks a busy server again this many times, after as many seconds as the server says, but after at most this many.
_TRIES, _MOST_WAIT = 4, 10.0


@dataclass(frozen=True)
class Abilities:
    """The abilities of a server.

    Attributes:
        missing: The reason why an ability is missing, by the name of the ability: "echo", "ids", "tokenizer", "special",
            "multibyte", "reference".
        text: A text that the server reads.
        multibyte: A text with characters of two to four bytes in UTF-8; "" where the server reads no such text.
        ids: Token ids that the server reads, if possible the ids of `text`; empty where the server reads no ids.
        learned: Whether `ids` are the ids of `text`.
        rows: The largest `logprobs` that the server takes.
        special: The answer of `/tokenizer_info`; empty without one.
        begin: The id of the server's BOS; None where it is not known.
        end: The id of the server's EOS; None where it is not known.
        limit: The longest prompt that the server reads, in tokens, by its own word; None where the server does not say.
        tokenizer: The field of the text in `/tokenize`: "prompt" in vLLM, "content" in llama.cpp, "" without `/tokenize`.
    """

    missing: Mapping[str, str]
    text: str
    multibyte: str = ""
    ids: tuple[int, ...] = ()
    learned: bool = False
    rows: int = 1
    special: Mapping[str, Any] = field(default_factory=dict)
    begin: int | None = None
    end: int | None = None
    limit: int | None = None
    tokenizer: str = ""


@dataclass(frozen=True)
class Probe:
    """A server, its abilities, and the requests that checks send.

    Attributes:
        client: The client of the server.
        model: The name of the model in requests; None for no name.
        can: The abilities of the server.
        reference: A model whose numbers the server should give; None for none.
    """

    client: ServerClient
    model: str | None
    can: Abilities
    reference: LM | None = None

    @property
    def prompt(self) -> Prompt:
        """The prompt of checks that work with ids or text: ids if the server reads ids."""
        return self.can.ids or self.can.text

    @property
    def room(self) -> int:
        """The longest prompt in tokens that leaves room for BOS and one generated token, as far as the server says."""
        return sys.maxsize if self.can.limit is None else max(1, self.can.limit - 2)

    def need(self, *abilities: str) -> None:
        """Raise `Unaskable` with the reason where the server lacks an ability."""
        for ability in abilities:
            if why := self.can.missing.get(ability):
                raise Unaskable(why)

    def length(self, choice: Choice, prompt: Prompt, generated: int = 1) -> int:
        """Return the number of entries that the arrays of an answer must have.

        The server itself counts the tokens of a text, so that only ids decide the number.
        """
        return len(choice.tokens) if isinstance(prompt, str) else len(prompt) + generated

    def ask(self, fields: Mapping[str, Any], path: str = "/v1/completions") -> Answer:
        """Send a request, and return any answer; a busy server is asked again."""
        named = {"model": self.model, **fields} if self.model is not None else dict(fields)
        return patient(self.client, "POST", path, named)

    def many(
        self,
        prompts: Sequence[Prompt],
        *,
        max_tokens: int = 1,
        logprobs: int | None = 1,
        echo: bool = True,
        **more: Any,
    ) -> list[Choice]:
        """Return the choices of several prompts in one request, in their order.

        Raises:
            Broken: The server refuses the request, or its answer is no completion.
        """
        fields = completion_fields(prompts, max_tokens=max_tokens, logprobs=logprobs, echo=echo, **more)
        sent = in_words(prompts, fields)
        answer = self.ask(fields)
        if not answer.ok:
            kind = Refused if 400 <= answer.status < 500 else Broken
            raise kind(sent, "an answer", f"status {answer.status}: {answer.said}")
        choices = choices_of(answer, len(prompts), sent, with_logprobs=logprobs is not None)
        if echo and logprobs is not None and not all(min(c.lengths) for c in choices):
            raise Broken(sent, "an entry for each token", "empty arrays")
        return choices

    def one(self, prompt: Prompt, **fields: Any) -> Choice:
        """Return the choice of one prompt, as in `many`."""
        return self.many([prompt], **fields)[0]

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Return the ids of a text by the server's tokenizer.

        Raises:
            Unaskable: There is no tokenizer.
            Broken: The answer holds no list of ids.
        """
        self.need("tokenizer")
        asked = (
            {"content": text, "add_special": special}
            if self.can.tokenizer == "content"
            else {"prompt": text, "add_special_tokens": special}
        )
        answer = self.ask(asked, "/tokenize")
        sent = f"/tokenize {quoted(text, 30)}"
        if not answer.ok:
            raise Broken(sent, "ids", f"status {answer.status}: {answer.said}")
        ids = ids_in(answer)
        if ids is None:
            raise Broken(sent, "an array tokens of ids", answer.said[:60])
        return ids


def completion_fields(
    prompts: Sequence[Prompt],
    *,
    max_tokens: int = 1,
    logprobs: int | None = 1,
    echo: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return the fields of a request for greedy completions of one or more prompts."""
    fields: dict[str, Any] = {"max_tokens": max_tokens, "temperature": 0, "echo": echo, **more}
    if logprobs is not None:
        fields["logprobs"] = logprobs
    fields["prompt"] = prompts[0] if len(prompts) == 1 else list(prompts)
    if len(prompts) == 1 and not isinstance(prompts[0], str):
        fields["prompt"] = [list(prompts[0])]  # lm-eval sends even one prompt as a list of lists
    return fields


def patient(
    client: ServerClient, method: str, path: str, question: Mapping[str, Any] | None = None
) -> Answer:
    """Send a request, and return any answer; a busy server is asked again."""
    for left in range(_TRIES, 0, -1):
        answer = client.ask(method, path, question)
        if answer.status not in (429, 503) or left == 1:
            break
        wait = answer.headers.get("retry-after", "1")
        time.sleep(min(float(wait) if wait.isdecimal() and len(wait) < 4 else 1.0, _MOST_WAIT))
    return answer


def ids_in(answer: Answer) -> list[int] | None:
    """Return the ids in an answer of `/tokenize`; None for an answer without ids."""
    found = answer.json.get("tokens") if isinstance(answer.json, dict) else None
    whole = isinstance(found, list) and all(isinstance(i, int) and not isinstance(i, bool) for i in found)
    return found if whole else None


def in_words(prompts: Sequence[Prompt], fields: Mapping[str, Any]) -> str:
    """Return a request in words, such as "12 ids, echo, logprobs 1, max_tokens 1"."""
    shown = [quoted(p, 24) if isinstance(p, str) else f"{len(p)} ids" for p in prompts]
    parts = [shown[0] if len(shown) == 1 else f"{len(shown)} prompts"]
    parts += ["echo"] * bool(fields.get("echo"))
    parts += [f"{k} {fields[k]}" for k in ("logprobs", "max_tokens") if k in fields]
    return ", ".join(parts)
