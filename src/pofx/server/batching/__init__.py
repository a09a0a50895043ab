"""One model for many requests: they take turns between passes, and what waits together is computed together."""
