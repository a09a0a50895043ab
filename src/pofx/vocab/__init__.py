"""Vocabularies: which bytes the ids of a model spell, and how texts become ids."""
