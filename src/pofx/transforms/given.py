"""The distribution of the text after a prefix: p(· | prefix)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pofx.errors import Impossible
from pofx.lm.begin import Begin
from pofx.lm.info import Info
from pofx.lm.model import LM
from pofx.lm.path_distributions import PathDistributions
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, Want
from pofx.transforms.wrapper import LMWrapper
from pofx.vocab.vocabulary import show_bytes, to_bytes


@dataclass(frozen=True)
class Prefix:
    """Ids to condition on; the text that follows begins with a new token.

    Attributes:
        ids: The ids.
        text: The prefix as a message shows it.

    Right: `log_prob(lm, "Hello.", given=Prefix((1, 4093, 2), "a greeting"))`. Wrong: the name
    of a control token in a string, which is text; pass its id.
    """

    ids: tuple[int, ...]
    text: str

    def __len__(self) -> int:
        return len(self.ids)


def given(lm: LM, prefix: str | bytes | Prefix) -> LM:
    """Condition a model on a prefix x, as an LM over the rest y.

        p(y | x) = p(xy) / P(x),   log p(xy) = log P(x) + log p(y | x) nats

    The model is conditioned on the prefix token by token. A model without x0 has a distribution after a prefix, since
    its texts then begin after the prefix.

    Args:
        lm: The model.
        prefix: A text, which `encode` cuts into tokens, or a `Prefix` of ids; the empty prefix gives `lm` itself.

    Returns:
        The model of the rest of the text.

    Raises:
        Impossible: P(x) = 0.

    Right: `log_prob(given(lm, "To be"), ", or not")`. Wrong: `log p(x) + log p(y|x)` for log p(xy), since p(x) of a whole
    text has the factor p(EOS | x).
    """
    if isinstance(prefix, Prefix):
        check_possible(lm, [prefix.ids], [prefix.text])
        return Given(lm, prefix.ids, prefix.text)
    prefix, _ = lm.vocab.read(prefix)
    ids = lm.vocab.encode(prefix)
    if not ids:
        return lm
    check_possible(lm, [ids], [prefix])
    return Given(lm, ids, prefix)


def check_possible(lm: LM, paths: Sequence[Path], prefixes: Sequence[str | bytes]) -> None:
    """Check that every path has a positive probability; without x0 the first token is not counted.

    The check costs a pass over all paths, and is left out for a model that is `positive`.

    Args:
        lm: The model.
        paths: Ids of the prefixes.
        prefixes: The prefixes as a message shows them.

    Raises:
        Impossible: A path has probability zero; the message names the first such prefix.
    """
    if lm.positive:
        return
    skips = [min(len(p), 1) if lm.begin.known == "none" else 0 for p in paths]
    for logp, prefix in zip(lm.forward(paths, skip=skips).logp, prefixes):
        if np.any(np.isneginf(logp)):
            raise impossible(prefix)


def impossible(prefix: str | bytes) -> Impossible:
    """Return the error for a prefix of probability zero, after which no distribution is defined."""
    return Impossible(
        f"expected a prefix of positive probability to condition on, got {show(prefix)} with P = 0 under "
        "this model",
        "use a smoothed model, or a prefix of positive probability",
    )


def show(text: str | bytes, most: int = 40) -> str:
    """Return a text for a message: quoted, and cut to `most` characters."""
    shown = show_bytes(to_bytes(text)[: 4 * most]).replace("␣", " ")
    return f"'{shown[:most]}…'" if len(shown) > most else f"'{shown}'"


class Given(LMWrapper):
    """A model after a fixed prefix of ids; made by `given`."""

    def __init__(self, lm: LM, ids: Sequence[int], prefix: str | bytes, info: Info | None = None) -> None:
        self.ids, self.prefix = np.asarray(ids, dtype=np.int64), prefix
        super().__init__(lm, info or _info(lm, len(self.ids) > 0, show(prefix)))

    def over(self, lm: LM) -> LM:
        """Return another model after the same prefix."""
        return Given(lm, self.ids.tolist(), self.prefix)

    def start(self, n: int) -> State:
        """Return n copies of the state after the prefix, which is computed once."""
        state = self.lm.extend(self.lm.start(1), self.ids[None, :])
        return state.take(np.zeros(n, dtype=np.int64))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Return the model's pass over prefix and path; the prefix is not scored."""
        whole, skips = self._after_prefix(paths, skip)
        return self.lm.forward(whole, want, skips)

    def path_distributions(
        self, paths: Sequence[Path], skip: int | Sequence[int] = 0
    ) -> PathDistributions | None:
        """Return the model's distributions along prefix and path, without those of the prefix."""
        return self.lm.path_distributions(*self._after_prefix(paths, skip))

    def _after_prefix(self, paths: Sequence[Path], skip: int | Sequence[int]) -> tuple[list[Ints], list[int]]:
        """Return the paths after the prefix, and the skips that count the prefix, too."""
        k = len(self.ids)
        skips = [k + skip] * len(paths) if isinstance(skip, int) else [k + s for s in skip]
        return [np.append(self.ids, p).astype(np.int64) for p in paths], skips

    def seen(self, n: int) -> Ints:
        """Return the effective context of the model at the positions after the prefix, whose tokens count as seen."""
        k = len(self.ids)
        return self.lm.seen(k + n)[k:]

    def bare(self) -> LM | None:
        """Return None, since a prefix is no x0 that could be removed."""
        return None


def _info(lm: LM, continues: bool, prefix: str) -> Info:
    """Return the description of a model after a prefix."""
    if lm.begin.known == "none":
        begin = Begin("assumed", prefix)
    else:
        begin = Begin(lm.begin.known, f"{lm.begin.text} {prefix}", lm.begin.id)
    return replace(lm.info, vocab=lm.vocab.continuation if continues else lm.vocab, begin=begin)
