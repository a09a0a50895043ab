"""The specs of models to fit: plain records, which import neither torch nor numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pofx.errors import Advice, BadValue
from pofx.values import check_bool, check_real_number, check_whole_number

if TYPE_CHECKING:
    from pofx.vocab.vocabulary import Vocab

SMOOTHINGS = ("kneser-ney", "additive", "mle")
MOST_ORDER = 16
# The least and the most bytes of the tables of a mixing model.
TABLES = (1_000_000, 1 << 34)
# The smallest and the largest size of each kind; a larger network has more weights than a machine has memory.
SIZES = {"layers": (1, 1_000), "width": (2, 65_536), "heads": (1, 1_024), "context": (4, 1_000_000)}


@dataclass(frozen=True)
class NgramSpec:
    """The spec of an n-gram model, whose tokens depend on the `order − 1` tokens before them.

        p(x) = Π_i p(x_i | x_{i−order+1}, …, x_{i−1})

    Attributes:
        order: How many tokens an n-gram has, from 1 to 16; None for no bound, where the longest match of the history in
            the training text is the context.
        smoothing: "kneser-ney" (interpolated and modified; Chen & Goodman 1999), "additive" ((c + α) / (C + αV)), or "mle"
            (c / C, which gives probability 0 to every unseen n-gram). Without a bound on the order only "kneser-ney".
        alpha: The α of additive smoothing, above 0.
        vocab: "bytes", "chars", "chars+bytes" (bytes spell unknown characters), "bpe:8000" (8,000 subwords), or a `Vocab`.
        begin: Whether x0 stands before every text, so that the model learns p(x_1).
        end: Whether EOS is the last event of every text, so that texts end.
        prune: For Kneser-Ney, how often n-grams of length 1, 2, … may be counted and are still left out of the model, such
            as (0, 0, 1, 2). The first number is 0, and the numbers do not fall. The last number holds for all longer
            n-grams. The distributions sum to 1 nevertheless. () leaves nothing out.
        quantize: 8 for probabilities and weights of 8 bits, in a smaller file; None for 64 bits. Only for Kneser-Ney.

    Raises:
        BadValue: A field is out of its range.

    Right: `pofx.fit(documents, NgramSpec(order=4))`. Wrong: `NgramSpec(order=0)`, since an n-gram has at least one token.
    """

    order: int | None = 6
    smoothing: str = "kneser-ney"
    alpha: float = 1.0
    vocab: str | Vocab = "bytes"
    begin: bool = True
    end: bool = True
    prune: tuple[int, ...] = ()
    quantize: int | None = None

    def __post_init__(self) -> None:
        if self.order is not None:
            advice = "for an order without bound write order=None"
            order = check_whole_number("order", self.order, 1, MOST_ORDER, advice)
            object.__setattr__(self, "order", order)
        elif self.smoothing in SMOOTHINGS[1:]:
            raise BadValue(
                f"expected 'kneser-ney' where the order has no bound, got {self.smoothing!r}",
                "leave the smoothing out",
                argument="smoothing",
            )
        if self.smoothing not in SMOOTHINGS:
            raise BadValue(
                f"expected one of {', '.join(SMOOTHINGS)}, got {self.smoothing!r}",
                "write one of these names",
                argument="smoothing",
            )
        alpha = check_real_number("alpha", self.alpha, 0, above=True, advice="for none use smoothing='mle'")
        object.__setattr__(self, "alpha", alpha)
        for name in ("begin", "end"):
            object.__setattr__(self, name, check_bool(name, getattr(self, name)))
        object.__setattr__(self, "prune", self._thresholds())
        if self.quantize is not None:
            bits = check_whole_number("quantize", self.quantize, 8, 8, "leave the bits out for 64 bits")
            object.__setattr__(self, "quantize", bits)
            if self.smoothing != "kneser-ney" or self.order is None:
                raise BadValue(
                    f"expected 'kneser-ney' with a bound on the order for numbers of {bits} bits, got "
                    f"{self.smoothing!r} and order {self.order}",
                    "leave the bits out",
                    argument="quantize",
                )

    def _thresholds(self) -> tuple[int, ...]:
        """Return the thresholds of pruning as a tuple of `int`; `BadValue` where they are no thresholds of this spec."""
        try:
            found = tuple(check_whole_number("prune", n) for n in self.prune)
        except TypeError:
            found = (1,)  # no sequence
        if not found:
            return found
        if self.order is None:
            raise BadValue(
                f"expected no thresholds where the order has no bound, got {self.prune!r:.60}",
                "leave the thresholds out, or write an order",
                argument="prune",
            )
        if found[0] != 0 or list(found) != sorted(found) or len(found) > self.order:
            raise BadValue(
                f"expected at most {self.order} whole numbers, a number for each length of an n-gram, which begin with 0 "
                f"and do not fall, got {self.prune!r:.60}",
                [Advice("begin with 0", "prune=(0, 0, 1)", "--prune 0 0 1")],
                argument="prune",
            )
        if self.smoothing != "kneser-ney" and any(found):
            raise BadValue(
                f"expected no thresholds for {self.smoothing!r} smoothing, which gives left-out n-grams no share, got "
                f"{self.prune!r:.60}",
                "leave the thresholds out, or use 'kneser-ney'",
                argument="prune",
            )
        return found

    @property
    def bound(self) -> int:
        """The order of a spec whose order has a bound."""
        assert self.order is not None  # noqa: S101  (ours: the caller asks only for these)
        return self.order


@dataclass(frozen=True)
class MixingSpec:
    """The spec of a context-mixing model of bytes, with x0 and EOS, which reads the documents once, in their order.

        p(x) = Π_i Π_b p(b-th decision of x_i | x_<i, the decisions before it)

    Attributes:
        memory: The most bytes of the tables, from 1,000,000 on. A short text takes less.

    Raises:
        BadValue: The memory is out of its range.

    Right: `pofx.fit(documents, MixingSpec())`. Wrong: `MixingSpec(memory=256)`, which counts bytes, not megabytes.
    """

    memory: int = 1 << 28

    def __post_init__(self) -> None:
        memory = check_whole_number("memory", self.memory, *TABLES, "count bytes: 256 MB are 256_000_000")
        object.__setattr__(self, "memory", memory)


@dataclass(frozen=True)
class TransformerSpec:
    """The spec of a decoder-only transformer with RoPE, RMSNorm, QK-norm and SwiGLU.

        θ = argmin −(1/N) Σ_n log p_θ(xⁿ)

    Attributes:
        layers: How many blocks the network has.
        width: The size of a hidden state; an even multiple of `heads`.
        heads: How many attention heads a block has.
        context: The longest window in tokens; longer texts are read in windows.
        vocab: As in `NgramSpec`.
        begin: Whether x0 stands before every text, so that the model learns p(x_1).
        end: Whether EOS is the last event of every text, so that texts end.
        seconds: The wall time of the training, seconds; 60 where `epochs` is not given either.
        epochs: How often to read the documents, in place of `seconds`. Two fits by epochs are equal to the bit on one
            thread, and with one number of workers.
        seed: The seed of the first weights and of the order of documents.
        tie: Whether the embedding is the output matrix, too.

    Raises:
        BadValue: A field is out of its range, or both `seconds` and `epochs` are given.

    Right: `pofx.fit(documents, TransformerSpec(seconds=30))`. Wrong: `TransformerSpec(width=100, heads=3)`, since `heads`
    must divide `width`.
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
                f"width / heads: expected an even whole number, got {self.width} / {self.heads}",
                "set the width to 32 times the heads",
            )
        object.__setattr__(self, "seed", check_whole_number("seed", self.seed))
        for name in ("begin", "end", "tie"):
            object.__setattr__(self, name, check_bool(name, getattr(self, name)))
        if self.seconds is not None and self.epochs is not None:
            raise BadValue(
                "seconds and epochs: expected one of the two, got both", "leave out seconds or epochs"
            )
        for name in ("seconds", "epochs"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check_real_number(name, value, 0, above=True))
