"""Verbs that make strings: draws, fillings, strings that meet a condition, files restored from few bits."""
