"""The greatest numbers of rows, beside a stable sort of each row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pofx.algorithms.logspace import likeliest


@given(
    arrays(
        st.sampled_from([np.float32, np.float64]),
        array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.sampled_from([-np.inf, -3.0, -1.5, -1.0, -0.5]),
    ),
    st.integers(0, 12),
)
def test_the_greatest_come_first_and_equal_ones_in_order(a: np.ndarray, k: int) -> None:
    assert likeliest(a, k).tolist() == np.argsort(-a, axis=1, kind="stable")[:, :k].tolist()
