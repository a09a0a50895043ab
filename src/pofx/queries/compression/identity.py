"""The identity of a model: the parts that must agree for a decoder to compute the numbers of the encoder."""

from __future__ import annotations

import hashlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from pofx.lm.fingerprint import model_fingerprint
from pofx.lm.model import LM
from pofx.vocab.vocabulary import Vocab

STEPS = 3
# The letters of a hash, 64 bits: enough to distinguish models, since decoded data has a hash of its own.
LETTERS = 16
CODER = "constriction"
# The number of threads of a model in torch (`one_thread`). Files of earlier versions may name another number of threads.
THREADS = 1
LIBRARIES = ("numpy", "torch", "transformers", CODER)
# The names of parts of the identity in messages. In a compressed file the distributions have the name "law".
WORDS = {"law": "distributions"}


def identify_model(lm: LM) -> dict[str, str]:
    """Return every part of a model on which decoding depends, as text.

    The part "law" is a hash of next-token distributions along the likeliest path, since any transform changes these. The
    identity of a model with portable numbers has a fingerprint of these numbers, and the version of the coder. The identity
    of any other model includes the machine and the libraries.

    Args:
        lm: The model.

    Returns:
        The name of each part, and its value.
    """
    portable = lm.portable()
    known = model_fingerprint(lm, "")
    known["model"] = (known["model"] if portable is None else portable.fingerprint)[:LETTERS]
    parts: dict[str, Any] = {**known, "tokens": hash_vocab(lm.vocab), "law": _hash_distributions(lm)}
    if portable is not None:
        parts[CODER] = _version(CODER)
    else:
        parts["machine"] = platform.machine()
        parts |= {name: _version(name) for name in LIBRARIES if name in sys.modules}
        if "torch" in sys.modules:
            parts["threads"] = THREADS
    return {name: str(value) for name, value in parts.items()}


def list_differences(made: dict[str, str], lm: LM) -> list[str]:
    """List the parts in which a model differs from an identity.

    A library that was not loaded at encoding had no part in the numbers, though it may be loaded now.

    Args:
        made: The identity in a file.
        lm: The model to decode with.

    Returns:
        A line for each part that differs.
    """
    here = identify_model(lm)
    here |= {name: _version(name) for name in LIBRARIES if name in made and name not in here}
    optional = {name for name in (*LIBRARIES, "threads") if name not in made}
    # A file of portable numbers needs no equal coder, since the hash of the data shows whether the coder has decoded it.
    if "machine" not in made:
        optional.add(CODER)
    if "threads" not in here:  # torch is not loaded, so the model does not use it
        optional.add("threads")
    return [
        f"{_short(WORDS.get(name, name))}: {_short(made.get(name))} there, {_short(here.get(name))} here"
        for name in {**here, **made}
        if name not in optional and made.get(name, "") != here.get(name, "")
    ]


def describe_identity(made: dict[str, str]) -> str:
    """Describe a model in a few words, for a message to a user who has not named it."""
    begin, distributions = _short(made.get("x0")), _short(made.get("law"))[:8]
    return f"{_short(made.get('window'))}; x0 {begin}; {WORDS['law']} {distributions}"


def _short(part: str | None) -> str:
    """Return a part that is safe to show, since the writer of a file may have put any text there."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in (part or "none")[:61])
    return plain if len(plain) <= 60 else f"{plain[:60]}…"


def hash_vocab(vocab: Vocab) -> str:
    """Return a hash of the bytes that each id spells and of the id of EOS: all that decoding needs of a tokenizer."""
    h = hashlib.sha256(f"{type(vocab).__name__} {vocab.size} {vocab.end}".encode())
    for spelled in vocab.token_bytes:
        h.update(b"-" if spelled is None else b"%d:" % len(spelled) + spelled)
    return h.hexdigest()[:LETTERS]


def _hash_distributions(lm: LM) -> str:
    portable = lm.portable()
    nothing = 0.0 if portable is not None else -np.inf
    h = hashlib.sha256()
    state = lm.start(1)
    for step in range(STEPS + 1):
        rows = portable.distributions(state) if portable is not None else state.logp
        h.update(np.ascontiguousarray(rows).astype(rows.dtype.newbyteorder("<")).tobytes())
        if step < STEPS:
            best = next((int(i) for i in np.argsort(-rows[0], kind="stable")[:2] if i != lm.vocab.end), 0)
            if rows[0, best] <= nothing:  # EOS is certain, so no path goes on
                break
            state = lm.extend(state, [[best]])
    return h.hexdigest()[:LETTERS]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
