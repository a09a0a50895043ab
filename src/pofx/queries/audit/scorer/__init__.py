"""Checks whether numbers without distributions can be log p of the tokens of a text; each file has one check."""
