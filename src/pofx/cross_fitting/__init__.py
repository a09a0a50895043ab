"""Queries to a corpus that fit models of their own to answer."""
