"""The check that a generated EOS has its entry in the arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pofx.server_check.choice import shown_lengths
from pofx.server_check.finding import Broken, Outcome, Unaskable, quoted
from pofx.server_check.probe import Probe, Prompt, in_words

# Texts end seldom, so the check generates this many tokens after this many beginnings, to find an EOS.
_BEGINNINGS, _HOPE = 16, 64


def check_end_is_kept(probe: Probe) -> Outcome:
    """A generated EOS has an entry, since clients cut the last entry off, and would otherwise lose a scored token."""
    probe.need("echo")
    ids, text = probe.can.ids, probe.can.text
    found = _kept(probe, [(ids or text)[:i] for i in range(1, len(ids or text) + 1)][:_BEGINNINGS])
    found = found or _kept(probe, [p for p in _until_end(probe) if p])
    if found is None and probe.can.end is not None:
        # `logit_bias` is OpenAI's way to force a token; servers that do not know the field ignore the field.
        found = _kept(probe, [probe.prompt], logit_bias={str(probe.can.end): 100})
    if found is None:
        raise Unaskable(f"the model ends within {_HOPE} tokens after no prompt that was tried")
    return found


def _kept(probe: Probe, prompts: Sequence[Prompt], **more: Any) -> Outcome | None:
    """Return the outcome of prompts, if EOS is generated after some of them; None if EOS is never generated."""
    if not prompts:
        return None
    expected, ended = "an entry for the generated EOS", 0
    for prompt, choice, n in zip(prompts, probe.many(prompts, **more), _counts(probe, prompts)):
        sent = in_words([prompt], {"echo": True, "max_tokens": 1})
        if set(choice.lengths) != {n + 1}:
            got = f"arrays of length {shown_lengths(choice.lengths)}, finish_reason {quoted(choice.finish_reason, 20)}"
            raise Broken(sent, expected, got)
        ended += choice.finish_reason == "stop"
    if not ended:
        return None
    return Outcome("pass", sent, expected, f"{ended} answers of {len(prompts)} end, each with its entry")


def _counts(probe: Probe, prompts: Sequence[Prompt]) -> list[int]:
    """Return the number of tokens of each prompt; for a text, by the server's answer that generates no token."""
    if not any(isinstance(p, str) for p in prompts):
        return [len(p) for p in prompts]
    try:
        return [len(c.tokens) for c in probe.many(prompts, max_tokens=0)]
    except Broken:
        raise Unaskable("with max_tokens 0 the server does not say how many tokens a text has") from None


def _until_end(probe: Probe) -> list[Prompt]:
    """Prompts after which the model ended: its own continuations, greedy and drawn."""
    out: list[Prompt] = []
    ids, text = probe.can.ids[: probe.room // 2], probe.can.text
    for seed in range(4):
        asked = {
            "max_tokens": min(_HOPE, probe.room - len(ids)),
            "temperature": float(seed > 0),
            "seed": seed,
            "return_token_ids": True,
        }
        answer = probe.ask({"prompt": [list(ids)] if ids else text, **asked})
        try:
            choice = answer.json["choices"][0]
            drawn, reason, written = choice.get("token_ids"), choice["finish_reason"], choice["text"]
        except (TypeError, KeyError, IndexError):
            continue
        if reason != "stop" or not isinstance(written, str):
            continue
        if not ids:
            out.append(text + written)
            continue
        if not isinstance(drawn, list) or not all(isinstance(i, int) for i in drawn):
            try:
                drawn = probe.tokenize(written)
            except (Broken, Unaskable):
                continue  # a tokenizer that cannot read the text of its model is no fault of EOS
        out += [(*ids, *drawn[:n]) for n in (len(drawn), len(drawn) - 1) if n >= 0]
    return out
