"""Verbs that answer over HTTP, or check a server that does."""
