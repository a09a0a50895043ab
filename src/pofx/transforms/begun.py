"""A token standing in for x0: an assumption of the caller's, which no training bears out."""

from __future__ import annotations

from pofx.errors import BadValue
from pofx.lm import LM, Begin
from pofx.transforms.given import Given
from pofx.vocab import Vocab


def begun(lm: LM, begin: str | int) -> LM:
    """p(· | begin) used as if it were p(·): behind a token that the caller takes for x0; known = "assumed".

    Only for a model without x0 (`BadValue` for one that was trained with its own). Whether p(x1 | begin) knows
    how texts begin is for `audit` to say.

    Right: `begun(lm, "\\n")` for a model of lines. Wrong: as a cure of `NoBOS`: the number is still an assumption.
    """
    if lm.begin.known != "none":
        raise BadValue(
            f"begin: expected no other x0 for a model that has one ({lm.begin}), found {begin!r}; leave begin out, "
            "or condition on a text with given="
        )
    i = token_id(lm.vocab, begin, "begin")
    out = Given(lm, [i], lm.vocab.token_bytes[i] or b"")
    out.begin = Begin("assumed", lm.vocab.show(i), i)
    return out


def token_id(vocab: Vocab, token: str | int, what: str) -> int:
    """The id of a token given by id or by its text; `BadValue` where it is none, or not a single one."""
    if isinstance(token, int):
        if not 0 <= token < vocab.size:
            raise BadValue(f"{what}: expected a token id in [0, {vocab.size}), found {token}")
        return token
    ids = vocab.encode(token)
    if len(ids) != 1:
        raise BadValue(
            f"{what}: expected the text of a single token, found {token!r}, which is {len(ids)} tokens"
        )
    return ids[0]
