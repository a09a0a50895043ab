"""A small server whose right answers are known: an exact model of bytes and a few pieces, on a loopback port.

Every step is a method of `ExactServer`, so that a faulty server is a subclass with one method replaced.
"""

import itertools
import json
from contextlib import contextmanager
from functools import cache

import numpy as np

from loopback import Reply, answering
from pofx.vocab.vocabulary import Vocab
from toy import ToyLM

# Beside the 256 bytes: pieces, among them two that print alike, and halves of characters, which print as U+FFFD.
PIECES = (
    b"th",
    b"the",
    b" the",
    b" c",
    b"at",
    b" s",
    b"at",
    b". ",
    "é".encode(),
    "猫".encode(),
    b"\xf0\x9f",
    b"\x9f\x90",
)
END = 256 + len(PIECES)
BEGIN = END + 1  # one past the last outcome, as in a model that pofx fitted


class PiecesVocab(Vocab):
    """Bytes and pieces; the longest piece comes first."""

    def __init__(self):
        spelled = [bytes([i]) for i in range(256)] + list(PIECES)
        self.size, self.end = len(spelled) + 1, END
        self.token_bytes = (*spelled, None)
        self._ids = {b: i for i, b in reversed(list(enumerate(spelled)))}

    def encode(self, text):
        data, ids, at = text.encode() if isinstance(text, str) else text, [], 0
        while at < len(data):
            n = next(
                n for n in (4, 3, 2, 1) if data[at : at + n] in self._ids and len(data[at : at + n]) == n
            )
            ids.append(self._ids[data[at : at + n]])
            at += n
        return ids


class PiecesLM(ToyLM):
    """A law for each history of up to three tokens; after one history in five EOS is the likeliest token."""

    def __init__(self, seed=0):
        super().__init__(PiecesVocab(), seed, memory=3)

    def row(self, history):
        recent = tuple(int(h) for h in history)[-self.memory :]
        if recent not in self._rows:
            rng = np.random.default_rng([self.seed, len(recent), *[h + 1 for h in recent]])
            p = rng.standard_exponential(self.vocab.size) ** 3 + 1e-4
            p[END] = p.max() * (2 if rng.random() < 0.2 else 0.01)
            self._rows[recent] = np.log(p / p.sum())
        return self._rows[recent]


MODEL = PiecesLM()  # shared, so that each of its laws is drawn once


class Refused(Exception):
    def __init__(self, message, status=400, code="invalid_request"):
        super().__init__(message)
        self.message, self.status, self.code = message, status, code


