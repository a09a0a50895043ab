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

    The set is one of strings: every spelling of a string in tokens counts. Token sequences with control tokens do not.

    Three methods are tried in this order. Enumeration serves where few token sequences meet the condition.
    Forward–backward serves where the model has few states with different futures (`LM.sufficient`, `LM.memory`). Both
    are exact. Otherwise sequential Monte Carlo with a twisting function estimates the probability without bias
    (Fearnhead & Clifford 2003 on which particles are kept; Lew et al. 2023 and Zhao et al. 2024 on twisting).

    Args:
        lm: The model.
        on: The set: `Contains(text)`, `Matches(pattern)`, `Length(n, unit)`, or several of these joined by `&`.
        n: Particles in all runs together; for forward–backward, the number of draws.
        given: A prefix to condition on, too, as in `sample`.
        boundary: How the prefix joins the text: "exact" or "token", as in `sample`.
        ends: True: the text is complete, and EOS is counted. False: a text counts from its first beginning that meets
            the condition, whatever follows, and EOS is not needed.
        max_tokens: The longest text that counts, in tokens.
        runs: The least number of independent runs of the particles, at least 8; the standard error is taken from run to run.
        seed: Seed of the draws; None draws a fresh seed.

    Returns:
        Weighted draws and the log-probability of the condition, nats; see `Conditioned`.

    Raises:
        Impossible: The condition has probability 0.
        Unreached: No particle met the condition, whose probability may be 0 or only small.
        NoBOS: The model has no x0, and `given` is empty.
        NoEOS: `ends` is True, and the model ends no text.
        BadValue: An argument is outside its domain, or no automaton exists for the pattern of `Matches`.

    Right: `condition(lm, Contains("cat") & Length(20), n=1000).outcomes[0]`. Wrong: taking the draws for equally likely,
    though each draw has a weight.
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
