"""p(middle | prefix, suffix): what may stand between two strings."""

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
    """p(middle | prefix, suffix) = p(prefix · middle · suffix) / Σ over middles; and log of the sum, given the prefix.

    The sum, `log_evidence`, is log p(the text goes on to end with the suffix | it begins with the prefix), nats: with
    log P(prefix) added, that of both. ends: EOS stands behind the suffix; False: the text may go on, and the middle is
    what comes before the first place where the suffix stands behind one.

    Strings are what counts: tokens may span both joins (boundary="token": not the first one), and every spelling of a
    middle is counted with it. middle: what it must be, too. max_tokens: of the middle, at most, where tokens are bytes;
    else of the middle, and of what the suffix takes more than `encode` needs for it. How it is computed, what is
    returned and what is raised: as for `condition`.

    Right: `infill(lm, "The ", " sat on the mat.").outcomes[:3]`. Wrong: comparing `log_evidence` of two suffixes as if
    it were p(suffix) alone: it is given the prefix.
    """
    if not isinstance(middle, Condition):
        raise BadValue(
            f"middle: expected a condition (Contains, Matches, Length), found {type(middle).__name__}",
            "write Contains(…)",
        )
    if middle.tokens is not None:
        raise BadValue(
            "middle: expected a length in bytes or characters, found tokens, which may span its ends",
            "take Length(n, 'characters')",
        )
    data = to_bytes(suffix)

    def make() -> Dfa:
        return followed(middle.automaton(), data)

    what = "" if isinstance(middle, Anything) else f", and the middle {middle}"
    on = f"{'the text ends with' if ends else 'later in the text comes'} {show(suffix)}{what}"
    n, runs, seed = check_sampling(n, runs, seed)
    problem = pose_problem(lm, make, on, prefix, data, boundary, ends, max_tokens, None)
    return solve(problem, n, runs, seed, lambda text: text[: len(text) - len(data)])
