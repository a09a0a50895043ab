"""Verbs that answer over HTTP, or check who does."""
