"""Queries about a corpus that fit models of their own."""
