"""Automata over bytes, and regular expressions as automata."""
