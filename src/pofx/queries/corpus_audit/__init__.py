"""Checks whether a corpus is the sample that maximum likelihood assumes; each file has one check."""
