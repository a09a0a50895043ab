"""Accuracy, log-loss, calibration and confusion, held against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_score, recall_score

from pofx.classification.evaluation import evaluate
from pofx.errors import BadValue


class TestEvaluation:
    def test_as_scikit_learn_has_it(self) -> None:
        rng = np.random.default_rng(3)
        p = rng.dirichlet(np.ones(4), 300)
        truth = rng.integers(0, 4, 300)
        found = evaluate(np.log(p), truth)
        best = p.argmax(axis=1)
        assert found.accuracy == pytest.approx(accuracy_score(truth, best))
        assert found.log_loss == pytest.approx(log_loss(truth, p))
        np.testing.assert_array_equal(found.confusion, confusion_matrix(truth, best))
        np.testing.assert_allclose(found.recall, recall_score(truth, best, average=None))
        np.testing.assert_allclose(found.precision, precision_score(truth, best, average=None))
        assert sum(b.n for b in found.bins) == 300

    def test_calibration(self) -> None:
        p = np.array([[0.95, 0.05]] * 20 + [[0.35, 0.65]] * 10 + [[0.0, 1.0]])
        truth = np.array([0] * 19 + [1] + [1] * 5 + [0] * 5 + [1])
        with np.errstate(divide="ignore"):
            found = evaluate(np.log(p), truth)
        assert [(b.low, b.n) for b in found.bins] == [(0.6, 10), (0.9, 21)]
        assert found.bins[0].accuracy == 0.5
        expected = (10 * abs(0.5 - 0.65) + 21 * abs(20 / 21 - (20 * 0.95 + 1) / 21)) / 31
        assert found.calibration_error == pytest.approx(expected)

    def test_a_true_class_of_posterior_zero(self) -> None:
        with np.errstate(divide="ignore"):
            found = evaluate(np.log(np.array([[1.0, 0.0], [1.0, 0.0]])), np.array([0, 1]))
        assert found.log_loss == math.inf
        assert np.isnan(found.precision[1])
        with pytest.raises(BadValue, match="got none"):
            evaluate(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
