"""Checks of numbers that come without distributions: can they be log p of the tokens of a text? One check a file."""
