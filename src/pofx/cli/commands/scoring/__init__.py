"""Verbs that score strings, and distributions after them."""
