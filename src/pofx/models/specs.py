"""What to fit: plain records, free of torch and numpy, so that `import pofx` stays light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pofx.errors import BadValue
from pofx.values import check_bool, check_real_number, check_whole_number

if TYPE_CHECKING:
    from pofx.vocab.vocabulary import Vocab

SMOOTHINGS = ("kneser-ney", "additive", "mle")
MOST_ORDER = 16
# A network beyond these sizes has more weights than a machine has memory.
SIZES = {"layers": (1, 1_000), "width": (2, 65_536), "heads": (1, 1_024), "context": (4, 1_000_000)}


@dataclass(frozen=True)
class NgramSpec:
    """An n-gram model: p(x_i | x_<i) = p(x_i | the last `order − 1` tokens).

    smoothing: "kneser-ney" (interpolated, modified; Chen & Goodman 1999), "additive" (c + α)/(C + αV), or "mle"
    c/C. vocab: "bytes", "chars", "chars+bytes", "bpe:8000" (8,000 subwords), or a `Vocab`.
    begin: put x0 before every text, so that p(x1) is learned. end: count EOS as the last event of every text.

    Right: `NgramSpec(order=6)`. Wrong: `NgramSpec(order=0)`, an n-gram has at least one token.
    """

    order: int = 6
    smoothing: str = "kneser-ney"
    alpha: float = 1.0
    vocab: str | Vocab = "bytes"
    begin: bool = True
    end: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", check_whole_number("order", self.order, 1, MOST_ORDER))
        if self.smoothing not in SMOOTHINGS:
            raise BadValue(
                f"smoothing: expected one of {', '.join(SMOOTHINGS)}, found {self.smoothing!r}", None
            )
        alpha = check_real_number("alpha", self.alpha, 0, above=True, advice="for none use smoothing='mle'")
        object.__setattr__(self, "alpha", alpha)
        for name in ("begin", "end"):
            object.__setattr__(self, name, check_bool(name, getattr(self, name)))


@dataclass(frozen=True)
class TransformerSpec:
    """A decoder-only transformer (RoPE, RMSNorm, QK-norm, SwiGLU), trained to minimise L(θ) = −(1/N) Σ log p(xⁿ).

    seconds: stop after so much wall time, the learning rate falling by the clock; epochs: stop after so many
    passes, which two runs repeat to the bit on one thread. With neither: 60 seconds.
    tie: use the embedding as the output matrix. The rest as in `NgramSpec`.

    Right: `TransformerSpec(seconds=30)`. Wrong: `TransformerSpec(width=100, heads=3)`, heads must divide width.
    """

    layers: int = 4
    width: int = 128
    heads: int = 4
    context: int = 128
    vocab: str | Vocab = "bytes"
    begin: bool = True
    end: bool = True
    seconds: float | None = None
    epochs: float | None = None
    seed: int = 0
    tie: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in SIZES.items():
            object.__setattr__(self, name, check_whole_number(name, getattr(self, name), least, most))
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise BadValue(
                f"width / heads: expected an even whole number, found {self.width} / {self.heads}",
                "try a width of 32 times the heads",
            )
        object.__setattr__(self, "seed", check_whole_number("seed", self.seed))
        for name in ("begin", "end", "tie"):
            object.__setattr__(self, name, check_bool(name, getattr(self, name)))
        if self.seconds is not None and self.epochs is not None:
            raise BadValue("seconds and epochs: expected one of the two, found both", None)
        for name in ("seconds", "epochs"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check_real_number(name, value, 0, above=True))
