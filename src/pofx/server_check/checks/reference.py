"""The checks against a model that pofx loads: the same ids, and the same numbers."""

from __future__ import annotations

import numpy as np

from pofx.errors import PofxError
from pofx.lm.model import LM
from pofx.server_check.finding import Outcome, ServerVerdict, Unaskable, quoted
from pofx.server_check.probe import Probe

# float32 kernels of two libraries differ by up to 0.004 nats a token on small models; bfloat16 by 0.03 in the mean.
_SAME, _NEAR = 0.01, 0.05
_ZERO = -1000.0


def check_reference_ids(probe: Probe) -> Outcome:
    """The server and the reference cut texts into the same ids."""
    probe.need("reference", "tokenizer")
    lm = _reference(probe)
    texts = [t for t in (probe.can.text, probe.can.multibyte) if t]
    for text in texts:
        sent = f"/tokenize {quoted(text, 24)}"
        try:
            ours = lm.vocab.encode(text)
        except PofxError as e:
            raise Unaskable(f"the reference does not read {quoted(text, 24)}: {e.subject:.60}") from None
        theirs = probe.tokenize(text)
        if ours != theirs:
            at = next(
                (i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs))
            )
            return Outcome("fail", sent, f"{ours[at : at + 4]} from index {at}", f"{theirs[at : at + 4]}")
    return Outcome(
        "pass", f"{len(texts)} texts to /tokenize", "the ids of the reference", "the ids of the reference"
    )


def check_reference_numbers(probe: Probe) -> Outcome:
    """Each token has the log-probability that the reference gives."""
    probe.need("reference", "echo")
    lm, text = _reference(probe), probe.can.text
    try:
        ids = lm.vocab.encode(text)
        free = int(lm.begin.known == "none")
        ours = np.concatenate([[np.nan] * free, lm.forward([ids], skip=free).logp[0]])
    except PofxError as e:
        raise Unaskable(f"the reference does not score {quoted(text, 24)}: {e.subject:.60}") from None
    begin = _begin_id(probe, lm)
    if probe.can.ids and (begin is not None or free):
        sent = f"{quoted(text, 20)} as ids{' after x0' if begin is not None else ''}"
        prompt = (*([] if begin is None else [begin]), *ids)
        choice = probe.one(prompt).whole(len(prompt) + 1, sent)
        theirs = choice.logprobs[len(prompt) - len(ids) : -1]
    else:
        sent = f"{quoted(text, 20)} as text"
        choice = probe.one(text)
        extra = len(choice.tokens) - 1 - len(ids)
        if extra not in (0, 1):
            return Outcome("fail", sent, f"{len(ids)} tokens", f"{len(choice.tokens) - 1} tokens")
        theirs = choice.logprobs[extra:-1]
    gaps = [_gap(x, float(y)) for x, y in zip(theirs, ours) if x is not None and not np.isnan(y)]
    if not gaps:
        return Outcome("fail", sent, "numbers", "null for every token")
    mean, most = float(np.mean(gaps)), max(gaps)
    verdict: ServerVerdict = "pass" if most <= _SAME else "warn" if mean <= _NEAR else "fail"
    got = f"differences of {mean:.2g} nats a token, {most:.2g} at most, over {len(gaps)} tokens"
    return Outcome(verdict, sent, "the numbers of the reference", got)


def _gap(theirs: float, ours: float) -> float:
    """Return the difference in nats; servers write numbers such as -9999 for the logarithm of 0."""
    return 0.0 if ours == -np.inf and theirs <= _ZERO else abs(theirs - ours)


def _reference(probe: Probe) -> LM:
    assert probe.reference is not None  # noqa: S101  (ours: `need` has looked)
    return probe.reference


def _begin_id(probe: Probe, lm: LM) -> int | None:
    """Return the id of x0 in requests: of the reference's x0, else of the server's BOS; None for a model without x0."""
    if lm.begin.known == "none":
        return None
    return lm.begin.id if lm.begin.id is not None else probe.can.begin
