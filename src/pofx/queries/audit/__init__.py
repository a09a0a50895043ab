"""Checks of a model: is it the joint distribution that it claims to be? One check a file."""
