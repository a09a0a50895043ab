"""Vocabularies: the bytes that the ids of a model spell, and how texts become ids."""
