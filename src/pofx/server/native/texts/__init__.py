"""Answers about texts: their terms, their words, the model that they are from, and each candidate for x0."""
