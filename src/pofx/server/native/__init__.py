"""Endpoints that answer as the verbs do with --json."""
