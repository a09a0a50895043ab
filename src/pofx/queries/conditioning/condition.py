"""p(text | condition): the distribution of texts that contain a string, match a pattern or have a length."""

from __future__ import annotations

from pofx.errors import BadValue
from pofx.lm.model import LM
from pofx.queries.conditioning.conditioned import Conditioned, check_sampling, solve
from pofx.queries.conditioning.conditions import Condition
from pofx.queries.conditioning.problem import Boundary, pose_problem


def condition(
    lm: LM,
    on: Condition,
    n: int = 512,
    given: str | bytes = "",
    boundary: Boundary = "exact",
    ends: bool = True,
    max_tokens: int = 64,
    runs: int = 8,
    seed: int | None = 0,
) -> Conditioned:
    """Condition a model on a set of strings: p(x | x is in the set, given), and log of the probability of the set.

    Every spelling of a string of the set in tokens counts. Token sequences with control tokens do not count.

    Three methods are tried in this order. Enumeration is used where few token sequences meet the condition.
    Forward–backward is used where the model has few states with different futures (`LM.sufficient`, `LM.memory`). These two
    methods are exact. Otherwise sequential Monte Carlo with a twisting function estimates the probability without bias
    (Fearnhead & Clifford 2003 on the selection of particles; Lew et al. 2023 and Zhao et al. 2024 on twisting).

    Args:
        lm: The model.
        on: The set: `Contains(text)`, `Matches(pattern)`, `Length(n, unit)`, or several of these joined by `&`.
        n: The number of particles in all runs together; for forward–backward, the number of draws.
        given: A prefix to condition on, too, as in `sample`.
        boundary: The join of the prefix and the text: "exact" or "token", as in `sample`.
        ends: If True, the text is complete, and EOS is counted. If False, the outcome is the first beginning of a text that
            meets the condition, with any text after it, and EOS is not needed.
        max_tokens: The longest text that counts, in tokens.
        runs: The least number of independent runs of the particles, at least 8; the runs give the standard error.
        seed: Seed of the draws; None draws a fresh seed.

    Returns:
        Weighted draws and the log-probability of the condition, nats; see `Conditioned`.

    Raises:
        Impossible: The condition has probability 0.
        Unreached: No particle met the condition, whose probability may be 0 or only small.
        NoBOS: The model has no x0, and `given` is empty.
        NoEOS: `ends` is True, and the model ends no text.
        BadValue: An argument is outside its domain, or no automaton exists for the pattern of `Matches`.

    Right: `condition(lm, Contains("cat") & Length(20), n=1000).outcomes[0]`. Wrong: treating all draws alike, though each
    draw has a weight.
    """
    if not isinstance(on, Condition):
        raise BadValue(
            f"expected a condition (Contains, Matches, Length), got {type(on).__name__}",
            "write Contains(…)",
            argument="on",
        )
    n, runs, seed = check_sampling(n, runs, seed)
    problem = pose_problem(
        lm, on.automaton, f"the text {on}", given, b"", boundary, ends, max_tokens, on.tokens
    )
    return solve(problem, n, runs, seed)
