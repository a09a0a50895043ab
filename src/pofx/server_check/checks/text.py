"""Checks of the text in an answer, and of the offsets of its tokens."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.server_check.choice import NAMED, Choice
from pofx.server_check.finding import Outcome, Unaskable, quoted
from pofx.server_check.probe import Probe, in_words


def check_text(probe: Probe) -> Outcome:
    """An echoed prompt comes back to the letter, spaces and line ends at its ends included."""
    probe.need("echo")
    plain = probe.can.text
    tried = [
        plain,
        probe.can.multibyte,
        f" {plain}",
        f"{plain} ",
        f"{plain}\n\n",
        f"\r\n{plain}\t",
        f"{plain} <s> </s>",
    ]
    texts = 0
    for text in tried:
        answer = probe.ask({"prompt": text, "max_tokens": 1, "temperature": 0}) if text else None
        if answer is None or not answer.ok:
            continue
        sent = in_words([text], {"echo": True, "logprobs": 1, "max_tokens": 1})
        choice = probe.one(text)
        if not choice.text.startswith(text):
            return Outcome(
                "fail", sent, f"a text that begins with {quoted(text, 40)}", quoted(choice.text, 60)
            )
        texts += 1
    return Outcome("pass", f"{texts} texts, echo", "the same texts in front", "the same texts in front")


def check_offsets(probe: Probe) -> Outcome:
    """`text_offset` counts code points of the echoed text, so that a client finds where its context ends."""
    probe.need("echo")
    seen = 0
    for text in (probe.can.multibyte, probe.can.text):
        if not text:
            continue
        sent = in_words([text], {"echo": True, "logprobs": 1, "max_tokens": 1})
        choice = probe.one(text)
        if choice.offsets is None:
            raise Unaskable("the server sends no text_offset")
        choice.whole(len(choice.tokens), sent)
        wrong = _misplaced(choice, choice.offsets, len(text))
        if wrong:
            return Outcome("fail", sent, "offsets in code points of the text", wrong)
        seen += len(choice.tokens)
    return Outcome("pass", sent, "offsets in code points of the text", f"{seen} tokens at their places")


def _misplaced(choice: Choice, offsets: Sequence[int], end: int) -> str:
    """Return the first token of the prompt that does not stand at its offset; "" where every token does."""
    before = 0
    for i, (token, at) in enumerate(zip(choice.tokens[:-1], offsets)):
        if not before <= at <= end:
            return f"{at} after {before} at index {i}, in a text of {end}"
        before = at
        if i == 0 and choice.logprobs[0] is None:
            continue  # BOS, which stands in no text
        named = token.startswith(NAMED) or "�" in token
        # The space that a tokenizer may put before a text is no part of the text.
        spelled = token.lstrip(" ▁") if i < 2 and at == 0 else token
        if not named and not choice.text.startswith(spelled, at):
            return f"{at} for {quoted(token, 20)} at index {i}, where {choice.text[at : at + 8]!r} stands"
    return ""
