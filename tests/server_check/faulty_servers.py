"""Faulty servers, each with one fault, most of which were seen in servers that people use.

Those with faults of streams and of `usage` are in faulty_streams.py.
"""

import itertools
import json
import threading

import faulty_streams
import numpy as np
from exact_server import BEGIN, END, ExactServer, Refused


class PromptIsNull(ExactServer):
    """Log-probabilities of the prompt are null."""

    def null(self, index, silent):
        return index < self.prompt_length - silent

    def numbers(self, ids, silent, shown, k, asked):
        self.prompt_length = len(ids) - asked["max_tokens"]
        return super().numbers(ids, silent, shown, k, asked)


class NullsInside(ExactServer):
    """Null stands at index 1, too."""

    def null(self, index, silent):
        return index <= 1


class OneRow(ExactServer):
    """The row of the last position is repeated for all."""

    def laws(self, ids):
        rows = super().laws(ids)
        return [rows[-1]] * len(rows)


class ShiftedRows(ExactServer):
    """Each position of the prompt has the row of the one before it."""

    def laws(self, ids):
        rows = super().laws(ids)
        return rows[:1] + rows[:-2] + rows[-1:]


class CutAfterCacheHit(ExactServer):
    """Of a prefix that was asked before, only the last block has numbers."""

    def __init__(self):
        super().__init__()
        self.cached = set()

    def numbers(self, ids, silent, shown, k, asked):
        found = super().numbers(ids, silent, shown, k, asked)
        blocks = [tuple(ids[:n]) for n in range(128, len(ids), 128)]
        hit = sum(b in self.cached for b in blocks) * 128
        self.cached.update(blocks)
        return {name: array[max(0, hit - shown) :] for name, array in found.items()}


class OthersEnding(ExactServer):
    """After a cache hit the numbers of the whole first answer come again."""

    def __init__(self):
        super().__init__()
        self.first = {}

    def laws(self, ids):
        if len(ids) < 200:
            return super().laws(ids)
        rows = self.first.setdefault(tuple(ids[:200]), super().laws(ids))
        return rows if len(rows) >= len(ids) else super().laws(ids)


class LooksAhead(ExactServer):
    """The number of a token changes with what follows it."""

    def laws(self, ids):
        rows = super().laws(ids)
        return [*(np.logaddexp(r, rows[-2]) - np.log(2) for r in rows[:-2]), *rows[-2:]]


class EndIsEaten(ExactServer):
    """A generated EOS has no entry."""

    def numbers(self, ids, silent, shown, k, asked):
        found = super().numbers(ids, silent, shown, k, asked)
        return {name: a[: -1 if ids[-1] == END else None] for name, a in found.items()}


class ForcedEndIsEaten(EndIsEaten):
    """A model that never ends by itself, and obeys `logit_bias`; a generated EOS has no entry."""

    def draw(self, ids, asked):
        if asked.get("logit_bias") == {str(END): 100}:
            return [END]
        return [i for i in super().draw(ids, asked) if i != END] or [0] * min(1, asked["max_tokens"])


class NoTokenIsGenerated(ExactServer):
    """With echo and `max_tokens` 1 nothing is generated."""

    def draw(self, ids, asked):
        return [] if asked.get("echo") else super().draw(ids, asked)


class ZeroIsOne(ExactServer):
    """`max_tokens` 0 generates a token."""

    def draw(self, ids, asked):
        return super().draw(ids, {**asked, "max_tokens": max(1, asked["max_tokens"])})


class ZeroCrashes(ExactServer):
    """`max_tokens` 0 is an error of the server."""

    def draw(self, ids, asked):
        if asked["max_tokens"] == 0:
            raise Refused("division by zero", 500)
        return super().draw(ids, asked)


class OneIsTwo(ExactServer):
    """One token too many is generated."""

    def draw(self, ids, asked):
        return super().draw(ids, {**asked, "max_tokens": asked["max_tokens"] + 1})


class EchoIsIgnored(ExactServer):
    """The answer holds the generated token only."""

    def choice(self, index, prompt, asked):
        return super().choice(index, prompt, {**asked, "echo": False})


class Retokenized(ExactServer):
    """Ids become a text, and the text becomes other ids."""

    def ids_of(self, prompt, asked):
        return (
            super().ids_of(prompt, asked)
            if isinstance(prompt, str)
            else (self.vocab.encode(self.text(prompt)), 0)
        )


class BeginIsAdded(ExactServer):
    """BOS is put before ids."""

    def ids_of(self, prompt, asked):
        ids, silent = super().ids_of(prompt, asked)
        return ids if isinstance(prompt, str) else [BEGIN, *ids], silent


class BeginBeforeBegin(ExactServer):
    """BOS is put silently before ids that begin with BOS."""

    def ids_of(self, prompt, asked):
        ids, silent = super().ids_of(prompt, asked)
        return ([BEGIN, *ids], 1) if prompt[:1] == [BEGIN] else (ids, silent)


