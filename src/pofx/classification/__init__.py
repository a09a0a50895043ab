"""P(x, t) = P(t) p(x | t): class models and a prior, their fitting and files, and an estimator for scikit-learn."""
