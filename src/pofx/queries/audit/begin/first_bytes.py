"""p(first byte | x0): what a law of first tokens says of a text's first byte, whatever the tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pofx.lm.trace import Ints
from pofx.vocab.vocabulary import Vocab

# The class of what spells no first byte: control tokens, EOS, and the space that some tokenizers put before a text.
NO_BYTE = 256


def first_bytes(vocab: Vocab) -> Ints:
    """The first byte that each id adds to a text it opens, `[V]`; 256 for none."""
    spelled = (b.removeprefix(b" ") if vocab.opening and b is not None else b for b in vocab.token_bytes)
    return np.array([b[0] if b else NO_BYTE for b in spelled], dtype=np.int64)


def by_first_byte(laws: NDArray[np.float64], of: Ints) -> NDArray[np.float64]:
    """Laws of tokens, `[k, V]` probabilities, as laws of the first byte, `[k, 257]`."""
    return np.stack([np.bincount(of, weights=p, minlength=NO_BYTE + 1) for p in laws])
