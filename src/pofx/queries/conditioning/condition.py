"""p(text | condition): the law of texts that contain a string, match a pattern or have a length."""

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
    """p(x | x is in a set, given), for texts x of at most `max_tokens` tokens; and log of the probability of the set.

    on: `Contains(text)`, `Matches(pattern)`, `Length(n, unit)`, or several with &. ends: x is complete, EOS counted;
    False: the set is of beginnings, and texts go on behind the first one that is in it. Strings are what counts, however
    tokens spell them; sequences with control tokens are not among them. given, boundary: as in `sample`.

    Exact by enumeration where few sequences of tokens meet the condition, and by forward–backward where the model has
    finitely many states that can be told apart (`LM.sufficient`, `LM.memory`) and they are not too many. Else by
    sequential Monte Carlo with look-ahead: n particles in `runs` independent runs or more, each of which estimates the
    probability without bias; `se` is from run to run. Draws are weighted: see `Conditioned`.

    `Impossible` for a condition of probability 0; `Unreached` where no particle met it, and that is not known; `NoBOS`
    for a model without x0 and an empty `given`; `NoEOS` for ends=True and a model that ends no text; `BadValue` for a
    pattern of `Matches` that has no automaton.

    Fearnhead & Clifford 2003 (which particles are kept); Lew et al. 2023, Zhao et al. 2024 (look-ahead).

    Right: `condition(lm, Contains("cat") & Length(20), n=1000).outcomes[0]`. Wrong: taking the draws for equally
    likely: each has its weight.
    """
    if not isinstance(on, Condition):
        raise BadValue(
            f"on: expected a condition (Contains, Matches, Length), found {type(on).__name__}",
            "write Contains(…)",
        )
    n, runs, seed = check_sampling(n, runs, seed)
    problem = pose_problem(
        lm, on.automaton, f"the text {on}", given, b"", boundary, ends, max_tokens, on.tokens
    )
    return solve(problem, n, runs, seed)
