"""p(middle | prefix, suffix): the distribution of strings between two given strings."""

from __future__ import annotations

from pofx.algorithms.automata.automaton import Dfa, followed
from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.conditioning.conditioned import Conditioned, check_sampling, solve
from pofx.queries.conditioning.conditions import Anything, Condition
from pofx.queries.conditioning.problem import Boundary, pose_problem
from pofx.transforms.given import show
from pofx.vocab.vocabulary import to_bytes


def infill(
    lm: LM,
    prefix: str | bytes,
    suffix: str | bytes,
    n: int = 512,
    middle: Condition = Anything(),
    boundary: Boundary = "exact",
    ends: bool = True,
    max_tokens: int = 64,
    runs: int = 8,
    seed: int | None = 0,
) -> Conditioned:
    """Condition the middle of a text on a prefix and a suffix.

        p(middle | prefix, suffix) = p(prefix · middle · suffix) / Σ_m p(prefix · m · suffix)

    `log_evidence` of the result is log p(the text ends with the suffix | the text begins with the prefix), nats. Adding
    log P(prefix) gives the log-probability of prefix and suffix together. Tokens may span both joins, and every spelling of
    a middle is counted.

    Args:
        lm: The model.
        prefix: The string before the middle.
        suffix: The string after the middle.
        n: The number of particles in all runs together, as in `condition`.
        middle: A condition that the middle must meet, too.
        boundary: "exact", or "token", if no token may span the end of the prefix.
        ends: If True, EOS stands after the suffix. If False, the text may continue after the suffix, and the middle ends at
            the first suffix that completes an allowed middle.
        max_tokens: The most tokens of the middle. A longer spelling of the suffix than by `encode` leaves fewer tokens for
            the middle.
        runs: The number of independent runs of the particles, as in `condition`.
        seed: Seed of the draws.

    Returns:
        Weighted middles and the log-probability of the suffix given the prefix; see `Conditioned`.

    Raises:
        PofxError: As for `condition`.

    Right: `infill(lm, "The ", " sat on the mat.").outcomes[:3]`. Wrong: reading `log_evidence` as log p(suffix) without the
    prefix.
    """
    if not isinstance(middle, Condition):
        raise BadValue(
            f"expected a condition (Contains, Matches, Length), got {type(middle).__name__}",
            "write Contains(…)",
            argument="middle",
        )
    if middle.tokens is not None:
        raise BadValue(
            "expected a length in bytes or characters, got tokens, which may span the ends of the middle",
            "take Length(n, 'characters')",
            argument="middle",
        )
    data = to_bytes(suffix)

    def make() -> Dfa:
        return followed(middle.automaton(), data)

    what = "" if isinstance(middle, Anything) else f", and the middle {middle}"
    on = f"{'the text ends with' if ends else 'later in the text comes'} {show(suffix)}{what}"
    n, runs, seed = check_sampling(n, runs, seed)
    problem = pose_problem(lm, make, on, prefix, data, boundary, ends, max_tokens, None)
    return solve(problem, n, runs, seed, lambda text: text[: len(text) - len(data)])