class ExactServer:
    """OpenAI's completions with pofx's own rules: texts stand after an implicit BOS, ids are used as they come."""

    limit = 2100
    most_rows = 1000
    model = "exact"

    def __init__(self):
        self.lm = MODEL
        self.vocab = self.lm.vocab

    # --- the steps of a completion ---

    def law(self, before):
        """log p of every token after others. After one BOS the model is the `LM`; without BOS it has other laws."""
        history = before[1:] if list(before[:1]) == [BEGIN] else [BEGIN + 1, *before]
        return self.lm.row(history[-self.lm.memory :])

    def laws(self, ids):
        """The row at each position of a prompt."""
        return [self.law(ids[:i]) for i in range(len(ids))]

    def ids_of(self, prompt, asked):
        """What the model reads, and how many ids in front of it are not echoed."""
        if isinstance(prompt, str):
            begin = [BEGIN] if asked.get("add_special_tokens", True) else []
            return [*begin, *self.vocab.encode(prompt)], len(begin)
        if not all(isinstance(i, int) and 0 <= i <= BEGIN for i in prompt):
            raise Refused(f"expected ids from 0 to {BEGIN}, found {prompt!r:.40}")
        return list(prompt), 0

    def draw(self, ids, asked):
        """The generated tokens, EOS among them where it comes."""
        rng = np.random.default_rng(asked.get("seed") or 0)
        out = []
        while len(out) < asked["max_tokens"] and END not in out:
            row = self.law([*ids, *out])
            hot = asked.get("temperature", 1)
            out.append(int(row.argmax()) if not hot else int(rng.choice(len(row), p=np.exp(row))))
        return out

    def name(self, i):
        """The name of a token in `tokens` and in the keys of rows."""
        return self.names()[i]

    @cache  # noqa: B019  (a server lives as long as its test)
    def names(self):
        return [self.named(i) for i in range(BEGIN + 1)]

    def named(self, i):
        """The name of a token, each with its own."""
        if i in (END, BEGIN):
            return "</s>" if i == END else "<s>"
        data = self.vocab.token_bytes[i]
        if self.vocab._ids[data] != i:
            return f"token_id:{i}"
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{b:02x}" for b in data)

    def top(self, row, k):
        """The k likeliest tokens of a row, the likeliest one first."""
        best = [int(row.argmax())] if k == 1 else np.argsort(-row, kind="stable")[:k].tolist()
        return {self.name(i): float(row[i]) for i in best}

    def bytes_of(self, ids):
        return [b"" if i >= END else self.vocab.token_bytes[i] for i in ids]

    def text(self, ids):
        return b"".join(self.bytes_of(ids)).decode("utf-8", "replace")

    def offsets(self, ids):
        """Code points before each token; a token within a character begins where the character does."""
        out, before = [], b""
        for piece in self.bytes_of(ids):
            whole = before.decode("utf-8", "ignore")
            out.append(len(whole))
            before += piece
        return out

    def null(self, index, silent):
        """Whether the number at an index is null."""
        return index == 0 and silent == 0

    def number(self, row, i):
        """log p of a token; BOS is no outcome."""
        return float(row[i]) if i < BEGIN else -9999.0

    def numbers(self, ids, silent, shown, k, asked):
        rows = self.laws(ids)
        names = [self.name(i) for i in ids[shown:]]
        if asked.get("return_tokens_as_token_ids"):
            names = [f"token_id:{i}" for i in ids[shown:]]
        known = [None if self.null(i - silent, silent) else i for i in range(shown, len(ids))]
        return {
            "tokens": names,
            "token_logprobs": [None if i is None else self.number(rows[i], ids[i]) for i in known],
            "top_logprobs": [None if i is None else self.top(rows[i], k) for i in known],
            "text_offset": self.offsets(ids[shown:]),
        }

    def choice(self, index, prompt, asked):
        ids, silent = self.ids_of(prompt, asked)
        if len(ids) > self.limit:
            raise Refused(f"expected at most {self.limit} tokens", code="context_length_exceeded")
        drawn = self.draw(ids, asked)
        shown = silent if asked.get("echo") else len(ids)
        k = asked.get("logprobs")
        return {
            "index": index,
            "text": self.text([*ids[shown:], *drawn]),
            "finish_reason": "stop" if END in drawn else "length",
            "drawn": len(drawn),
            "logprobs": None if k is None else self.numbers([*ids, *drawn], silent, shown, k, asked),
        }

    def choices(self, prompts, asked):
        return [self.choice(i, p, asked) for i, p in enumerate(prompts)]

    # --- the paths ---

    def completions(self, asked):
        prompt = asked.get("prompt")
        if isinstance(prompt, str) or (isinstance(prompt, list) and prompt and isinstance(prompt[0], int)):
            prompt = [prompt]
        if not isinstance(prompt, list) or not all(isinstance(p, str | list) for p in prompt):
            raise Refused("prompt: expected texts or ids")
        for name, kinds in (("max_tokens", int), ("temperature", int | float), ("logprobs", int)):
            value = asked.get(name)
            if value is not None and (not isinstance(value, kinds) or value < 0):
                raise Refused(f"{name}: expected a number of at least 0, found {value!r:.20}")
        if (asked.get("logprobs") or 0) > self.most_rows:
            raise Refused(f"logprobs: expected at most {self.most_rows}")
        asked = {**asked, "max_tokens": asked.get("max_tokens", 16)}
        choices = self.choices(prompt, asked)
        drawn = [c.pop("drawn") for c in choices]
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "model": self.model,
            "choices": choices,
            "usage": self.usage([len(self.ids_of(p, asked)[0]) for p in prompt], drawn),
        }

    def usage(self, prompts, drawn):
        """The numbers of tokens, of those of each prompt and those drawn after it."""
        return {
            "prompt_tokens": sum(prompts),
            "completion_tokens": sum(drawn),
            "total_tokens": sum(prompts) + sum(drawn),
        }

    # --- the events of a stream ---

    def parts(self, choice):
        """A choice in parts: one for each token where tokens are listed, else one for each character."""
        text, listed = choice["text"], choice["logprobs"]
        starts = listed["text_offset"] if listed else range(len(text))
        bounds = [0, *starts[1:], len(text)]
        for i in range(max(1, len(starts))):
            arrays = listed and {name: array[i : i + 1] for name, array in listed.items()}
            last = i >= len(starts) - 1
            yield {
                "index": choice["index"],
                "text": text[bounds[i] : bounds[i + 1]],
                "finish_reason": choice["finish_reason"] if last else None,
                "logprobs": arrays,
            }

    def events(self, whole, asked):
        """The events of an answer, of the choices in turn."""
        for parts in itertools.zip_longest(*map(self.parts, whole["choices"])):
            yield from ({**whole, "choices": [part], "usage": None} for part in parts if part is not None)
        if (asked.get("stream_options") or {}).get("include_usage"):
            yield {**whole, "choices": []}

    def stream(self, whole, asked):
        """The body of a stream."""
        events = [*map(self.dumps, self.events(whole, asked)), b"[DONE]"]
        return b"".join(b"data: " + e + b"\n\n" for e in events)

    def media_type(self, body):
        return "text/event-stream" if body.startswith(b"data: ") else "application/json"

    def tokenize(self, asked):
        text = asked.get("prompt")
        if not isinstance(text, str):
            raise Refused("prompt: expected a text")
        ids = {"</s>": [END], "<s>": [BEGIN]}.get(text) or self.vocab.encode(text)
        return {"tokens": ids, "count": len(ids), "max_model_len": self.limit}

    def detokenize(self, asked):
        return {"prompt": self.text(asked["tokens"])}

    def tokenizer_info(self):
        return {"eos_token": "</s>", "bos_token": "<s>"}

    def error(self, refused):
        """The status and the body of an error."""
        return refused.status, {
            "error": {"message": refused.message, "type": "invalid_request_error", "code": refused.code}
        }

    def answer(self, method, path, body):
        """The status and the body of an answer; the body is JSON in bytes."""
        try:
            path = path.partition("?")[0]
            if method == "GET":
                listed = {"object": "list", "data": [{"id": self.model, "object": "model"}]}
                found = {"/v1/models": lambda: listed, "/tokenizer_info": self.tokenizer_info}.get(path)
                if found is None:
                    raise Refused("not found", 404)
                return 200, self.dumps(found())
            paths = {
                "/v1/completions": self.completions,
                "/tokenize": self.tokenize,
                "/detokenize": self.detokenize,
            }
            if path not in paths:
                raise Refused("not found", 404)
            try:
                asked = json.loads(body)
            except ValueError:
                raise Refused("expected JSON") from None
            found = paths[path](asked)
            streams = path == "/v1/completions" and asked.get("stream")
            return 200, self.stream(found, asked) if streams else self.dumps(found)
        except Exception as e:
            # An exception is status 500, as in a real server.
            status, value = self.error(e if isinstance(e, Refused) else Refused(repr(e), 500))
            return status, value if isinstance(value, bytes) else self.dumps(value)

    def dumps(self, value):
        return json.dumps(value).encode()


@contextmanager
def served(server):
    """The address of a server that runs in a thread of its own."""

    def reply(received):
        status, body = server.answer(received.method, received.path, received.body)
        return Reply(status, body, {"Content-Type": server.media_type(body)})

    with answering(reply) as url:
        yield url
