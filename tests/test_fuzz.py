"""A few cases of every fuzzer, always the same ones; `make fuzz` runs more of them."""

from __future__ import annotations

import random

import pytest

from fuzz.run import NAMES, case, cases, run


@pytest.mark.parametrize("name", NAMES)
def test_a_few_cases_hold(name: str) -> None:
    for number in range(cases(name)):
        case(name, 0, number)


def test_a_failing_case_is_told_with_the_command_that_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(rng: random.Random) -> None:
        assert rng.random() < 0.5

    monkeypatch.setattr("fuzz.regular_expressions.once", once)
    said: list[str] = []
    assert run("regular_expressions", 3, 30, said.append) == 10  # gives up after so many
    assert "again: POFX_FUZZ_SEED=3 python tests/fuzz/run.py regular_expressions " in said[0]
    number = int(said[0].split()[-1])
    with pytest.raises(AssertionError):
        case("regular_expressions", 3, number)