class BeginIsDoubled(ExactServer):
    """BOS is put silently before all ids, and before texts twice."""

    def ids_of(self, prompt, asked):
        ids, silent = super().ids_of(prompt, asked)
        return [BEGIN, *ids], silent + 1


class NeighboursRow(ExactServer):
    """Every prompt of a request but the first has numbers of the one before it mixed in."""

    def choices(self, prompts, asked):
        out = super().choices(prompts, asked)
        for a, b in itertools.pairwise(out):
            if a["logprobs"] and len(a["logprobs"]["token_logprobs"]) > 1:
                b["logprobs"]["token_logprobs"][1] = a["logprobs"]["token_logprobs"][1] - 0.3
        return out


class MovesInABatch(ExactServer):
    """Numbers move by 0.047 nats in a batch, as a "batch-invariant" mode was seen to do."""

    def choices(self, prompts, asked):
        out = super().choices(prompts, asked)
        for c in out if len(out) > 1 and asked.get("logprobs") else []:
            c["logprobs"]["token_logprobs"] = [x and x - 0.047 for x in c["logprobs"]["token_logprobs"]]
        return out


class ByArrival(ExactServer):
    """Choices come with the index of their length, the shortest prompt first."""

    def choices(self, prompts, asked):
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        return [self.choice(i, prompts[j], asked) for i, j in enumerate(order)]


class DependsOnOrder(ExactServer):
    """The prompts of a request have other numbers by their places."""

    def choices(self, prompts, asked):
        out = super().choices(prompts, asked)
        for i, c in enumerate(out if asked.get("logprobs") else []):
            c["logprobs"]["token_logprobs"] = [x and x - 0.1 * i for x in c["logprobs"]["token_logprobs"]]
        return out


class MixesConcurrent(ExactServer):
    """Requests that are under way at one time move each other's numbers."""

    def __init__(self):
        super().__init__()
        self.change, self.under_way = threading.Condition(), 0

    def completions(self, asked):
        with self.change:
            self.under_way += 1
            self.change.notify_all()
            # A request that is alone waits for a second one, for as long as a slow machine takes to send it.
            mixed = self.change.wait_for(lambda: self.under_way > 1, 0.2 if asked.get("echo") else 0)
        try:
            return super().completions({**asked, "mixed": mixed})
        finally:
            with self.change:
                self.under_way -= 1

    def numbers(self, ids, silent, shown, k, asked):
        found = super().numbers(ids, silent, shown, k, asked)
        found["token_logprobs"] = [x and x - asked["mixed"] for x in found["token_logprobs"]]
        return found


class NeverTheSame(ExactServer):
    """Numbers wander from one request to the next."""

    wander = 0.0

    def laws(self, ids):
        self.wander += 0.05
        return [r - self.wander for r in super().laws(ids)]


class Unnormalized(ExactServer):
    """Counts of a cache are added to the law, whose sum is then about 277."""

    def law(self, before):
        return super().law(before) + np.log(277)


class Lacking(ExactServer):
    """A tenth of the mass has gone."""

    def law(self, before):
        return super().law(before) + np.log(0.9)


class KeysCollide(ExactServer):
    """Tokens that are parts of characters all print as U+FFFD."""

    def named(self, i):
        return super().named(i) if i >= END else self.vocab.token_bytes[i].decode("utf-8", "replace")


class Rounded(ExactServer):
    """Numbers of tokens are rounded, and those of rows are not."""

    def numbers(self, ids, silent, shown, k, asked):
        found = super().numbers(ids, silent, shown, k, asked)
        found["token_logprobs"] = [None if x is None else round(x, 4) for x in found["token_logprobs"]]
        return found


class NotGreedy(ExactServer):
    """With temperature 0 the second likeliest token comes."""

    def draw(self, ids, asked):
        return [int(np.argsort(-self.law(ids))[1]) for _ in range(asked["max_tokens"])][:1]


class OffsetsInBytes(ExactServer):
    """Offsets count bytes."""

    def offsets(self, ids):
        return np.cumsum([0, *map(len, self.bytes_of(ids))])[:-1].tolist()


class OffsetsOfReplacements(ExactServer):
    """Offsets count what each token prints by itself, U+FFFD for each part of a character."""

    def offsets(self, ids):
        return np.cumsum([0, *(len(b.decode("utf-8", "replace")) for b in self.bytes_of(ids))])[:-1].tolist()


class TextIsStripped(ExactServer):
    """White space at the ends of the text is gone."""

    def text(self, ids):
        return super().text(ids).strip()


class NotANumber(ExactServer):
    """The logarithm of 0 is written as -Infinity."""

    def dumps(self, value):
        for c in value.get("choices", []):
            if c["logprobs"] and c["logprobs"]["token_logprobs"]:
                c["logprobs"]["token_logprobs"][-1] = -float("inf")
        return json.dumps(value).encode()


class Positive(ExactServer):
    """Probabilities stand in place of their logarithms."""

    def law(self, before):
        return np.exp(super().law(before))


