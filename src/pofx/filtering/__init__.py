"""Filters of documents: a normaliser, a router of languages, and thresholds of bits per byte."""
