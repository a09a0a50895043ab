"""A language model: a joint distribution over the strings of a vocabulary."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from pofx.arithmetic import Engine
from pofx.interactive.shown import Shown
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.continuation_tree import Branches, ExtensionBranches
from pofx.lm.fitted_documents import FittedDocuments
from pofx.lm.forward_by_extension import forward_by_extension
from pofx.lm.info import Info
from pofx.lm.path_distributions import PathDistributions
from pofx.lm.paths import skip_per_path
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.lm.window_rule import WindowRule
from pofx.values import check_ids
from pofx.vocab.vocabulary import Vocab


@dataclass(frozen=True)
class Termination:
    """The exact distribution of the length of a model's texts.

    Attributes:
        alive: P(length > L) for each requested length L, from the first one on; empty where only `never` is known.
        never: P(a text never ends), the limit of P(length > L).
    """

    alive: tuple[float, ...]
    never: float


@dataclass(frozen=True)
class Portable:
    """A next-token distribution that is the same on every machine, to the last bit.

    `distributions` uses + − × ÷ and comparisons of float64 alone, which IEEE 754 defines to the bit. It calls no exp and no
    log, and computes no sum whose order a library chooses.

    Attributes:
        fingerprint: A hash of the stored numbers from which `distributions` computes.
        distributions: A function of a state: p(next token | prefix), `[n, V]`, not its logarithm. Rows sum to 1 up to 1e-9.
    """

    fingerprint: str
    distributions: Callable[[State], NDArray[np.float64]]


@dataclass(frozen=True)
class Parts:
    """The models that a mixture is made of.

    Attributes:
        lms: The models.
        log_weights: `[C]`, the log of the weight of each model; the weights sum to 1.
        draws: "text" where one model is drawn for a whole text, "token" where a model is drawn for every token.
    """

    lms: tuple[LM, ...]
    log_weights: NDArray[np.float64]
    draws: Literal["text", "token"]


@dataclass(frozen=True)
class Warping:
    """The change that a temperature, top-k or top-p has made to a model.

    Attributes:
        lm: The model before the change.
        text: The settings in words, such as "temperature 0.7".
    """

    lm: LM
    text: str


class LM(Shown, ABC):
    """A language model: the joint distribution over the strings of a vocabulary.

        p(x) = Π_i p(x_i | x0, x_<i) · p(EOS | x0, x)

    x0 stands before every text with probability one, and EOS ends a text. A subclass sets `vocab` and writes `start`
    and `extend`; every query and every transform then works on it, and nothing has to be registered. An LM is a value:
    a subclass sets its attributes while it is made, and nobody changes them later.

    Attributes:
        vocab: The vocabulary: token ids, the bytes that each spells, and the id of EOS.
        context: The longest window in tokens, x0 counted as one; None, the default, for unbounded.
        begin: The symbol x0, and how x0 is known; by default declared by the author of the LM.
        window, dtype, rounding, fingerprint, positive, work, memory, interval, leaks, fitted, engine: As in `Info`, each
            with a default that is right for exact float64 arithmetic over whole prefixes.

    Right: `class Coin(pofx.LM)` with `vocab`, `start` and `extend`, then `pofx.log_prob(Coin(), "abba")`.
    Wrong: `lm.context = 64` on an LM that somebody holds; `pofx.windowed(lm, 64)` makes another LM.
    """

    vocab: Vocab
    context: int | None = Info.context
    begin: Begin = Info.begin
    window: WindowRule = Info.window
    dtype: str = Info.dtype
    rounding: float = Info.rounding
    fingerprint: str = Info.fingerprint
    positive: bool = Info.positive
    work: int = Info.work
    memory: int | None = Info.memory
    interval: bool = Info.interval
    leaks: bool = Info.leaks
    fitted: tuple[FittedDocuments, ...] = Info.fitted
    engine: Engine = Info.engine

    @property
    def info(self) -> Info:
        """All that the model says of itself, as one record."""
        return Info(**{f.name: getattr(self, f.name) for f in fields(Info)})

    def with_info(self, **changes: Any) -> Self:
        """Return the same model with other values in some fields of its `Info`.

        Args:
            **changes: The new values, by the name of the field.

        Returns:
            A copy of the model; this one stays as it is.

        Right: `lm.with_info(fingerprint=digest)`. Wrong: `lm.with_info(context=64)`, since the model would still read as
        before; `windowed` makes it read by windows.
        """
        other = copy.copy(self)
        set_info(other, dataclasses.replace(self.info, **changes))
        return other

    @abstractmethod
    def start(self, n: int) -> State:
        """Return the state of `n` empty prefixes, each after x0.

        Args:
            n: The number of prefixes.

        Returns:
            A state whose `logp` is log p(x_1 | x0), `[n, V]` nats. The state of a model without x0 can be extended, but
            reading its `logp` raises `NoBOS`.
        """

    @abstractmethod
    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of every prefix of a batch followed by more tokens.

        Args:
            state: The state of n prefixes, made by this model.
            ids: `[n, t]`, the t tokens that follow each prefix.

        Returns:
            A new state; the old one is unchanged, and so are its siblings.
        """

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute log p(path[i] | path[:i]) along known paths, in one teacher-forced pass.

        The default method calls `extend` once a position. The method of a family may be faster, but must give the numbers
        of the default.

        Args:
            paths: Token ids of each path, without x0; EOS stands at the end of a complete text.
            want: The request for more numbers than log p of each token.
            skip: The number of first positions of a path that are conditioned on and not scored: one number for all
                paths, or one a path.

        Returns:
            A `Trace` with one entry for every position i ≥ `skip` of every path, nats.

        Raises:
            NoBOS: Position 0 is to be scored, and the model has no x0.

        Right: `lm.forward([[*lm.vocab.encode("a text"), lm.vocab.end]])`. Wrong: x0 within a path, since the model itself
        puts x0 before the path.
        """
        return forward_by_extension(self, paths, want, skip)

    def log_probs(self, ids: Ints, lengths: Ints) -> NDArray[np.float64]:
        """Compute log p(path[i] | path[:i]) along paths that lie end to end, without a record of each path.

        The default method is `forward`. The method of a family may be faster, but must give the numbers of the default.

        Args:
            ids: `[Σ lengths]`, the token ids of all paths, without x0; EOS stands at the end of a complete text.
            lengths: `[n]`, the number of tokens of each path.

        Returns:
            Log p of each token, `[Σ lengths]` nats.

        Raises:
            NoBOS: There is a token, and the model has no x0.

        Right: `lm.log_probs(np.append(lm.vocab.encode_array("a"), lm.vocab.end), np.array([2]))`. Wrong: `lengths` that do
        not add up to `len(ids)`.
        """
        trace = self.forward(np.split(ids, np.cumsum(lengths)[:-1]))
        return np.concatenate([np.zeros(0), *trace.logp])

    def branches(self, state: State) -> Branches:
        """Return a tree of continuations of the prefixes of a state, for next-token distributions after many prefixes.

        The default tree extends one generation of nodes at a time. A family may read many generations in one pass.
        """
        return ExtensionBranches(self.extend, state)

    def path_distributions(
        self, paths: Sequence[Path], skip: int | Sequence[int] = 0
    ) -> PathDistributions | None:
        """Return the next-token distributions along known paths, after one pass that keeps less than the distributions.

        The default is None, where only `branches` and `extend` give whole distributions.

        Args:
            paths: Token ids of each path, as in `forward`.
            skip: The number of first positions of a path that are left out, as in `forward`.
        """
        return None

    def seen(self, n: int) -> Ints:
        """Return the effective context at each position of a path of n tokens, `[n]`.

        The effective context is the number of tokens that a next-token distribution is conditioned on. x0 counts, and
        so do the tokens of a prefix (`given`). The numbers are 1 to n with x0, and 0 to n − 1 without x0, each at most
        `context`. An effective context depends on the position only.
        """
        before = np.arange(n, dtype=np.int64) + (self.begin.known != "none")
        return before if self.context is None else np.minimum(before, self.context)

    def bare(self) -> LM | None:
        """Return the model without the x0 that `with_begin` added.

        The result is the model itself where the model has no x0, and None where its training had an x0.
        """
        return self if self.begin.known == "none" else None

    def portable(self) -> Portable | None:
        """Return the next-token distribution by arithmetic that is the same on every machine, for decoding on any machine.

        The default is None, since exp, log and the order of a sum differ between machines.
        """
        return None

    def parts(self) -> Parts | None:
        """Return the models that a mixture is made of; None for a model that is no mixture."""
        return None

    def warping(self) -> Warping | None:
        """Return the change by a temperature, top-k or top-p; None for a model without such a change."""
        return None

    def own_draws(self, prefix: Sequence[int], n: int, seed: int) -> Ints | None:
        """Draw next tokens by the model's own sampler; None, the default, where the model has no sampler of its own.

        Only the model of an outside program has such a sampler. `audit` compares these draws with the next-token
        distribution.

        Args:
            prefix: The ids that the draws follow.
            n: The number of independent draws of one token.
            seed: The seed of the draws.
        """
        return None

    def sufficient(self, state: State) -> NDArray[Any] | None:
        """Return a sufficient statistic of each prefix, `[n, k]` of integers; None, the default, where none is known.

        Prefixes with equal rows have the same next-token distribution, now and after any further tokens. So a query may
        merge such prefixes. A family with finitely many states has a sufficient statistic.
        """
        return None

    def termination(self, lengths: Sequence[int]) -> Termination | None:
        """Return the exact distribution of the length of a text; None, the default, where only an estimate is possible.

        A family with finitely many states can compute the distribution. `audit` estimates it for the other families.

        Args:
            lengths: The lengths L, in tokens, for which P(length > L) is requested.
        """
        return None


def set_info(lm: LM, info: Info) -> None:
    """Set the fields of `Info` on a model that is being made."""
    for f in fields(Info):
        setattr(lm, f.name, getattr(info, f.name))


def prepare_paths(
    lm: LM, paths: Sequence[Path], skip: int | Sequence[int]
) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Return the arguments of `forward` as arrays, with one skip a path.

    Raises:
        NoBOS: A path is to be scored from its first token, and the model has no x0.
        IndexError: An id is no id of the vocabulary.
    """
    ids = [np.asarray(p, dtype=np.int64) for p in paths]
    skips = skip_per_path(skip, ids)
    if lm.begin.known == "none" and any(s == 0 < len(p) for s, p in zip(skips, ids)):
        raise refuse_unconditional(lm.begin)
    if ids:
        check_ids(np.concatenate(ids), lm.vocab.size)
    return ids, skips


def encode_whole_texts(lm: LM, texts: Sequence[str | bytes]) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Return the paths of complete texts, with EOS after each, and the skip of each path.

    Returns:
        The paths, and the skips: 1 for a model without x0, which does not know p(x_1), else 0.
    """
    end = [] if lm.vocab.end is None else [lm.vocab.end]
    paths = [np.append(ids, end).astype(np.int64) for ids in lm.vocab.encode_many(texts)]
    free = int(lm.begin.known == "none")
    return paths, [min(free, len(p)) for p in paths]
