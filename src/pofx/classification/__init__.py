"""P(x, t) = P(t) p(x | t): class models and a prior, fitted, saved, and offered as a scikit-learn estimator."""
