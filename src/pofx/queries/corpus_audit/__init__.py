"""Checks of a corpus: is it the sample that maximum likelihood assumes? One check a file."""
