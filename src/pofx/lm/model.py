"""The one noun: a language model is a joint distribution over strings of a vocabulary."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from pofx.arithmetic import NUMPY, Engine
from pofx.lm.begin import DECLARED, Begin, refuse_unconditional
from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.fitted_documents import FittedDocuments
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.paths import skip_per_path
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.lm.window_rule import WHOLE, WindowRule
from pofx.vocab.vocabulary import Vocab


@dataclass(frozen=True)
class Termination:
    """How the texts of a model end, exactly. never: P(a text never ends), the limit of P(length > L).

    alive: P(length > L) for the first so many L that were asked; empty where only `never` is known.
    """

    alive: tuple[float, ...]
    never: float


@dataclass(frozen=True)
class Portable:
    """A law that comes out the same, to the last bit, on every machine.

    laws: p(next token | prefix) of a state, `[n, V]` (not its logarithm), from stored numbers by + − × ÷ and
    comparisons of float64 alone, which IEEE 754 defines to the bit; no exp, no log, no sum whose order a library
    chooses. Rows sum to 1 up to 1e-9. fingerprint: a hash of those numbers.
    """

    fingerprint: str
    laws: Callable[[State], NDArray[np.float64]]


@dataclass(frozen=True)
class Info:
    """What an LM says of itself: all that a transform passes on, changes by name, or denies.

    Attributes:
        vocab: The vocabulary whose strings it is a distribution over.
        context: The longest window in tokens, x0 counted as one; None for unbounded.
        begin: What x0 is.
        window: The rule for texts longer than `context`.
        dtype: The dtype of the arithmetic.
        fingerprint: A name of weights and tokenizer, whatever x0 and window rule are put around them; "" for none.
        positive: No token ever has probability 0 (a softmax), so no prefix needs to be checked for it.
        work: About how many multiplications a token takes; 0 where a token costs next to nothing.
        memory: The law depends on the last so many tokens alone, x0 counted as one; None where that is not known.
        interval: The numbers stand for sums of which some terms are left out: states and traces have bounds.
        leaks: Laws renormalise tokens away that spell nothing: states and traces have a leak.
        fitted: Records of the documents that it, or a model it is made of, was fitted on; () where none is known.
        engine: What it computes with: libraries and device.
    """

    vocab: Vocab
    context: int | None = None
    begin: Begin = DECLARED
    window: WindowRule = WHOLE
    dtype: str = "float64"
    fingerprint: str = ""
    positive: bool = False
    work: int = 0
    memory: int | None = None
    interval: bool = False
    leaks: bool = False
    fitted: tuple[FittedDocuments, ...] = ()
    engine: Engine = NUMPY


@dataclass(frozen=True)
class Parts:
    """The models that a mixture is made of.

    Attributes:
        lms: The models.
        log_weights: `[C]`, the log of the weight of each; the weights sum to 1.
        draws: What a model is drawn for: a whole "text", or every "token" anew.
    """

    lms: tuple[LM, ...]
    log_weights: NDArray[np.float64]
    draws: Literal["text", "token"]


@dataclass(frozen=True)
class Warping:
    """What a temperature, top-k or top-p has changed.

    Attributes:
        lm: The model before the change.
        text: The settings in words, such as "temperature 0.7".
    """

    lm: LM
    text: str


class LM(ABC):
    """p(x) = Π p(x_i | x0, x_<i) · p(EOS | x0, x): the joint distribution over strings of `vocab`.

    A subclass sets `vocab`, and `context` (the longest window, None for unbounded), and writes `start` and
    `extend`. Nothing is to be registered: every query and transform works on it. A subclass may set the other
    attributes of `Info`, too, before anybody else sees it: an LM is a value, made once and never changed.
    """

    vocab: Vocab
    context: int | None = None
    begin: Begin = DECLARED
    window: WindowRule = WHOLE
    dtype: str = "float64"
    fingerprint: str = ""
    positive: bool = False
    work: int = 0
    memory: int | None = None
    interval: bool = False
    leaks: bool = False
    fitted: tuple[FittedDocuments, ...] = ()
    engine: Engine = NUMPY

    @property
    def info(self) -> Info:
        """All that the model says of itself, as one value."""
        return Info(**{f.name: getattr(self, f.name) for f in fields(Info)})

    def with_info(self, **changes: Any) -> Self:
        """The same model, which says something else of itself: fields of `Info` by name.

        Right: `lm.with_info(fingerprint=digest)`. Wrong: a new `context`, which the model would
        not read by; `windowed` is for that.
        """
        other = copy.copy(self)
        set_info(other, dataclasses.replace(self.info, **changes))
        return other

    @abstractmethod
    def start(self, n: int) -> State:
        """n copies of the empty prefix, behind x0. Without x0, reading `.logp` of it raises `NoBOS`."""

    @abstractmethod
    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Every prefix of the batch followed by its row of `ids[n, t]`; a new state, the old one unchanged."""

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """log p(path[i] | path[:i]) of every position i ≥ skip of every path, in one teacher-forced pass.

        Positions before `skip` are conditioned on, not scored. This default walks by `extend`; a family may be
        faster, but must agree with it.
        """
        return forward_by_extension(self, paths, want, skip)

    def branches(self, state: State) -> Branches:
        """Laws behind many prefixes that branch off the rows of a state, to be grown node by node.

        This default extends a generation of nodes at a time; a family may read them all in one pass.
        """
        return ExtensionBranches(self.extend, state)

    def seen(self, n: int) -> Ints:
        """How many tokens the law at each position of a path of n tokens is conditioned on: effective context, `[n]`.

        x0 is counted, and so is a prefix put before the path (`given`): they are read like any other token. So 1
        to n with x0, 0 to n − 1 without, but for a bounded `context`. It depends on the position only.
        """
        before = np.arange(n, dtype=np.int64) + (self.begin.known != "none")
        return before if self.context is None else np.minimum(before, self.context)

    def bare(self) -> LM | None:
        """The model without the x0 that `with_begin` put before it, itself if it has none; None where x0 is its own."""
        return self if self.begin.known == "none" else None

    def portable(self) -> Portable | None:
        """The law by arithmetic that every machine does alike, so that one decodes what another has coded.

        This default has none: exp, log and the order of a sum differ between machines.
        """
        return None

    def parts(self) -> Parts | None:
        """The models it draws from, of a mixture; None for any other model."""
        return None

    def warping(self) -> Warping | None:
        """What a temperature, top-k or top-p has changed; None for a model as it is."""
        return None

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """A sufficient statistic of each prefix, `[n, k]` of integers; None where none is known, as here.

        Rows that are equal have the same law, now and behind whatever follows: prefixes that can be merged, as a
        family with finitely many states knows.
        """
        return None

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """P(length > L) for each L of `lengths`, and P(never ends), exact; None where that is not known exactly.

        This default knows nothing. A family with finitely many states can compute it; `audit` else estimates it.
        """
        return None


def set_info(lm: LM, info: Info) -> None:
    """Let a model that is being made say this of itself."""
    for f in fields(Info):
        setattr(lm, f.name, getattr(info, f.name))


def prepare_paths(
    lm: LM, paths: Sequence[Path], skip: int | Sequence[int]
) -> tuple[list[NDArray[np.int64]], list[int]]:
    """What `forward` is given, as arrays and one skip a path; `NoBOS` where p(x1) is asked of a model without x0."""
    ids = [np.asarray(p, dtype=np.int64) for p in paths]
    skips = skip_per_path(skip, ids)
    if lm.begin.known == "none" and any(s == 0 < len(p) for s, p in zip(skips, ids)):
        raise refuse_unconditional(lm.begin)
    return ids, skips


def encode_whole_texts(lm: LM, texts: Sequence[str | bytes]) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Paths of complete texts, EOS behind each, and the skips that leave out what the model cannot know: p(x1)
    where it has no x0."""
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    paths = [np.append(ids, end).astype(np.int64) for ids in lm.vocab.encode_many(texts)]
    free = int(lm.begin.known == "none")
    return paths, [min(free, len(p)) for p in paths]
