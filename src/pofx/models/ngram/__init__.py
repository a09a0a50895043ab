"""The n-gram family: counts, smoothing, the model, ARPA files, and saved files."""
