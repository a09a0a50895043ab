"""Verbs about documents and their classes."""
