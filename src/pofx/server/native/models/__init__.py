"""Answers about a model: its vocabulary, whole next-token distributions, and the kept verdict of its audit."""
