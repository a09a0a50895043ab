"""Entropy coders: a range coder for given frequencies, and an adaptive model of bytes."""
