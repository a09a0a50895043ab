"""The n-gram family: counts, smoothing, the model, and its files."""