class CutSilently(ExactServer):
    """A long prompt is cut at its front."""

    limit = 500

    def ids_of(self, prompt, asked):
        ids, silent = super().ids_of(prompt, asked)
        return ids[-self.limit :], silent

    def tokenize(self, asked):
        return {**super().tokenize(asked), "max_model_len": 2100}


class CutBeyondLimit(CutSilently):
    """A prompt beyond the context is cut at its front, too."""

    limit = 2100


class LongCrashes(ExactServer):
    """A long prompt is an error of the server."""

    def laws(self, ids):
        if len(ids) > 400:
            raise Refused("out of memory", 500)
        return super().laws(ids)


class UnknownIdCrashes(ExactServer):
    """An id outside the vocabulary is an error of the server."""

    def error(self, refused):
        status, body = super().error(refused)
        return (500 if "expected ids" in refused.message else status), body


class UnknownIdIsTaken(ExactServer):
    """An id outside the vocabulary is taken modulo its size."""

    def ids_of(self, prompt, asked):
        whole = isinstance(prompt, list) and all(isinstance(i, int) for i in prompt)
        return super().ids_of([i % (BEGIN + 1) for i in prompt] if whole else prompt, asked)


class JunkCrashes(ExactServer):
    """A body that is no JSON is an error of the server."""

    def error(self, refused):
        return (500 if refused.message == "expected JSON" else refused.status), b"Internal Server Error"


class PlainErrors(ExactServer):
    """Errors are pages."""

    def error(self, refused):
        return refused.status, f"<html>{refused.message}".encode()


class EmptyCrashes(ExactServer):
    """A prompt without a token is an error of the server."""

    def ids_of(self, prompt, asked):
        if not prompt:
            raise Refused("list index out of range", 500)
        return super().ids_of(prompt, asked)


class SpecialIsText(ExactServer):
    """The name of EOS is cut into letters."""

    def tokenize(self, asked):
        return {"tokens": self.vocab.encode(asked["prompt"])}


class BackToOther(ExactServer):
    """Texts come back from ids without spaces at their front."""

    def detokenize(self, asked):
        return {"prompt": super().detokenize(asked)["prompt"].lstrip()}


class OtherModel(ExactServer):
    """The numbers are those of another model."""

    def law(self, before):
        row = super().law(before) / 1.3
        return row - np.logaddexp.reduce(row)


class OtherTokenizer(ExactServer):
    """Texts are cut into bytes."""

    def tokenize(self, asked):
        return {"tokens": list(asked["prompt"].encode())}


# The fault, the check that is meant for it, and its verdict.
FAULTS = {
    PromptIsNull: ("echo", "fail"),
    NullsInside: ("nulls", "fail"),
    OneRow: ("rows differ", "fail"),
    ShiftedRows: ("echo = next", "fail"),
    CutAfterCacheHit: ("shared prefix", "fail"),
    OthersEnding: ("shared prefix", "fail"),
    LooksAhead: ("shared prefix", "fail"),
    EndIsEaten: ("EOS is kept", "fail"),
    ForcedEndIsEaten: ("EOS is kept", "fail"),
    NoTokenIsGenerated: ("lengths", "fail"),
    ZeroIsOne: ("max_tokens 0", "fail"),
    ZeroCrashes: ("max_tokens 0", "fail"),
    OneIsTwo: ("max_tokens 1", "fail"),
    EchoIsIgnored: ("echo", "fail"),
    Retokenized: ("ids verbatim", "fail"),
    BeginIsAdded: ("ids verbatim", "fail"),
    BeginBeforeBegin: ("BOS once", "fail"),
    BeginIsDoubled: ("BOS once", "fail"),
    NeighboursRow: ("batch", "fail"),
    MovesInABatch: ("batch", "fail"),
    ByArrival: ("batch", "fail"),
    DependsOnOrder: ("order", "fail"),
    MixesConcurrent: ("concurrent", "fail"),
    NeverTheSame: ("twice", "fail"),
    Unnormalized: ("sums", "fail"),
    Lacking: ("sums", "fail"),
    KeysCollide: ("keys", "fail"),
    Rounded: ("greedy", "fail"),
    NotGreedy: ("greedy", "fail"),
    OffsetsInBytes: ("text_offset", "fail"),
    OffsetsOfReplacements: ("text_offset", "fail"),
    TextIsStripped: ("text", "fail"),
    NotANumber: ("numbers", "fail"),
    Positive: ("numbers", "fail"),
    CutSilently: ("long prompt", "fail"),
    CutBeyondLimit: ("too long", "fail"),
    LongCrashes: ("long prompt", "fail"),
    UnknownIdCrashes: ("unknown id", "fail"),
    UnknownIdIsTaken: ("unknown id", "fail"),
    JunkCrashes: ("junk", "fail"),
    PlainErrors: ("junk", "warn"),
    EmptyCrashes: ("empty prompt", "fail"),
    SpecialIsText: ("special tokens", "fail"),
    BackToOther: ("tokenizer", "fail"),
    OtherModel: ("reference", "fail"),
    OtherTokenizer: ("reference ids", "fail"),
    **faulty_streams.FAULTS,
}
