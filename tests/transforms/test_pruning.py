"""The pruning rule of a beam against its definition, in probabilities."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pofx.transforms.bytewise.pruning import OPEN, OVER, Candidate, prune

FOUND = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([OPEN, 3, 5]), st.floats(-30, 0)), min_size=1, max_size=14
).map(lambda some: [Candidate(*c) for c in sorted(some, key=lambda c: -c[2])])


def mass(found: list[Candidate]) -> float:
    return math.fsum(math.exp(c.weight) for c in found)


@settings(max_examples=200, deadline=None)
@given(found=FOUND, beam=st.integers(1, 8), spare=st.floats(-30, 0) | st.just(-math.inf))
def test_the_rule_keeps_what_its_definition_keeps(found: list[Candidate], beam: int, spare: float) -> None:
    whole = mass(found)
    cut = prune(found, math.log(whole), beam, spare)
    histories: dict[int, float] = defaultdict(float)
    for c in found:
        histories[c.parent] += math.exp(c.weight)
    share = 10 ** -max(beam, (beam + 5) / 2)
    ranked = sorted(histories.values())
    assume(all(b > a * (1 + 1e-9) for a, b in pairwise(ranked)))  # a tie goes either way
    assume(all(abs(math.exp(c.weight) / (share * whole) - 1) > 1e-9 for c in found))
    for k, c in enumerate(found):
        heavier = sum(w > histories[c.parent] for w in histories.values())
        worthy = c.token == OPEN or math.exp(c.weight) >= share * whole
        assert (k in cut.kept) == (k == 0 or (heavier < beam and worthy))
    shut = [k for k, c in enumerate(found) if c.token != OPEN]
    kept_shut = [k for k in cut.kept if k in shut]
    assert cut.reserve == (shut[0] if shut and not kept_shut else None)
    assert cut.cleared == bool(shut)
    # No mass comes or goes: what was there is kept, held in reserve or dropped.
    held = math.exp(found[cut.reserve].weight) if cut.reserve is not None else 0.0
    held += 0.0 if cut.cleared else math.exp(spare)
    assert math.exp(cut.total) + math.exp(cut.dropped) + held == pytest.approx(whole + math.exp(spare))
    assert math.exp(cut.total) == pytest.approx(mass([found[k] for k in cut.kept]))


@pytest.mark.parametrize("found", [[], [Candidate(0, OVER, -1.0), Candidate(1, OVER, -2.0)]])
def test_behind_the_end_nothing_goes_on_and_the_reserve_is_dropped(found: list[Candidate]) -> None:
    cut = prune(found, -0.5, 2, -3.0)
    assert (list(cut.kept), cut.reserve, cut.cleared) == ([], None, True)
    assert (cut.total, cut.dropped) == (-0.5, -3.0)
