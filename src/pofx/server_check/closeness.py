"""The comparison of two numbers for one question, and the outcome where their difference is too large."""

from __future__ import annotations

from collections.abc import Sequence

from pofx.server_check.finding import Outcome, ServerVerdict

# float32 sums in another order move a log-probability by about 1e-5 nats, and bfloat16 sums by up to 0.02, which is still
# near. A "batch-invariant" mode of one server was off by 0.047, and the row of a neighbouring position by whole nats.
SAME, NEAR = 1e-4, 0.02


def verdict_of(nats: float) -> ServerVerdict:
    """Return the verdict on two numbers of one question that differ by `nats`."""
    return "pass" if nats <= SAME else "warn" if nats <= NEAR else "fail"


def largest_gap(a: Sequence[float | None], b: Sequence[float | None]) -> float:
    """Return the largest difference of two rows of log-probabilities in nats; a number and null differ by ∞."""
    assert len(a) == len(b)  # noqa: S101  (ours: checks compare arrays whose lengths were looked at)
    gaps = [0.0 if x is y else float("inf") if x is None or y is None else abs(x - y) for x, y in zip(a, b)]
    return max(gaps, default=0.0)


def same_numbers(sent: str, nats: float, what: str = "the same numbers") -> Outcome:
    """Return the outcome of a comparison by its largest difference in nats."""
    return Outcome(verdict_of(nats), sent, what, f"differences up to {nats:.2g} nats")
