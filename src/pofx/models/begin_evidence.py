"""The x0 of a pretrained model, chosen by evidence and not by configuration alone."""

from __future__ import annotations

from pofx.errors import Advice, BadSource
from pofx.files.pins import Pin
from pofx.lm.begin import NAME_A_PREFIX, Begin
from pofx.transforms.with_begin import list_names, token_id, token_name
from pofx.vocab.vocabulary import Vocab


def begin_evidence(vocab: Vocab, pin: Pin | None, begin: str | int | None, model: str) -> Begin:
    """Choose the x0 of a pretrained model: the caller's, else a pinned one, else the tokenizer's, else none.

    A BOS that the files name but the tokenizer never adds is no evidence. As x0, the BOS of SmolLM2 would cost the text "The
    cat sat on the mat." 22 nats.

    Args:
        vocab: The vocabulary. A single id in `control.adds_before`, which the tokenizer puts before a text, is declared.
        pin: The pinned audit, or None. The verdicts "joint" and "prefix-only" give the x0 that they were found with, as
            trained. "conditional" and "improper" give no x0, whatever the tokenizer adds.
        begin: The text or id of a token that the caller assumes to be x0, or None.
        model: The name of the model, for messages.

    Returns:
        The x0; where the model has none, `note` has the reason.

    Raises:
        BadSource: The pinned x0 is no id of the vocabulary.
        BadValue: `begin` is no token.

    Right: `begin_evidence(vocab, find_pin(fingerprint), None, "smollm2")`, then `with_begin(core, found.id,
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
            f"{model}: expected the pinned x0 below {vocab.size}, got id {pin.begin}",
            f"forget the pin: pofx audit -m {model} --unpin",
        )
    if pin.begin is not None and pin.verdict in ("joint", "prefix-only"):
        return Begin("trained", token_name(vocab, pin.begin), pin.begin)
    return _none(vocab, model, f"this model was audited: {pin.verdict}", audited=True)


def _none(vocab: Vocab, model: str, why: str, audited: bool = False) -> Begin:
    """Return the absence of x0: the reason, the candidates, and the advice."""
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
