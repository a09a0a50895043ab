"""P(x, t) = P(t) p(x | t): a model for each class, or one behind what stands for it; fitted, saved, and as an estimator."""
