"""Checks that the server uses token ids as they come, so that no id is put in front, and no text is cut again."""

from __future__ import annotations

from pofx.server_check.closeness import NEAR, largest_gap, verdict_of
from pofx.server_check.finding import Broken, Outcome, quoted
from pofx.server_check.probe import Probe


def check_ids_verbatim(probe: Probe) -> Outcome:
    """Ids that no tokenizer would give, one for each character, come back in the same number."""
    probe.need("echo", "ids")
    ids, expected = _cut_small(probe), "the same ids, and one generated"
    sent = f"{len(ids)} ids, one a character, echo, max_tokens 1"
    choice = probe.one(ids, return_tokens_as_token_ids=True)
    if len(choice.tokens) != len(ids) + 1:
        return Outcome("fail", sent, expected, f"{len(choice.tokens)} tokens")
    named = [f"token_id:{i}" for i in ids]
    if choice.tokens[0].startswith("token_id:") and list(choice.tokens[:-1]) != named:
        at = next(i for i, (a, b) in enumerate(zip(choice.tokens, named)) if a != b)
        return Outcome("fail", sent, f"{named[at]} at index {at}", quoted(choice.tokens[at], 30))
    return Outcome("pass", sent, expected, f"{len(choice.tokens)} tokens")


def check_begin_once(probe: Probe) -> Outcome:
    """BOS stands once in front, both where it is sent as an id and where the server puts it before a text."""
    probe.need("echo", "ids", "learned")
    ids, text = probe.can.ids, probe.can.text
    sent = f"{quoted(text, 20)} as text, as ids, and as ids after BOS"
    by_text, by_ids = probe.one(text), probe.one(ids)
    extra = len(by_text.tokens) - 1 - len(ids)
    if extra > 1 or (extra == 1 and by_text.tokens[1] == by_text.tokens[0]):
        return Outcome(
            "fail", sent, "at most one token before the text", quoted(by_text.tokens[: extra + 1], 60)
        )
    if extra < 0:
        return Outcome("fail", sent, f"{len(ids) + 1} tokens of the text", f"{len(by_text.tokens)} tokens")
    tail = by_text.logprobs[extra + 1 : extra + len(ids)]
    by_ids.whole(len(ids) + 1, sent)
    gaps = {"ids alone": largest_gap(tail, by_ids.logprobs[1 : len(ids)])}
    if probe.can.begin is not None:
        after = probe.one((probe.can.begin, *ids)).whole(len(ids) + 2, sent)
        gaps["ids after BOS"] = largest_gap(tail, after.logprobs[2 : len(ids) + 1])
        apart = largest_gap(by_ids.logprobs[1 : len(ids)], after.logprobs[2 : len(ids) + 1])
        if by_ids.logprobs[0] is not None and apart > NEAR:
            # A number at index 0 is conditioned on a token that the server put in front.
            got = f"a number for the first id, and others after BOS ({apart:.2g} nats)"
            return Outcome("fail", sent, "nothing before ids", got)
    by = min(gaps, key=gaps.__getitem__)
    if gaps[by] > NEAR and probe.can.begin is None:
        return Outcome(
            "warn", sent, "one set of numbers", "the text has other numbers than its ids, and no BOS is known"
        )
    return Outcome(
        verdict_of(gaps[by]),
        sent,
        "for the text, the numbers of its ids, alone or after BOS",
        f"the numbers of {by} up to {gaps[by]:.2g} nats",
    )


def check_round_trip(probe: Probe) -> Outcome:
    """`/detokenize` gives back the text of `/tokenize`, in which the names of special tokens are text."""
    probe.need("tokenizer")
    texts = [probe.can.text, *([probe.can.multibyte] if probe.can.multibyte else [])]
    texts += [
        t for t in (f" {probe.can.text} ", f"{probe.can.text}\n\n{probe.can.text}\r\n") if _takes(probe, t)
    ]
    for text in texts:
        sent = f"/tokenize, then /detokenize {quoted(text, 24)}"
        answer = probe.ask({"tokens": probe.tokenize(text)}, "/detokenize")
        if not answer.ok:
            got = f"status {answer.status}: {answer.said}"
            return Outcome("fail" if answer.status >= 500 else "warn", sent, "the text", got)
        back = (
            answer.json.get("prompt", answer.json.get("content")) if isinstance(answer.json, dict) else None
        )
        if back != text:
            return Outcome("fail", sent, quoted(text, 60), quoted(back, 60))
    return Outcome("pass", f"{len(texts)} texts to /tokenize and back", "the same texts", "the same texts")


def check_special_tokens(probe: Probe) -> Outcome:
    """Each advertised special token is one id for `/tokenize`, where clients learn these ids."""
    probe.need("special", "tokenizer")
    special = probe.can.special
    if "eos_token" not in special:
        return Outcome(
            "fail", "/tokenizer_info", "a key eos_token", f"the keys {quoted(sorted(special), 60)}"
        )
    ids = {}
    for name in ("eos_token", "bos_token"):
        text = special.get(name)
        if text is None:
            continue
        if not isinstance(text, str):
            return Outcome("fail", "/tokenizer_info", f"{name} as a string or null", quoted(text, 40))
        found = probe.tokenize(text)
        if len(found) != 1:
            return Outcome("fail", f"/tokenize {quoted(text, 20)}", f"the id of {name}", f"{len(found)} ids")
        ids[name] = found[0]
    if ids.get("bos_token") == 0:
        return Outcome(
            "warn", "/tokenize of bos_token", "an id of at least 1", "0, in place of which lm-eval takes EOS"
        )
    return Outcome("pass", "/tokenize of special tokens", "one id each", str(ids)[:60])


def _cut_small(probe: Probe) -> tuple[int, ...]:
    """Return the ids of each character by itself; for ids whose text is not known, the ids in reverse order."""
    if probe.can.missing.get("tokenizer"):
        return probe.can.ids[::-1]
    out: list[int] = []
    for character in probe.can.text[:24]:
        try:
            out += probe.tokenize(character)
        except Broken:
            continue
    return tuple(out) if len(out) > 1 else probe.can.ids[::-1]


def _takes(probe: Probe, text: str) -> bool:
    return probe.ask({probe.can.tokenizer: text}, "/tokenize").ok
