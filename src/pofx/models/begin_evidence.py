"""What stands before a pretrained model's texts: evidence, not configuration."""

from __future__ import annotations

from pofx.errors import Advice, BadSource
from pofx.files.pins import Pin
from pofx.lm.begin import NAME_A_PREFIX, Begin
from pofx.transforms.with_begin import list_names, token_id, token_name
from pofx.vocab.vocabulary import Vocab


def begin_evidence(vocab: Vocab, pin: Pin | None, begin: str | int | None, model: str) -> Begin:
    """x0 of a pretrained model, and how we know: the caller's, else a pinned verdict, else the tokenizer's, else none.

    begin: what the caller names (a token's text or id): assumed. pin: "joint" and "prefix-only" give the x0 they
    were found with, as trained; "conditional" and "improper" give none, whatever the tokenizer adds. vocab: its
    `control.adds_before` are the ids that the tokenizer itself puts before a text; a single one is declared. A BOS that is
    named but never added is none: SmolLM2's costs "The cat sat on the mat." 22 nats. With none, `note` says why,
    for the message of `NoBOS`. `BadValue` for a `begin` that is no token.

    Right: `begin_evidence(vocab, pinned(fingerprint), None, "smollm2")`, then `with_begin(core, found.id,
    found.known)` unless `found.known` is "none". Wrong: `vocab.control.names[config["bos_token"]]`.
    """
    if begin is not None:
        i = token_id(vocab, begin, "begin")
        return Begin("assumed", token_name(vocab, i), i)
    if pin is not None:
        return _pinned(vocab, pin, model)
    added = vocab.control.adds_before
    if len(added) == 1:
        return Begin("declared", token_name(vocab, added[0]), added[0])
    why = "nothing shows that this model learned how texts begin"
    if added:
        several = list_names([token_name(vocab, i) for i in added])
        why = f"its tokenizer puts {len(added)} tokens before a text ({several}), and x0 is one"
    return _none(vocab, model, why)


def _pinned(vocab: Vocab, pin: Pin, model: str) -> Begin:
    if pin.begin is not None and not pin.begin < vocab.size:
        raise BadSource(
            f"{model}: expected the pinned x0 below {vocab.size}, found id {pin.begin}",
            f"forget it: pofx audit -m {model} --unpin",
        )
    if pin.begin is not None and pin.verdict in ("joint", "prefix-only"):
        return Begin("trained", token_name(vocab, pin.begin), pin.begin)
    return _none(vocab, model, f"this model was audited: {pin.verdict}", audited=True)


def _none(vocab: Vocab, model: str, why: str, audited: bool = False) -> Begin:
    """No x0: why, which tokens may stand for one, and what can be done."""
    named = [
        f"{token_name(vocab, i)} (declared as BOS, never added)" if role == "bos" else token_name(vocab, i)
        for role, i in vocab.control.candidates
    ]
    could = f"; candidates are {list_names(named)}" if named else ""
    find_out = [] if audited else [Advice(f"find out: pofx audit -m {model}")]
    return Begin(
        "none",
        note=f"{why}{could}",
        advice=(*find_out, NAME_A_PREFIX, Advice("assume an x0", "begin=…", "--begin")),
    )
