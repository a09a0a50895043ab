"""Faulty servers whose streams, or whose numbers of tokens, are wrong."""

import re

from exact_server import ExactServer, Refused


class UsageCountsEcho(ExactServer):
    """The echoed prompt counts among the generated tokens."""

    def choice(self, index, prompt, asked):
        out = super().choice(index, prompt, asked)
        return {**out, "drawn": out["drawn"] + len(prompt) * bool(asked.get("echo"))}


class UsageOfFirst(ExactServer):
    """Of several prompts the first one is counted."""

    def usage(self, prompts, drawn):
        return super().usage(prompts[:1], drawn[:1])


class UsageCountsMost(ExactServer):
    """The tokens that were allowed are counted, in place of those that were generated."""

    def completions(self, asked):
        out = super().completions(asked)
        drawn = asked.get("max_tokens", 16) + 1
        return {**out, "usage": self.usage([out["usage"]["prompt_tokens"]], [drawn])}


class TotalIsPrompt(ExactServer):
    """The total lacks the generated tokens."""

    def usage(self, prompts, drawn):
        return {**super().usage(prompts, drawn), "total_tokens": sum(prompts)}


class UsageIsText(ExactServer):
    """Numbers of tokens are strings."""

    def usage(self, prompts, drawn):
        return {name: str(n) for name, n in super().usage(prompts, drawn).items()}


class NoUsage(ExactServer):
    """No number of tokens."""

    def usage(self, prompts, drawn):
        return None


class StreamIsIgnored(ExactServer):
    """One answer comes in place of events."""

    def stream(self, whole, asked):
        return self.dumps(whole)


class StreamCrashes(ExactServer):
    """A stream is an error of the server."""

    def stream(self, whole, asked):
        raise Refused("no event loop", 500)


class NeverDone(ExactServer):
    """`[DONE]` is missing."""

    def stream(self, whole, asked):
        return super().stream(whole, asked).removesuffix(b"data: [DONE]\n\n")


class AfterDone(ExactServer):
    """The numbers of tokens come after `[DONE]`."""

    def stream(self, whole, asked):
        return super().stream(whole, asked) + b"data: {}\n\n"


class StreamIsCalledJson(ExactServer):
    """The media type of a stream is that of JSON."""

    def media_type(self, body):
        return "application/json"


class EventsAreNoJson(ExactServer):
    """Events are written as Python writes them."""

    def stream(self, whole, asked):
        return super().stream(whole, asked).replace(b"null", b"None")


class NotANumberStreamed(ExactServer):
    """The logarithm of 0 is written as -Infinity in events."""

    def stream(self, whole, asked):
        return re.sub(rb'("token_logprobs": )\[[^]]+', rb"\1[-Infinity", super().stream(whole, asked))


class EndsNever(ExactServer):
    """No part says why its choice ended."""

    def parts(self, choice):
        return ({**part, "finish_reason": None} for part in super().parts(choice))


class EndsEachTime(ExactServer):
    """Every part says that its choice has ended."""

    def parts(self, choice):
        return ({**part, "finish_reason": choice["finish_reason"]} for part in super().parts(choice))


class EndsOtherwise(ExactServer):
    """A stream ends for "stop" always."""

    def parts(self, choice):
        return ({**part, "finish_reason": part["finish_reason"] and "stop"} for part in super().parts(choice))


class FirstChoiceOnly(ExactServer):
    """Of several prompts the first one is streamed."""

    def events(self, whole, asked):
        return super().events({**whole, "choices": whole["choices"][:1]}, asked)


class PartIsLost(ExactServer):
    """The first part with a text loses the text."""

    def parts(self, choice):
        lost = ""
        for part in super().parts(choice):
            yield part if lost else {**part, "text": ""}
            lost = lost or part["text"]


class TextSoFar(ExactServer):
    """Each part has the whole text so far."""

    def parts(self, choice):
        text = ""
        for part in super().parts(choice):
            text += part["text"]
            yield {**part, "text": text}


class PiecesOfCharacters(ExactServer):
    """The bytes of each token are decoded alone, so that parts of a character become U+FFFD."""

    def parts(self, choice):
        for part in super().parts(choice):
            names = part["logprobs"]["tokens"] if part["logprobs"] else []
            halves = [n for n in names if n.startswith("bytes:")]
            yield {**part, "text": "�"} if halves else part


class StreamWithoutNumbers(ExactServer):
    """Parts have no log-probabilities."""

    def parts(self, choice):
        return ({**part, "logprobs": None} for part in super().parts(choice))


class StreamedNumbersAreRows(ExactServer):
    """The numbers of the first token stand in each part."""

    def parts(self, choice):
        first = None
        for part in super().parts(choice):
            first = first or part["logprobs"]
            yield {**part, "logprobs": first}


class StreamIsScaled(ExactServer):
    """Numbers of a stream are those of another temperature."""

    def parts(self, choice):
        for part in super().parts(choice):
            if part["logprobs"]:
                numbers = [x and x / 2 for x in part["logprobs"]["token_logprobs"]]
                part["logprobs"]["token_logprobs"] = numbers
            yield part


class OffsetsStartAnew(ExactServer):
    """`text_offset` counts from the beginning of each part."""

    def parts(self, choice):
        for part in super().parts(choice):
            if part["logprobs"]:
                part["logprobs"]["text_offset"] = [0 for _ in part["logprobs"]["text_offset"]]
            yield part


class StreamedUsageIsMissing(ExactServer):
    """`stream_options` is ignored."""

    def events(self, whole, asked):
        return super().events(whole, {**asked, "stream_options": None})


class StreamedUsageCountsParts(ExactServer):
    """Of a stream one generated token fewer is counted."""

    def events(self, whole, asked):
        for event in super().events(whole, asked):
            if not event["choices"]:
                used = event["usage"]
                event = {
                    **event,
                    "usage": self.usage([used["prompt_tokens"]], [used["completion_tokens"] - 1]),
                }
            yield event


# The fault, the check that is meant for it, and its verdict.
FAULTS = {
    UsageCountsEcho: ("usage", "fail"),
    UsageOfFirst: ("usage", "fail"),
    UsageCountsMost: ("usage", "fail"),
    TotalIsPrompt: ("usage", "fail"),
    UsageIsText: ("usage", "fail"),
    NoUsage: ("usage", "warn"),
    StreamIsIgnored: ("stream", "fail"),
    StreamCrashes: ("stream", "fail"),
    NeverDone: ("stream", "fail"),
    AfterDone: ("stream", "fail"),
    StreamIsCalledJson: ("stream", "warn"),
    EventsAreNoJson: ("stream", "fail"),
    NotANumberStreamed: ("stream", "fail"),
    EndsNever: ("stream", "fail"),
    EndsEachTime: ("stream", "fail"),
    FirstChoiceOnly: ("stream", "fail"),
    EndsOtherwise: ("stream text", "fail"),
    PartIsLost: ("stream text", "fail"),
    TextSoFar: ("stream text", "fail"),
    PiecesOfCharacters: ("stream text", "fail"),
    StreamWithoutNumbers: ("stream logprobs", "fail"),
    StreamedNumbersAreRows: ("stream logprobs", "fail"),
    StreamIsScaled: ("stream logprobs", "fail"),
    OffsetsStartAnew: ("stream logprobs", "warn"),
    StreamedUsageIsMissing: ("stream usage", "warn"),
    StreamedUsageCountsParts: ("stream usage", "fail"),
}
