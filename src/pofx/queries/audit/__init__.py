"""Checks whether a model is the joint distribution that it claims to be; each file has one check."""
