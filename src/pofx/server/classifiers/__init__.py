"""Classifiers of a server: which ones there are, and the classes of texts."""
